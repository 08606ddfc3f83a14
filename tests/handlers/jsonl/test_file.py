"""The file of blocks by itself, as dead letters and fallback files use it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from otel_stdlib.handlers.jsonl import Block, BlockFile, JSONLOptions
from tests.handlers.jsonl.support import run, spool_id


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A path."""
    return tmp_path / "dead.jsonl"


def test_lines_without_a_key(target: Path) -> None:
    """They are appended whole; no position is kept and nothing is skipped."""
    file = BlockFile(JSONLOptions(target, max_bytes=30, backup_count=9))
    for _ in range(2):
        with file.hold():
            file.append(Block("", [b'{"a":1}\n{"a":2}\n', b'{"a":3}\n{"a":4}\n'], [0, 1, 2, 3], 0, 0))
    file.close()
    assert b'{"a":3}\n{"a":4}\n' == target.read_bytes()
    assert b'{"a":4}\n{"a":1}\n{"a":2}\n' == (target.parent / "dead.jsonl.1").read_bytes()
    assert b'{"a":1}\n{"a":2}\n{"a":3}\n' == (target.parent / "dead.jsonl.2").read_bytes()


@pytest.mark.parametrize("step", ["before", "half", "after"])
def test_lines_without_a_key_are_whole_after_a_kill(target: Path, step: str) -> None:
    """Killed before, in and after the write: all of the lines or none."""
    run(
        f"""
import signal
from otel_stdlib.handlers.jsonl import Block, BlockFile
child = os.fork()
if child == 0:
    file = BlockFile(JSONLOptions(sys.argv[1]))
    real = os.write
    def write(fd, data):
        real(fd, data[: {{"before": 0, "half": 10, "after": 99}}["{step}"]])
        os.kill(os.getpid(), signal.SIGKILL)
    os.write = write
    with file.hold():
        file.append(Block("", [b'{{"a":1}}\\n{{"a":2}}\\n'], [0, 1], 0, 0))
assert os.waitpid(child, 0)[1] == {int(signal.SIGKILL)}
""",
        target,
    )
    file = BlockFile(JSONLOptions(target))
    with file.hold():
        pass
    file.close()
    assert (b'{"a":1}\n{"a":2}\n' if step == "after" else b"") == target.read_bytes()
    assert 1 == sum(file.counters.snapshot().values())


def test_a_position_never_goes_back(target: Path) -> None:
    """Also in an entry beyond the first page, which another process moved on meanwhile."""
    one, two = BlockFile(JSONLOptions(target)), BlockFile(JSONLOptions(target))
    with one.hold():
        for number in range(50):
            one.advance(spool_id(number), 10, 10)
    for file, position in ((two, 30), (one, 20)):
        with file.hold():
            file.advance(spool_id(45), position, position)
    with two.hold():
        entry = two.stored(spool_id(45))
    assert entry is not None
    assert (30, 30) == (entry.cursor, entry.stored)
    one.close()
    two.close()


@pytest.mark.parametrize("room", range(45))
def test_a_block_is_cut_at_a_lines_end(room: int) -> None:
    """What fits, and the rest, with the positions that belong to them."""
    chunks = [b"1\n22\n333\n", b"4444\n", b"55555\n666666\n"]
    marks = [10, 20, 30, 40, 50, 60]
    head, rest = Block("k", chunks, marks, 70, 70).cut(room)
    lines = b"".join(chunks).splitlines(keepends=True)
    fitting = next(n for n in range(len(lines), -1, -1) if len(b"".join(lines[:n])) <= room)
    assert (fitting > 0, fitting < 6) == (head is not None, rest is not None)
    if head is not None:
        assert b"".join(lines[:fitting]) == b"".join(head.chunks)
        assert marks[:fitting] == head.marks
        assert ([*marks, 70][fitting],) * 2 == (head.cursor, head.stored)
    if rest is not None:
        assert b"".join(lines[fitting:]) == b"".join(rest.chunks)
        assert (marks[fitting:], 70, 70) == (rest.marks, rest.cursor, rest.stored)
