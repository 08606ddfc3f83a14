"""Batches without a spool, reading everything back, and a child process that is killed on purpose."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otel_stdlib.delivery.contract import Batch, Origin
from otel_stdlib.handlers.jsonl import JSONLDestination, JSONLOptions
from otel_stdlib.spool.frame import Frame

ROOT = Path(__file__).resolve().parents[3]
RESOURCE = b'{"service.name":"test"}'
#: Bytes that one record takes in the imagined spool.
STEP = 64


def spool_id(number: int = 0) -> str:
    """An id of the right shape, ordered by ``number``."""
    return f"01JSKNTEST0{number:015d}"


def batch(first: int, count: int, number: int = 0, size: int = 20) -> Batch:
    """Records ``first`` to ``first + count - 1`` of a spool."""
    frames = [
        Frame(
            (1 << 32) + 64 + n * STEP, 0, 20, 9, b'{"body":"%d","attributes":{"pad":"%b",' % (n, b"x" * size)
        )
        for n in range(first, first + count)
    ]
    start = (1 << 32) + 64 + first * STEP
    return Batch(Origin(spool_id(number), RESOURCE), frames, start, start + count * STEP)


def files(target: Path) -> list[Path]:
    """The target and its rotated files."""
    return [path for path in target.parent.glob(f"{target.name}*") if path.exists()]


def lines(target: Path) -> list[dict[str, Any]]:
    """Every line of the target and its rotated files; a line that is not whole is an error."""
    found = []
    for path in files(target):
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        assert text == b"" or text.endswith(b"\n"), f"{path} has a torn last line"
        found += [json.loads(line) for line in text.splitlines()]
    return found


def uids(target: Path) -> Counter[str]:
    """How often each uid stands in the files."""
    return Counter(line["attributes"]["log.record.uid"] for line in lines(target))


def expected(batches: Sequence[Batch]) -> Counter[str]:
    """Each uid of these batches once."""
    return Counter(b.uid(frame) for b in batches for frame in b.frames)


def destination(target: Path, **options: Any) -> JSONLDestination:
    """An open destination."""
    made = JSONLDestination(JSONLOptions(target, **options))
    made.open()
    return made


def python(code: str, *arguments: object, **kwargs: Any) -> subprocess.Popen[str]:
    """Run ``code`` in a child with this file's names imported."""
    text = "from tests.handlers.jsonl.support import *\n" + code
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        **kwargs,
    )


def run(code: str, *arguments: object, **kwargs: Any) -> str:
    """Run ``code`` in a child and give what it printed; it must end well."""
    child = python(code, *arguments, **kwargs)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return out
