"""Imports go one way through the rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.tree import PACKAGE, ROOT, imports, modules, name_of, parse, room_of

#: A room may import from itself and from any room before it.
ROOMS = (
    "_native",
    "facts",
    "redaction",
    "record",
    "filters",
    "spool",
    "delivery",
    "pipeline",
    "handlers",
    "queue",
)
#: What puts the rooms together; these may import one another, without a ring.
ASSEMBLY = ("config", "tracing", "facade", "cli", "testing")
#: Rooms that may touch less than the order would allow.
ONLY = {
    "facts": set[str](),
    "redaction": {"facts"},
    "spool": {"_native", "facts"},
    "filters": {"facts", "record", "spool"},
}


def allowed(room: str) -> set[str]:
    """The rooms that ``room`` may import from."""
    if room in ASSEMBLY:
        return {*ROOMS, *ASSEMBLY}
    return {room} | ONLY.get(room, set(ROOMS[: ROOMS.index(room)]))


def ids(path: Path) -> str:
    """A file's path as a test id."""
    return str(path.relative_to(ROOT / PACKAGE))


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_a_file_imports_only_rooms_above_its_own(path: Path) -> None:
    """Nothing of a lower room, and never the package's own front door."""
    room = room_of(name_of(path))
    if room in ("", "__main__"):
        return  # the front doors import what they show
    assert room in (*ROOMS, *ASSEMBLY), f"{room} is not in the list of rooms"
    wrong = [
        f"line {found.line}: {found.imported}"
        for found in imports(path)
        if room_of(found.imported) not in allowed(room)
    ]
    assert [] == wrong


def test_no_ring_of_imports() -> None:
    """The modules that import one another while being imported have an order."""
    graph: dict[str, set[str]] = {}
    for path in modules():
        for found in imports(path):
            if found.at_import and found.imported != found.importer:
                graph.setdefault(found.importer, set()).add(found.imported)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_imports_are_absolute(path: Path) -> None:
    """A relative import would hide which room it reaches into."""
    relative = [n.lineno for n in ast.walk(parse(path)) if isinstance(n, ast.ImportFrom) and n.level]
    assert [] == relative


_DRIVERS = (
    "confluent_kafka",
    "elasticsearch",
    "flask",
    "google.protobuf",
    "jsonschema",
    "opentelemetry.sdk",
    "psycopg2",
    "requests",
    "rich",
)

_INERT = f"""
import sys, threading, logging, socket
loggers = set(logging.Logger.manager.loggerDict)
handlers = list(logging.getLogger().handlers)
threads = threading.active_count()
made = []
sys.addaudithook(lambda event, args: made.append((event, str(args)))
                 if event.startswith(("socket.", "mmap."))
                 or event in ("subprocess.Popen", "os.fork", "os.mkdir", "os.rename", "os.remove")
                 or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
                     and "__pycache__" not in str(args[0])) else None)
import otel_stdlib, otel_stdlib.handlers, otel_stdlib.filters, otel_stdlib.testing
for module in (otel_stdlib, otel_stdlib.handlers, otel_stdlib.filters, otel_stdlib.testing):
    for name in getattr(module, "__all__", ()):
        getattr(module, name)
assert threading.active_count() == threads, threading.enumerate()
assert list(logging.getLogger().handlers) == handlers
assert logging.getLogger().level == logging.WARNING
print(sorted(name for name in {_DRIVERS!r} if name in sys.modules))
print(made)
"""


def test_importing_the_package_is_inert() -> None:
    """No thread, socket, mapping, file or driver comes from importing the roots and every name in them."""
    done = subprocess.run(
        [sys.executable, "-c", _INERT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert ["[]", "[]"] == done.stdout.splitlines()
