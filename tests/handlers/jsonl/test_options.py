from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.jsonl import JSONLOptions


def test_defaults() -> None:
    """Without options: no rotation, five kept when there is one, private files, no sync."""
    made = JSONLOptions("a.jsonl")
    want = {
        "filename": os.path.abspath("a.jsonl"),
        "log_file": None,
        "max_bytes": 0,
        "backup_count": 5,
        "when": None,
        "interval": 1,
        "utc": False,
        "compress": None,
        "mode": 0o600,
        "encoding": "utf-8",
        "fsync": False,
        "sidecar": None,
    }
    assert want == vars(made)
    assert os.path.realpath(".a.jsonl.otel-stdlib") == made.sidecar_of(made.target)
    assert not made.rotates


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"filename": ""}, "filename"),
        ({"filename": 7}, "filename"),
        ({"log_file": "a\0b"}, "log_file"),
        ({"filename": "/"}, "filename"),
        ({"filename": "/dev/null"}, "filename"),
        ({"filename": "new/"}, "filename"),
        ({"max_bytes": -1}, "max_bytes"),
        ({"max_bytes": "10 MB"}, "max_bytes"),
        ({"max_bytes": True}, "max_bytes"),
        ({"max_bytes": 1000, "backup_count": 0}, "backup_count"),
        ({"when": "D", "backup_count": 0}, "backup_count"),
        ({"when": "W7"}, "when"),
        ({"when": "hourly"}, "when"),
        ({"interval": 0}, "interval"),
        ({"utc": "yes"}, "utc"),
        ({"fsync": 1}, "fsync"),
        ({"compress": "zstd"}, "compress"),
        ({"mode": 0o4600}, "mode"),
        ({"mode": 0o400}, "mode"),
        ({"mode": "rw"}, "mode"),
        ({"encoding": "latin-1"}, "encoding"),
        ({"encoding": None}, "encoding"),
        ({"sidecar": "/"}, "sidecar"),
        ({"sidecar": "app.jsonl"}, "sidecar"),
    ],
)
def test_a_wrong_value_is_named(options: dict[str, Any], option: str) -> None:
    """The message quotes the option and its value."""
    given = options if {"filename", "log_file"} & set(options) else {"filename": "app.jsonl", **options}
    with pytest.raises(ConfigError) as caught:
        JSONLOptions(**given)
    assert option == caught.value.option
    assert repr(option) in str(caught.value)
    assert repr(given.get(option)) in str(caught.value)


def test_no_file_at_all() -> None:
    """The message says what is needed."""
    with pytest.raises(ConfigError, match=r"^a JSONL file needs the option 'filename'$") as caught:
        JSONLOptions()
    assert "filename" == caught.value.option


def test_log_file_is_another_name() -> None:
    """Either is taken, not both."""
    assert JSONLOptions("a") == JSONLOptions(log_file="a")
    with pytest.raises(ConfigError, match=r"'filename'.*'log_file'"):
        JSONLOptions("a", log_file="b")


def test_the_target_is_fixed_when_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later change of directory does not move a relative path."""
    monkeypatch.chdir(tmp_path)
    made = JSONLOptions("a.jsonl")
    monkeypatch.chdir("/")
    assert str(tmp_path / "a.jsonl") == made.target


@pytest.mark.parametrize(("value", "want"), [(True, "gzip"), ("gzip", "gzip"), (False, None), (None, None)])
def test_compress(value: Any, want: str | None) -> None:
    """True means the one kind there is."""
    assert want == JSONLOptions("a", compress=value).compress


def test_unknown_options_are_errors() -> None:
    """A mapping's keys are checked, with a hint at the nearest name."""
    assert JSONLOptions("a", max_bytes=5) == JSONLOptions.of({"filename": "a", "max_bytes": 5})
    with pytest.raises(ConfigError, match=r"'maxbytes'.*'max_bytes'"):
        JSONLOptions.of({"filename": "a", "maxbytes": 5})


def test_a_file_that_is_rotated_away_meanwhile(tmp_path: Path) -> None:
    """Another process rotates the file while options are checked: it is looked at once."""
    path, other = tmp_path / "a.jsonl", tmp_path / "a.jsonl.1"
    path.touch()
    stop = threading.Event()

    def rotate() -> None:
        while not stop.is_set():
            os.rename(path, other)
            os.rename(other, path)

    thread = threading.Thread(target=rotate)
    thread.start()
    try:
        for _ in range(3000):
            JSONLOptions(path)
    finally:
        stop.set()
        thread.join()
