"""Names of back ends, and what they lead to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otel_stdlib.config import registry
from otel_stdlib.config.registry import backend_names, find_backend, import_path, register_backend
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import JSONLFileHandler


class Custom:
    """A class to be found."""


@pytest.fixture(autouse=True)
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers goes with it."""
    monkeypatch.setattr(registry, "_registered", {})


def test_own_names_and_aliases() -> None:
    """The seed's names lead to this package's handlers."""
    assert JSONLFileHandler is find_backend("filesystem") is find_backend("jsonl")


def test_registered_names() -> None:
    """A registered class is found and listed."""
    register_backend("mine", Custom)
    assert Custom is find_backend("mine")
    assert "mine" in backend_names()


@pytest.mark.parametrize("name", ["filesystem", "postgresql", "", "a.b", "a:b", None])
def test_names_that_cannot_be_registered(name: object) -> None:
    """Own names are taken, and dotted ones are paths."""
    with pytest.raises(ConfigError):
        register_backend(name, Custom)


def test_only_classes_are_registered() -> None:
    """A function or an object is none."""
    with pytest.raises(ConfigError, match="must be a class"):
        register_backend("mine", Custom())


@pytest.mark.parametrize("path", [f"{__name__}.Custom", f"{__name__}:Custom"])
def test_dotted_paths(path: str) -> None:
    """Both spellings lead to the class."""
    sys.modules.setdefault(__name__, sys.modules[Custom.__module__])
    assert "Custom" == find_backend(path).__name__


def test_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package offers back ends by its metadata."""
    (tmp_path / "fancy_backend.py").write_text("class Fancy:\n    pass\n")
    info = tmp_path / "fancy_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fancy-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[otel_stdlib.backends]\nfancy = fancy_backend:Fancy\nbroken = nowhere:X\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "Fancy" == find_backend("fancy").__name__
    assert {"fancy", "broken"} <= set(backend_names())
    with pytest.raises(ConfigError, match="'broken' of nowhere:X cannot be loaded"):
        find_backend("broken")


def test_a_module_that_fails_while_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own missing import is not taken for its absence."""
    (tmp_path / "half_there.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "raising.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="No module named 'not_installed_anywhere'"):
        import_path("half_there.Thing")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        import_path("raising.Thing")


def test_a_misspelt_attribute() -> None:
    """The nearest name is in the message."""
    with pytest.raises(ConfigError, match="has no 'JSONLFileHandlr'; did you mean 'JSONLFileHandler'"):
        import_path("otel_stdlib.handlers.JSONLFileHandlr")
