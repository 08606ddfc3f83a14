"""Threads, locks and clocks come from ``facts``, as gevent, eventlet and freezegun replace the standard ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import PACKAGE, ROOT, modules, parse

#: What no file may take from these modules; None: nothing at all.
REPLACED: dict[str, set[str] | None] = {
    "threading": {
        *("Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore", "Thread"),
        *("Timer", "local", "stack_size"),
    },
    "time": {"monotonic", "monotonic_ns", "sleep", "time", "time_ns"},
    "_thread": None,
    "concurrent": None,
    "concurrent.futures": None,
    "queue": None,
    "select": None,
    "selectors": None,
    "socket": {"create_connection", "fromfd", "socket", "socketpair"},
    "subprocess": None,
}
#: Files that may, and what: each says why.
ALLOWED = {
    # The place where they are taken from the standard library, and the one wait that greenlets share.
    "facts/native.py": {"_thread"},
    "facts/threads.py": {"time.sleep"},
    # A record's time is frozen with the application's clock, and so is a span's.
    "record/factory.py": {"time.time", "time.time_ns"},
    "record/stamp.py": {"time.time_ns"},
    # The queue is the application's: its thread, its locks and its handlers are of one kind.
    "queue/listener.py": {"queue", "threading.Lock", "threading.Thread"},
    # The real ``poll`` is asked for by name, and it is no name to be replaced.
    "handlers/connections.py": {"select"},
    "handlers/postgres/green.py": {"select"},
    # A caller's executor with a context; and the threads of a caller, who logs.
    "record/context.py": {"concurrent.futures"},
    "testing/contract.py": {"threading.Thread"},
}


def annotations(tree: ast.AST) -> Iterator[ast.AST]:
    """The annotations of a file, which make nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation is not None:
            yield node.annotation


def taken(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a file takes from the modules in ``REPLACED``: ``module`` or ``module.name``, with its line."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name
                if REPLACED.get(alias.name, set()) is None:
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module in REPLACED:
            forbidden = REPLACED[node.module]
            for alias in node.names:
                if forbidden is None or alias.name in forbidden:
                    yield (node.module if forbidden is None else f"{node.module}.{alias.name}"), node.lineno
    types = {id(part) for annotation in annotations(tree) for part in ast.walk(annotation)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and id(node) not in types:
            module = names.get(node.value.id, "")
            if node.attr in (REPLACED.get(module) or ()):
                yield f"{module}.{node.attr}", node.lineno


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT / PACKAGE)))
def test_nothing_that_others_replace_is_used(path: Path) -> None:
    """A thread, lock, clock or socket of the standard library is not what it is called in every process."""
    allowed = ALLOWED.get(str(path.relative_to(ROOT / PACKAGE)), set())
    used = {f"line {line}: {name}" for name, line in taken(parse(path)) if name not in allowed}
    assert set() == used


def test_the_rule_sees_every_spelling() -> None:
    """Each way to write it is found; what is allowed of these modules is not."""
    source = """
import threading as t, time, _thread
from time import sleep as nap, perf_counter
from queue import Queue
t.Lock(); time.monotonic(); t.current_thread(); time.strftime("")
"""
    found = {name for name, _ in taken(ast.parse(source))}
    assert {"threading.Lock", "time.monotonic", "_thread", "time.sleep", "queue"} == found


def test_no_exception_is_left_over() -> None:
    """What a file may use it does use."""
    for name, allowed in ALLOWED.items():
        used = {found for found, _ in taken(parse(ROOT / PACKAGE / name))}
        assert allowed - used == set(), name
