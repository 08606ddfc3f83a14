"""The output and the dead letters on disks that fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.disks import HELPERS, account
from tests.faults.harness import bodies, conserve, run

pytestmark = pytest.mark.fault


class TestOutput:
    @pytest.mark.parametrize("when", ["from the start", "under way"])
    @pytest.mark.parametrize("rotated_at", ["0", "50000"])
    def test_a_full_disk(self, tmp_path: Path, small_disk: Path, when: str, rotated_at: str) -> None:
        """No room for the sidecar, a block or a rotated file: records wait in the spool, then all are there once."""
        (tmp_path / "out").symlink_to(small_disk / "out")
        (small_disk / "out").mkdir()
        run(
            tmp_path,
            HELPERS
            + f"WHEN = {when!r}\n"
            + """
ballast = fill(OUT) if WHEN == "from the start" else None
configure()
for i in range(500): say(f"first-{i}")
if ballast is None:
    assert queue_handler().flush(60)
    ballast = fill(OUT)
for i in range(2000): say(f"second-{i} " + "x" * 200)
wait(failing)
os.unlink(ballast)
for i in range(200): say(f"third-{i}")
assert queue_handler().flush(60)
report()
""",
            FAULT_MAX_BYTES=rotated_at,
        )
        assert account(tmp_path) == {}

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path) -> None:
        """The output reaches ``RLIMIT_FSIZE``: no half line stays, and all is there when it is lifted."""
        run(
            tmp_path,
            HELPERS
            + """
configure()
say("first")
assert queue_handler().flush(60)
limit(1 << 16)
for i in range(800): say_later(f"limited-{i} " + "x" * 200)
wait(failing)
limit(resource.RLIM_INFINITY)
assert queue_handler().flush(60)
report()
""",
        )
        assert account(tmp_path) == {}

    @pytest.mark.parametrize("when", ["from the start", "under way"])
    def test_permission_is_lost_and_given_back(self, tmp_path: Path, when: str) -> None:
        """A folder that may not be entered holds delivery, not the application."""
        run(
            tmp_path,
            HELPERS
            + f"WHEN = {when!r}\n"
            + """
forbid()
os.mkdir(OUT, 0o700)
if WHEN == "from the start":
    os.chmod(OUT, 0o500)
configure()
for i in range(100): say(f"first-{i}")
if WHEN == "under way":
    assert queue_handler().flush(60)
    os.chmod(OUT, 0)
for i in range(500): say(f"second-{i}")
wait(failing)
os.chmod(OUT, 0o700)
assert queue_handler().flush(60)
report()
""",
        )
        assert account(tmp_path) == {}

    def test_its_folder_is_deleted_under_way(self, tmp_path: Path) -> None:
        """Only the lines that somebody deleted are gone; later ones are in a new file, once each."""
        run(
            tmp_path,
            HELPERS
            + """
configure()
for i in range(100): say(f"deleted-{i}")
assert queue_handler().flush(60)
shutil.rmtree(OUT)
for i in range(500): say(f"kept-{i}")
assert queue_handler().flush(60)
""",
        )
        assert bodies(tmp_path) == Counter(f"kept-{i}" for i in range(500))

    def test_somebody_else_rotates_it(self, tmp_path: Path) -> None:
        """Logrotate's rename, and its rename with a new file: no line is lost or doubled."""
        run(
            tmp_path,
            HELPERS
            + """
configure()
stop = threading.Event()
def storm(n):
    i = 0
    while not stop.is_set():
        say(f"{n}-{i}"); i += 1
        time.sleep(0.0005)
threads = [threading.Thread(target=storm, args=(n,)) for n in range(2)]
for t in threads: t.start()
text = os.path.join(OUT, "app.jsonl")
for turn in range(6):
    wait(lambda: os.path.exists(text) and os.path.getsize(text) > 10000)
    os.rename(text, f"{text}.old{turn}")
    if turn % 2:
        os.close(os.open(text, os.O_WRONLY | os.O_CREAT, 0o600))
stop.set()
for t in threads: t.join()
assert queue_handler().flush(60)
""",
        )
        conserve(tmp_path)
        assert len(list((tmp_path / "out").glob("app.jsonl.old*"))) == 6


def test_dead_letters_wait_for_room(tmp_path: Path, small_disk: Path) -> None:
    """A refused record whose letter cannot be written is kept until it can be: one letter each."""
    run(
        tmp_path,
        HELPERS
        + """
import glob
class Refuses(logging.Formatter):
    def format(self, record):
        raise ValueError("refused on purpose")
changed = config(segment_bytes=1 << 18, max_bytes=1 << 21)
changed["formatters"] = {"refuses": {"()": Refuses}}
changed["handlers"]["file"]["formatter"] = "refuses"
logging.config.dictConfig(changed)
queue_handler().start()
wait(lambda: len(os.listdir(os.path.join(SPOOLS, queue_handler().health()["spool_id"]))) >= 3)
ballast = fill(os.path.dirname(SPOOLS))
for i in range(50): say(f"r-{i} " + "x" * 400)
wait(failing)
os.unlink(ballast)
assert queue_handler().flush(60)
letters = [json.loads(line) for path in glob.glob(os.path.join(SPOOLS, "dead-letters", "*")) for line in open(path)]
assert len({letter["uid"] for letter in letters}) == len(letters) == 50, len(letters)
assert {letter["record"]["body"].split()[0] for letter in letters} == {f"r-{i}" for i in range(50)}
assert file_status()["rejected"] == 50
""",
        OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
    )
