"""Rules over the source that keep a log call from stalling or dying: see ``docs/spool-format.md``.

A mapped file that is truncated kills the process, ``mmap.flush`` and ``MADV_POPULATE_*`` hold the
GIL for tens of milliseconds, and a POSIX record lock falls when any descriptor of its file is closed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import PACKAGE, ROOT, modules, parse

#: Attribute or plain names that no file of the package may use, with the reason.
FORBIDDEN = {
    "MADV_POPULATE_READ": "holds the GIL while it reads",
    "MADV_POPULATE_WRITE": "holds the GIL while it faults every page in",
    "MAP_POPULATE": "holds the GIL on 3.10 and 3.11",
    "lockf": "a POSIX lock goes with any descriptor of the file",
}
#: Only in the spool: its segments are mapped.
FORBIDDEN_IN_SPOOL = {
    "expanduser": "returns a literal ~ for a user without a home, and the spool would lie anywhere",
    "truncate": "a mapped file that shrinks kills the process",
    "ftruncate": "a mapped file that shrinks kills the process, a sparse one when the disk is full",
    "fromfd": "no sockets in the spool",
}


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name and attribute that is read, called or imported, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.name, node.lineno


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every call as source text of what is called, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def ids(path: Path) -> str:
    """A file's path as a test id."""
    return str(path.relative_to(ROOT / PACKAGE))


every_file = pytest.mark.parametrize("path", modules(), ids=ids)
every_spool_file = pytest.mark.parametrize("path", modules("spool"), ids=ids)


@every_file
def test_no_forbidden_name(path: Path) -> None:
    """What stalls every thread, or loses a lock, is used nowhere."""
    assert [] == [
        f"{line}: {name}: {FORBIDDEN[name]}" for name, line in names(parse(path)) if name in FORBIDDEN
    ]


@every_spool_file
def test_a_segment_is_never_truncated(path: Path) -> None:
    """The spool grows by new files and shrinks by unlinking."""
    wrong = [f"{n}: {name}" for name, n in names(parse(path)) if name in FORBIDDEN_IN_SPOOL]
    wrong += [f"{n}: {name}" for name, n in calls(parse(path)) if name in {"open", "io.open"}]
    assert [] == wrong


@every_spool_file
def test_a_mapping_is_never_flushed(path: Path) -> None:
    """Syncing is ``os.fdatasync``; nothing in the spool has another ``flush`` to call."""
    assert [] == [f"{line}: {name}" for name, line in calls(parse(path)) if name.split(".")[-1] == "flush"]


@every_spool_file
def test_reading_is_by_pread(path: Path) -> None:
    """A truncated file gives ``pread`` an end and a mapping a SIGBUS, so a mapping is only written."""
    tree = parse(path)
    wrong = [f"{n}: {name}" for name, n in calls(tree) if name in {"os.readv", "os.fdopen", "os.sendfile"}]
    wrong += [f"{n}: {name}" for name, n in names(tree) if name in {"ACCESS_READ", "read_byte", "readline"}]
    assert [] == wrong


@every_spool_file
def test_the_spool_does_not_log_print_or_connect(path: Path) -> None:
    """The spool stands under every log call: what it has to say goes through the counters."""
    tree = parse(path)
    assert set() == imported(tree) & {"logging", "socket", "ssl", "warnings", "asyncio", "subprocess"}
    assert [] == [line for name, line in calls(tree) if name == "print"]


@every_file
def test_nothing_is_started_at_import(path: Path) -> None:
    """At module level no thread, process, socket, file or exit hook is made."""
    started = {
        "Thread",
        "Timer",
        "Process",
        "Popen",
        "socket",
        "open",
        "mkdir",
        "makedirs",
        "start",
        "basicConfig",
    }
    wrong = [
        f"{line}: {name}"
        for statement in parse(path).body
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'")
        for name, line in calls(statement)
        if name.split(".")[-1] in started or name == "atexit.register"
    ]
    assert [] == wrong
