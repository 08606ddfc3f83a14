"""What becomes of records when a file cannot be written, is moved or is replaced: each row of the table of answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disks import HELPERS
from tests.handlers.jsonl.support import run
from tests.proof.answers import LETTER, STORED, WAITS, rows_of

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(sys.platform != "linux", reason="limits, permissions and mounts of Linux"),
]

ROWS = rows_of("JSONL")
#: Logs through a handler, does what the case says, and looks at the file, at health and at the letters.
PROGRAM = """
import io, json, logging, os, resource, shutil, sys, time
from pathlib import Path
import dataclasses
from otel_stdlib.handlers import JSONLFileHandler
from tests.support import eventually
FOLDER, HAPPENS, REPORTED = sys.argv[1:4]
os.environ["OTEL_STDLIB_SPOOL_DIR"] = os.path.join(FOLDER, "spool")
OUT = Path(FOLDER) / "out"
OUT.mkdir(exist_ok=True)
FILE = OUT / "app.jsonl"
stderr, sys.stderr = sys.stderr, io.StringIO()
class Picky(logging.Formatter):
    def format(self, record):
        if "bad" in record.getMessage():
            raise ValueError("cannot be rendered")
        return json.dumps({"body": record.getMessage()})
class Quick(JSONLFileHandler):
    @property
    def policy(self):
        pauses = {"retry_delay": 0.02, "max_retry_delay": 0.1, "health_check_interval": 0.1}
        breaker = {"max_retries": 2, "circuit_breaker_threshold": 2, "circuit_breaker_timeout": 0.1}
        return dataclasses.replace(super().policy, **pauses, **breaker)
if FORBIDDEN: forbid()  # before there are threads, which have rights of their own
handler = Quick(FILE, **OPTIONS)
if PICKY: handler.setFormatter(Picky())
log = logging.Logger("app")
log.addHandler(handler)
def status():
    (found,) = handler.health()["destinations"].values()
    return found
def bodies():
    found = []
    for path in OUT.glob("app.jsonl*"):
        if path.is_file() and not path.is_symlink():
            found += [json.loads(line)["body"] for line in path.read_text().splitlines()]
    return sorted(found)
for number in range(10): log.info("%02d", number)
assert handler.flush(30), status()
begin()
for number in range(10, 60): log.info("%02d %s", number, "bad" if PICKY and number == 42 else "x" * 200)
if HAPPENS == "waits":
    eventually(lambda: REPORTED in str(status()["last_error"]), 30)
    eventually(lambda: status()["circuit_breaker"] != "closed", 30)
    eventually(lambda: REPORTED in sys.stderr.getvalue(), 30)
    assert status()["failing"] and not handler.flush(0.1), status()
end()
assert handler.flush(30), status()
assert status()["rejected"] == (HAPPENS == "dead letter"), status()
if HAPPENS == "dead letter":
    (letters,) = Path(FOLDER).glob("spool/dead-letters/*")
    (letter,) = letters.read_text().splitlines()
    assert REPORTED in letter, letter
elif HAPPENS == "stored":
    assert REPORTED in sys.stderr.getvalue()
later = [n for n in range(10, 60) if not (PICKY and n == 42)]
kept = [f"{n:02d}" for n in range(KEPT_FROM, 10)] + [f"{n:02d} " + "x" * 200 for n in later]
assert bodies() == kept, (len(bodies()), len(kept))
assert handler.stop(10)
"""
DEFAULTS = "OPTIONS, PICKY, FORBIDDEN, KEPT_FROM = {}, False, False, 0\ndef begin(): pass\ndef end(): pass\n"
_LIMIT = """
def begin(): resource.setrlimit(resource.RLIMIT_FSIZE, (FILE.stat().st_size + 1000, hard))
def end(): resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
import resource
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
"""
#: What happens to the file, and what ends it.
WAITING = {
    "size_limit": _LIMIT,
    "folder_in_place": "KEPT_FROM = 10\ndef begin(): FILE.unlink(); FILE.mkdir()\ndef end(): FILE.rmdir()",
    "link_in_place": (
        "KEPT_FROM = 10\ndef begin(): FILE.unlink(); FILE.symlink_to('/nowhere')\ndef end(): FILE.unlink()"
    ),
    "pipe_in_place": "KEPT_FROM = 10\ndef begin(): FILE.unlink(); os.mkfifo(FILE)\ndef end(): FILE.unlink()",
    "folder_closed": "FORBIDDEN = True\ndef begin(): OUT.chmod(0)\ndef end(): OUT.chmod(0o700)",
    "folder_read_only": (
        "FORBIDDEN, KEPT_FROM = True, 10\ndef begin(): FILE.unlink(); OUT.chmod(0o500)\ndef end(): OUT.chmod(0o700)"
    ),
    "folder_is_file": (
        "KEPT_FROM = 10\ndef begin(): shutil.rmtree(OUT); OUT.write_text('')\ndef end(): OUT.unlink()"
    ),
}
STORED_ALL_THE_SAME = {
    "rotated": "def begin(): FILE.rename(OUT / 'app.jsonl-old')",
    "rotated_new": "def begin(): FILE.rename(OUT / 'app.jsonl-old'); FILE.touch()",
    "truncated": "KEPT_FROM = 10\ndef begin(): os.truncate(FILE, 0)",
    "deleted": "KEPT_FROM = 10\ndef begin(): FILE.unlink()",
    "folder_deleted": "KEPT_FROM = 10\ndef begin(): shutil.rmtree(OUT)",
    "read_only_rotation": (
        "OPTIONS = {'max_bytes': 3000, 'backup_count': 50}\n"
        "FORBIDDEN = True\ndef begin(): OUT.chmod(0o500)\ndef end(): OUT.chmod(0o700)"
    ),
}


def told(key: str, happens: str, case: str, folder: Path) -> None:
    """Run the program of a case; what it finds is what the row says."""
    row = ROWS[key]
    assert row.happens == happens
    helpers = HELPERS.replace('os.environ["OTEL_STDLIB_SPOOL_DIR"]', "''").replace("OUT = ", "_ = ")
    head = f"import os, sys, time, shutil\nFOLDER = sys.argv[1]\n{helpers}"
    run(f"{head}\n{DEFAULTS}{case}\n{PROGRAM}", folder, happens, row.reported)


@pytest.mark.parametrize("key", WAITING)
def test_records_wait(tmp_path: Path, key: str) -> None:
    """None is given up, the breaker opens, it is reported; when the cause is gone all are stored once."""
    told(key, WAITS, WAITING[key], tmp_path)


@pytest.mark.parametrize("key", STORED_ALL_THE_SAME)
def test_records_are_stored_all_the_same(tmp_path: Path, key: str) -> None:
    """Each once: lines that others deleted are gone, and no other."""
    told(key, STORED, STORED_ALL_THE_SAME[key], tmp_path)


def test_a_record_that_the_formatter_refuses(tmp_path: Path) -> None:
    """It alone is a dead letter."""
    told("formatter", LETTER, "PICKY = True", tmp_path)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A folder whose ``out`` is a file system of 256 KB."""
    out = tmp_path / "out"
    out.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(out)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a file system")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(out)], check=True)


def test_a_full_disk(mounted: Path) -> None:
    """The same for a file system."""
    told("disk_full", WAITS, "def begin(): fill(OUT)\ndef end(): os.unlink(OUT / 'ballast')", mounted)
