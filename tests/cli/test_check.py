"""``otel-stdlib check``, as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

GOOD = """
logger:
  service_name: shop
  levels: {urllib3: WARNING}
  reload: {watch: true, interval: 2}
  backends:
    - backend_type: filesystem
      level: INFO
      config: {log_file: ./out/shop.jsonl}
    - backend_type: postgres
      config: {host: db, database: logs, user: me, password: "${PG_PASSWORD}"}
"""
BAD = """
logger:
  log_levl: INFO
  backends:
    - backend_type: elastic
    - backend_type: filesystem
      config:
        log_file: ./out/shop.jsonl
        max_bytes: -5
    - backend_type: postgres
      config: {host: db, database: logs, user: me, password: $NOT_SET}
"""


def check(folder: Path, text: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it over a file in ``folder``; None: there is no file."""
    if text is not None:
        (folder / "c.yaml").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "otel_stdlib.cli", "check", "c.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PG_PASSWORD": "hunter2-hunter2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """Without an empty one behind it."""
    done = check(tmp_path, None)
    assert (1, "c.yaml: there is no such file\n") == (done.returncode, done.stdout)


def test_the_command_says_its_version() -> None:
    """The installed package's."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_stdlib.cli", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "otel_stdlib") == (done.returncode, done.stdout.split()[0])


def test_a_good_one(tmp_path: Path) -> None:
    """Status 0, what it would do, no secret, and nothing is made."""
    done = check(tmp_path, GOOD)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    for part in (
        "service shop",
        "urllib3 at WARNING",
        "every 2 s",
        "filesystem",
        "shop.jsonl",
        "from INFO on",
    ):
        assert part in done.stdout
    assert "c.yaml: nothing is wrong" in done.stdout
    assert "hunter2" not in done.stdout
    assert ["c.yaml"] == os.listdir(tmp_path)
    assert "" == check(tmp_path, GOOD, "--quiet").stdout


def test_a_bad_one(tmp_path: Path) -> None:
    """Status 1, and every problem with its line and option."""
    done = check(tmp_path, BAD)
    assert (1, "") == (done.returncode, done.stderr)
    for line, option in ((3, "log_levl"), (5, "backend_type"), (9, "max_bytes"), (11, "password")):
        (found,) = [each for each in done.stdout.splitlines() if each.startswith(f"c.yaml:{line}:")]
        assert option in found


def test_a_document_for_dict_config(tmp_path: Path) -> None:
    """The package's own ``logging.yaml``, and one with a wrong option."""
    text = (ROOT / "logging.yaml").read_text(encoding="utf-8")
    done = check(tmp_path, text)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "logger root at" in done.stdout
    assert "handler queue: otel_stdlib.OTelQueueHandler to file" in done.stdout
    nobody = (
        "version: 1\nhandlers:\n  queue:\n    (): otel_stdlib.OTelQueueHandler\n    handlers: []\n"
        "root: {handlers: [queue]}\n"
    )
    done = check(tmp_path, nobody)
    assert 1 == done.returncode
    assert "c.yaml:5:5: handlers.queue.handlers: a queue handler needs at least one handler" in done.stdout
    bad = "version: 1\nhandlers:\n  f:\n    class: otel_stdlib.handlers.JSONLFileHandler\n    filenam: x\n"
    done = check(tmp_path, bad)
    assert 1 == done.returncode
    assert "filenam" in done.stdout


@pytest.mark.parametrize(
    "text",
    [None, "", "- a\n- b\n", "logger: &a {x: *a}\n", "logger: [1", "other: 1\n"],
    ids=["missing", "empty", "a list", "cyclic", "broken", "no section"],
)
def test_no_configuration_at_all(tmp_path: Path, text: str | None) -> None:
    """Status 1 and one line that names the file."""
    done = check(tmp_path, text, "--quiet")
    assert (1, "") == (done.returncode, done.stderr)
    assert "c.yaml" in done.stdout


def test_a_wrong_command_line(tmp_path: Path) -> None:
    """Status 2, as argparse has it."""
    assert 2 == check(tmp_path, GOOD, "--no-such-option").returncode
