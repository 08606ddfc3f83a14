"""Secrets that are read again."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from otel_stdlib.facts.renewal import RenewableSecret, has_renewable, renewed
from otel_stdlib.facts.secrets import Secret


class Source:
    """Text that a test changes."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text

    def read(self) -> str:
        """The text of now."""
        if self.text is None:
            raise ValueError("the secret file /run/pw cannot be read: No such file or directory")
        return self.text

    def secret(self) -> RenewableSecret:
        """The secret of now."""
        return RenewableSecret.of(self.read(), self.read)


def test_a_secret_has_the_text_of_now() -> None:
    """Itself while nothing changes; again and again afterwards."""
    source = Source("one")
    first = source.secret()
    assert first is first.renewed()
    source.text = "two"
    second = first.renewed()
    assert ("one", "two") == (str(first), str(second))
    source.text = "three"
    assert "three" == second.renewed()
    assert "'***'" == repr(second)


def test_what_cannot_be_read_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is away for a moment makes no empty password, and is reported."""
    source = Source("hunter2")
    secret = source.secret()
    source.text = None
    assert secret is secret.renewed()
    said = capsys.readouterr().err
    assert "cannot be read: No such file or directory; the former secret stays in use" in said
    assert "hunter2" not in said


def test_in_options() -> None:
    """In mappings, lists and tuples; what has none stays the same object."""
    source = Source("one")
    plain: dict[str, Any] = {"a": [1, ("x",)], "b": Secret("fixed")}
    options = {"auth": ["user", source.secret()], "pair": ("id", source.secret()), "plain": plain}
    assert has_renewable(options)
    assert not has_renewable(plain)
    source.text = "two"
    fresh = renewed(options)
    assert {"auth": ["user", "two"], "pair": ("id", "two"), "plain": plain} == fresh
    assert plain is fresh["plain"]
    assert ["user", "one"] == options["auth"]


def test_a_copy_for_another_process_is_the_text() -> None:
    """What reads it may not be there; a copy in this process is the same secret."""
    secret = Source("one").secret()
    moved = pickle.loads(pickle.dumps(secret))
    assert (Secret, "one") == (type(moved), moved)
    assert secret is copy.copy(secret) is copy.deepcopy([secret])[0]
