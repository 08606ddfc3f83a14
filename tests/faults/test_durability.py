"""What a returned log call promises: ``process``, ``os``, ``record``, ``memory``.

A dropped page cache cannot be had here. What the disk was told to keep, and when, is seen
instead by standing between the package and ``os.fdatasync``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.harness import conserve, run, settle, spools

pytestmark = pytest.mark.fault

#: Notes each sync of a segment: begin, end, number, and what was published when it began, which it covers.
WATCH = """
import json
real = os.fdatasync
syncs = []
def fdatasync(fd):
    began = time.monotonic()
    name = os.readlink(f"/proc/self/fd/{fd}")
    generation = logging.getLogger().handlers[0].pipeline._generation
    published = generation.spool.published if generation else 0
    real(fd)
    if name.endswith(".seg"):
        syncs.append((began, time.monotonic(), int(os.path.basename(name)[:8], 16), published))
os.fdatasync = fdatasync
def spool():
    return queue_handler().pipeline._generation.spool
"""

linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads names of descriptors from /proc")


@linux
def test_os_covers_every_record_by_a_sync_soon_after(tmp_path: Path) -> None:
    """Each record's segment is synced after it was accepted, within the interval and a tolerance."""
    run(
        tmp_path,
        WATCH
        + """
import otel_stdlib
INTERVAL = 0.2
gate = threading.Event()
class Stopped(logging.Handler):
    # What is delivered is synced by the destination, and its segment goes: here nothing is delivered.
    def handle(self, record):
        gate.wait(60)
spool_options = {"durability": "os", "sync_interval": INTERVAL, "segment_bytes": 1 << 16}
logging.getLogger().addHandler(otel_stdlib.OTelQueueHandler(handlers=[Stopped()], spool=spool_options))
logging.getLogger().setLevel("INFO")
accepted = []
start = time.monotonic()
i = 0
while time.monotonic() < start + 2 or accepted[-1][1] >> 32 < 5:
    say(f"r-{i} " + "x" * 300)
    accepted.append((time.monotonic(), spool().published))
    i += 1
    time.sleep(0.001)
last = accepted[-1][1]
deadline = time.monotonic() + 20
while spool().synced < last:
    time.sleep(0.01)
    assert time.monotonic() < deadline
segments = len({lsn >> 32 for _, lsn in accepted})
assert segments > 3, "the records span segments"
rounds = (time.monotonic() - start) / INTERVAL + 1
late = []
for at, lsn in accepted:
    # The first sync of its segment that began when it was published.
    covered = min((done for _, done, number, upto in syncs if number == lsn >> 32 and upto >= lsn), default=None)
    assert covered is not None, (at, lsn)
    late.append(covered - at)
# A generous tolerance: the machine may be busy. A missing sync would be seconds, or none at all.
assert max(late) < INTERVAL + 20, max(late)
assert len(syncs) <= rounds + segments + 1, "syncs are by interval, not by record"
gate.set()
""",
    )


@linux
def test_os_says_how_far_the_disk_is_and_never_too_far(tmp_path: Path) -> None:
    """``synced`` moves only behind what had been published before the sync began."""
    run(
        tmp_path,
        WATCH
        + """
configure(durability="os", sync_interval=0.05, segment_bytes=1 << 16)
say("first")
faults = []
inner = os.fdatasync
def slow(fd):
    name = os.readlink(f"/proc/self/fd/{fd}")
    if name.endswith(".seg"):
        before = spool().synced
        published = spool().published
        inner(fd)
        if spool().synced != before:
            faults.append("moved inside a sync")
os.fdatasync = slow
deadline = time.monotonic() + 30
for i in range(500):
    say(f"r-{i} " + "x" * 300)
    if spool().synced > spool().published:
        faults.append("beyond what is published")
    if i % 50 == 0:
        time.sleep(0.05)
last = spool().published
while spool().synced < last:
    time.sleep(0.01)
    assert time.monotonic() < deadline
assert not faults, faults
""",
    )
    conserve(tmp_path)


@linux
def test_process_syncs_nothing(tmp_path: Path) -> None:
    """The default makes no promise against a power cut and pays for none."""
    run(
        tmp_path,
        WATCH + "configure()\nfor i in range(500): say(f'r-{i}')\ntime.sleep(0.3)\nassert syncs == []",
    )
    conserve(tmp_path)


@linux
def test_record_returns_after_the_disk_has_it(tmp_path: Path) -> None:
    """Each log call makes one sync of its segment between its begin and its return."""
    run(
        tmp_path,
        WATCH
        + """
configure(durability="record", segment_bytes=1 << 16)
say("first")
for i in range(300):
    count = len(syncs)
    begin = time.monotonic()
    say(f"r-{i} " + "x" * 300)
    end = time.monotonic()
    mine = [s for s in syncs[count:] if begin <= s[0] and s[1] <= end]
    assert len(mine) == 1, (i, syncs[count:])
def storm(n):
    for i in range(50): say(f"t{n}-{i}")
count = len(syncs)
threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert len(syncs) - count == 200
""",
    )
    conserve(tmp_path)


def test_record_raises_to_the_caller_when_the_disk_refuses(tmp_path: Path) -> None:
    """A sync that fails is the caller's to know, and so is a spool without room."""
    run(
        tmp_path,
        """
import errno
configure(durability="record", segment_bytes=1 << 16)
say("good")
real = os.fdatasync
def refuse(fd): raise OSError(errno.EIO, "Input/output error")
os.fdatasync = refuse
try:
    log.info("refused")
except OSError as error:
    assert error.errno == errno.EIO
else:
    raise SystemExit("no error")
os.fdatasync = real
say("good again")
""",
    )
    settle(tmp_path)
    conserve(tmp_path, in_flight=1)  # the refused one is in the page cache all the same


def test_record_raises_when_the_file_may_not_grow(tmp_path: Path) -> None:
    """With a limit on file sizes no segment can be made: the caller gets the system's error each time."""
    run(
        tmp_path,
        """
import resource
configure(durability="record", segment_bytes=1 << 20)
say("good")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
raised = 0
for i in range(3000):
    try:
        log.info("r-%d %s", i, "x" * 1000)
    except Exception as error:
        raised += 1
        kinds = type(error).__name__
        assert isinstance(error, OSError) or kinds == "SpoolFull", error
assert raised > 0
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
""",
    )


def test_memory_leaves_nothing_on_disk(tmp_path: Path) -> None:
    """No file beside the destination's: neither while it runs nor after a kill; an orderly end delivers."""
    run(
        tmp_path,
        """
configure(durability="memory")
for i in range(500): say(f"r-{i}")
place = os.environ["OTEL_STDLIB_SPOOL_DIR"]
assert not os.path.exists(place) or os.listdir(place) == []
assert queue_handler().health()["in_memory"] is True
""",
    )
    conserve(tmp_path)
    run(
        tmp_path,
        """
configure(durability="memory")
for i in range(500): log.info("k-%d", i)
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    assert spools(tmp_path) == []
