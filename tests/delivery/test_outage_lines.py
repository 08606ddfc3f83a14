"""What stderr says of an outage: what waits, why, and that it is over."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_stdlib
from otel_stdlib.delivery.sources import LiveSource
from otel_stdlib.handlers import JSONLFileHandler
from tests.support import eventually
from tests.tree import ROOT


@pytest.fixture
def handler(tmp_path: Path) -> JSONLFileHandler:
    """One that cannot write: a file lies where its folder should be."""
    (tmp_path / "logs").write_text("in the way")
    return JSONLFileHandler(tmp_path / "logs" / "a.jsonl")


def log(handler: logging.Handler, count: int, text: str = "x") -> None:
    """So many records."""
    for _ in range(count):
        handler.handle(logging.LogRecord("outage", logging.INFO, __file__, 1, text, (), None))


def heard(capsys: pytest.CaptureFixture[str]) -> Callable[[str], bool]:
    """A question about everything that was written to stderr until now."""
    lines: list[str] = []

    def ask(pattern: str) -> bool:
        lines.append(capsys.readouterr().err)
        return re.search(pattern, "".join(lines)) is not None

    return ask


def test_an_outage_and_its_end(
    tmp_path: Path, handler: JSONLFileHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, with the number of records and the age of the oldest."""
    said = heard(capsys)
    log(handler, 140)
    eventually(
        lambda: said(
            r"jsonl does not take records; \d+ records, the oldest for \d+ s wait in the spool\. \w+: .*logs"
        ),
        60,
    )
    assert (140, True) == tuple(
        handler.health()["destinations"]["jsonl"][key] for key in ("lag_records", "lag_records_exact")
    )
    (tmp_path / "logs").unlink()
    assert handler.flush(60)
    eventually(lambda: said(r"jsonl takes records again; 140 waited, oldest \d+ s\n"), 60)
    log(handler, 3)
    assert handler.flush(60)
    assert handler.stop(60)
    assert not said(r"(?s)takes records again.*takes records again")
    assert 0 == handler.pipeline.snapshot().get("lag_records", 0)


def test_a_large_backlog_is_estimated(handler: JSONLFileHandler) -> None:
    """And the report says so."""
    log(handler, 6_000, "y" * 700)
    status = handler.health()["destinations"]["jsonl"]
    assert status["lag_records_exact"] is False
    assert status["lag_records"] == pytest.approx(6_000, rel=0.1)
    handler.stop(0)


def test_a_backlog_that_grows_while_it_is_counted(
    handler: JSONLFileHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is estimated from one state of the spool."""
    log(handler, 3_000, "y" * 700)
    look = LiveSource.look
    more = [6_000]

    def growing(self: LiveSource, start: int, size: int) -> Iterator[Any]:
        for piece in look(self, start, size):
            log(handler, more.pop() if more else 0, "y" * 700)
            yield piece

    monkeypatch.setattr(LiveSource, "look", growing)
    status = handler.health()["destinations"]["jsonl"]
    assert not more
    assert status["lag_records"] == pytest.approx(9_000, rel=0.1)
    handler.stop(0)


def test_close_of_the_facade_reports_what_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line: how many records, for which backend, and the last error."""
    (tmp_path / "logs").write_text("in the way")
    monkeypatch.chdir(tmp_path)
    logger = otel_stdlib.configure_logger(
        strict=True, backends=[{"backend_type": "filesystem", "config": {"log_file": "logs/a.jsonl"}}]
    )
    for _ in range(3):
        logger.info("left behind")
    assert not logger.close(1.0)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "wait in the spool (" in line]
    assert re.fullmatch(
        r"otel_stdlib: queue: 3 records for filesystem wait in the spool \(last error: \w+: .*logs.*\)\. "
        r"The next process delivers them from [0-9A-Z]{26}",
        line,
    ), line
    assert logger.close()
    assert "" == capsys.readouterr().err


def test_the_end_of_a_process_says_what_waits_and_why(tmp_path: Path) -> None:
    """The same line, from the exit hook."""
    (tmp_path / "logs").write_text("in the way")
    program = (
        "import logging\nfrom otel_stdlib.handlers import JSONLFileHandler\n"
        "logging.getLogger().addHandler(JSONLFileHandler('logs/a.jsonl', shutdown_timeout=0.5))\n"
        "logging.warning('one')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OTEL_STDLIB_SPOOL_DIR": str(tmp_path / "spool"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.search(
        r"jsonl: 1 record for jsonl waits in the spool \(last error: \w+: .*logs", done.stderr
    ), done.stderr
