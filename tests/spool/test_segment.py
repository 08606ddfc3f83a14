from __future__ import annotations

import ast

from otel_stdlib.spool.segment import Descriptor, create_memory
from tests.tree import modules, parse


def test_a_descriptor_that_was_never_finished_closes_nothing() -> None:
    """A signal handler may raise between the object and its number."""
    unfinished = Descriptor.__new__(Descriptor)
    unfinished.close()
    assert unfinished.fd == -1


def test_looking_moves_no_position() -> None:
    """A reader that wrote back the position it read would let the next record overwrite one, without the GIL."""
    segment = create_memory(1, 4096)
    segment.reserve(100, 1)

    def refuse(*_: int) -> int:
        raise AssertionError("a position is moved")

    segment.reserve = refuse
    assert segment.base + 100 == segment.reserved


def test_positions_are_moved_under_the_lock_only() -> None:
    """``reserve`` is called by the segment for its header, and where the spool's lock is held."""
    callers = set()
    for path in modules():
        for function in ast.walk(parse(path)):
            if isinstance(function, ast.FunctionDef):
                callers |= {
                    (path.name, function.name)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Attribute) and node.attr == "reserve"
                }
    held = {("writer.py", "append"), ("writer.py", "_roll"), ("writer.py", "move_to")}
    # The compiled spool, which there is with the GIL only, marks a segment as full that it has left.
    assert held | {("segment.py", "__init__"), ("compiled.py", "move_to")} == callers
