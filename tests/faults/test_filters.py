"""What filters made of a record stays so through a kill, for whoever delivers it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_stdlib.cli import main
from tests.faults.harness import run, settle
from tests.queue.test_handler import lines

_PROGRAM = """
import otel_stdlib
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers import JSONLFileHandler

class Redact(logging.Filter):
    def filter(self, record):
        record.msg = record.msg.replace("hunter2", "***")
        return "healthz" not in record.msg

files = [JSONLFileHandler(os.path.join(FOLDER, name)) for name in ("a.jsonl", "b.jsonl")]
queue = otel_stdlib.OTelQueueHandler(handlers=files)
log.setLevel(1)
log.addHandler(queue)
"""
_KILLED = """
DestinationWorker.start = lambda self: None  # nothing is delivered before the end
files[0].addFilter(Redact())
for text in ("GET /healthz", "password hunter2", "plain"):
    log.info(text)
os.kill(os.getpid(), signal.SIGKILL)
"""
_SUCCESSOR = """
queue.start()
deadline = time.monotonic() + 60
while sum(1 for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"]) if len(n) == 26) > 1:
    assert time.monotonic() < deadline, queue.health()
    time.sleep(0.01)
assert queue.stop(60)
"""


@pytest.mark.fault
def test_through_a_kill_and_another_process(tmp_path: Path) -> None:
    """What a filter dropped or changed is so for whoever delivers it, though that process has no filters."""
    assert -9 == run(tmp_path, _PROGRAM + _KILLED, check=False).returncode
    run(tmp_path, _PROGRAM + _SUCCESSOR)
    settle(tmp_path)
    assert ["password ***", "plain"] == [line["body"] for line in lines(tmp_path / "a.jsonl")]
    assert ["GET /healthz", "password hunter2", "plain"] == [
        line["body"] for line in lines(tmp_path / "b.jsonl")
    ]


def test_a_spool_shown_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``spool cat`` shows what a destination gets; without one, what a filter made of it."""
    run(
        tmp_path,
        _PROGRAM + _KILLED.replace("log.info(text)", "log.info(text)\nfiles[1].name = 'b'"),
        check=False,
    )
    monkeypatch.setenv("OTEL_STDLIB_SPOOL_DIR", str(tmp_path / "spools"))

    def shown(*arguments: str) -> list[str]:
        assert 0 == main(["spool", *arguments])
        return [json.loads(line)["body"] for line in capsys.readouterr().out.splitlines()]

    assert ["GET /healthz", "password ***", "plain"] == shown("cat")
    assert 0 == main(["spool", "ls"])
    out = capsys.readouterr().out
    assert "a.jsonl): 2 waiting" in out
    assert "b.jsonl): 3 waiting" in out
