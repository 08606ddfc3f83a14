"""A name is public only through the sorted ``__all__`` of one of the roots."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import types

import pytest

from tests.tree import ROOT

ROOTS = ("otel_stdlib", "otel_stdlib.filters", "otel_stdlib.handlers", "otel_stdlib.testing")


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that the linter keeps."""
    kind = 0 if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


@pytest.fixture(params=ROOTS)
def root(request: pytest.FixtureRequest) -> types.ModuleType:
    """Each of the roots that users import from."""
    return importlib.import_module(request.param)


def test_all_is_sorted_and_has_no_double(root: types.ModuleType) -> None:
    """``__all__`` exists, is in order and names nothing twice."""
    assert sorted(set(root.__all__), key=order) == list(root.__all__)


def test_every_name_is_there(root: types.ModuleType) -> None:
    """Each name in ``__all__`` can be had, and ``dir`` shows it."""
    for name in root.__all__:
        assert getattr(root, name) is not None
        assert name in dir(root)


def test_an_unknown_name_is_an_attribute_error(root: types.ModuleType) -> None:
    """A misspelt name gives Python's own error."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = root.no_such_name


def test_module_shows_the_public_path(root: types.ModuleType) -> None:
    """A class or function says that it lives where users import it from, and that path leads to it."""
    wrong = []
    for name in root.__all__:
        value = getattr(root, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            if value.__module__ not in ROOTS:
                wrong.append(f"{name}: {value.__module__}")
            elif getattr(importlib.import_module(value.__module__), value.__name__, None) is not value:
                wrong.append(f"{name}: {value.__module__}.{value.__name__} is something else")
    assert [] == wrong


def test_every_public_name_has_a_docstring(root: types.ModuleType) -> None:
    """Classes, functions and their public methods are documented."""
    bare = []
    for name in root.__all__:
        value = getattr(root, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if not inspect.getdoc(value):
            bare.append(name)
        if inspect.isclass(value):
            bare += [
                f"{name}.{method}"
                for method, thing in vars(value).items()
                if inspect.isfunction(thing) and not method.startswith("_") and not inspect.getdoc(thing)
            ]
    assert [] == bare


def test_type_checkers_read_the_same_names(root: types.ModuleType) -> None:
    """What is imported for type checkers is what the table of names to load on demand has, and ``__all__``."""
    assert root.__file__
    with open(root.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    read = {
        (node.module, name.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    table = next(node for node in ast.walk(block.orelse[0]) if isinstance(node, ast.Dict))
    places: dict[str, str] = ast.literal_eval(table)
    assert read == {(place, name) for place, names in places.items() for name in names.split()}
    assert sorted(root.__all__) == sorted(name for _, name in read)


#: Modules of ours and of others that ``import otel_stdlib`` may load beyond those of ``logging``.
_MOST_MODULES = 60

_LOADED = """
import logging, sys
before = set(sys.modules)
import otel_stdlib
print(*sorted(set(sys.modules) - before))
"""


def test_importing_the_package_loads_little() -> None:
    """No backend, no parser, no event loop, and few modules at all: names are loaded when they are used."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stdout.split()
    assert len(loaded) <= _MOST_MODULES, loaded
    heavy = (
        "otel_stdlib.handlers",
        "otel_stdlib.config",
        "otel_stdlib.facade",
        "yaml",
        "orjson",
        "asyncio",
        "ssl",
    )
    assert [] == [name for name in loaded if name.startswith(heavy)]


_ONE_BACKEND = """
import sys
from otel_stdlib.handlers import JSONLFileHandler
print(*sorted(name for name in sys.modules if name.startswith("otel_stdlib.handlers.")))
"""


def test_naming_one_backend_loads_no_other() -> None:
    """A process that writes files has no code of the network's backends in memory."""
    done = subprocess.run(
        [sys.executable, "-c", _ONE_BACKEND], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    others = ("elasticsearch", "kafka", "otlp", "postgres")
    assert [] == [name for name in done.stdout.split() if name.split(".")[2] in others]
