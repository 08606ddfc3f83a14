"""A process that logs secrets is killed at any moment, and none of its files holds a byte of them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tree import ROOT

#: In every secret that the program logs.
MARK = "XYZZYPLUGH"

PROGRAM = f"""
import itertools, logging, os, sys
from otel_stdlib import OTelQueueHandler, otel_span
from otel_stdlib.handlers import ElasticsearchHandler, JSONLFileHandler
from otel_stdlib.handlers.custom import BackendHandler

MARK = {MARK!r}

class Refuses:
    def initialize(self, config): pass
    def write_log(self, entry): raise ValueError("not this one")

class Tells:
    def __str__(self): return f"pwd={{MARK}}"

folder = sys.argv[1]
queue = OTelQueueHandler(
    handlers=[
        JSONLFileHandler(folder + "/out/app.jsonl", max_bytes=100_000, backup_count=100, compress=True),
        ElasticsearchHandler(
            hosts="http://127.0.0.1:9",
            circuit_breaker_threshold=1,
            fallback={{"filename": folder + "/fallback.jsonl", "after": 0}},
        ),
        BackendHandler(Refuses),
    ],
    spool={{"directory": folder + "/spool", "segment_bytes": 1 << 20}},
    redaction=True,
)
logging.basicConfig(level=logging.INFO, handlers=[queue])
log = logging.getLogger("shop")

def fail(password):
    raise ValueError(f"cannot open redis://:{{password}}@cache/0")

for number in itertools.count():
    log.info("clean %s", number, extra={{"number": number, "user": "joe"}})
    log.info("password=%s of %d", MARK + str(number), number)
    log.info("token sk-%s", MARK + "a1" * 20)
    log.info("%s%s", "AKIA", (MARK + "AAAAAAAAAA")[:16])
    log.info(Tells())
    log.info({{"user": {{"api_key": MARK}}}})
    log.info("extras", extra={{"secret": MARK, "a": [{{"pwd": MARK}}], "raw": ("ghp_" + MARK + "a" * 40).encode()}})
    log.info("%s %s", "token=" + MARK)
    with otel_span("work", attributes={{"password": MARK}}):
        try:
            fail(password=MARK)
        except ValueError:
            log.exception("failed", stack_info=True)
    os.write(1, b".")
"""


def _stored(folder: Path) -> bytes:
    """Every byte of every file, those in compressed ones too."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            found.append(raw)
            if path.suffix == ".gz":
                try:
                    found.append(gzip.decompress(raw))
                except EOFError:  # the kill came while it was written
                    continue
    return b"\0".join(found)


def _has_all(folder: Path) -> bool:
    """Whether there is a fallback file, and a dead letter."""
    fallback = folder / "fallback.jsonl"
    letters = [path for path in folder.rglob("*.jsonl") if "spool" in path.parts]
    return fallback.exists() and fallback.stat().st_size > 0 and any(path.stat().st_size for path in letters)


def _run_and_kill(
    folder: Path, environment: dict[str, str], seconds: float, *, complete: bool = False
) -> str:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.read(1)
        time.sleep(seconds)
        deadline = time.monotonic() + 100
        while complete and not _has_all(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        said = process.stderr.read().decode()
        assert b"." == first, said
        process.wait(60)
    return said


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("native", ["0", "1"], ids=["compiled", "pure"])
def test_no_file_holds_a_secret_after_sigkill(tmp_path: Path, native: str) -> None:
    """Spool, output, dead letters, fallback and stderr of several killed processes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_STDLIB_NO_NATIVE": native}
    chance = random.SystemRandom()
    said = "".join(_run_and_kill(tmp_path, environment, chance.uniform(0.05, 1.0)) for _ in range(3))
    said += _run_and_kill(tmp_path, environment, 0.0, complete=True)
    assert _has_all(tmp_path), said
    stored = _stored(tmp_path) + said.encode()
    encoded = base64.b64encode(("ghp_" + MARK + "a" * 40).encode())
    for secret in (MARK.encode(), MARK[:6].encode(), encoded[:16]):
        assert secret not in stored
    lines = [line for line in stored.splitlines() if line.startswith(b'{"timestamp"') and line.endswith(b"}")]
    bodies = [json.loads(line)["body"] for line in lines]
    assert any(str(body).startswith("clean ") for body in bodies)
    assert any(str(body).startswith("password=[REDACTED] of ") for body in bodies)
    assert {"user": {"api_key": "[REDACTED]"}} in bodies
