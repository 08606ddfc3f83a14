"""Programs that fill, limit and lock their disks, and the account at the end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.faults.harness import accepted, bodies

HELPERS = """
import errno, json, shutil, resource
SPOOLS = os.environ["OTEL_STDLIB_SPOOL_DIR"]
OUT = os.path.join(FOLDER, "out")
def fill(folder):
    # Every last block of the small disk.
    path = os.path.join(folder, "ballast")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    for size in (1 << 16, 1 << 12, 1):
        try:
            while True: os.write(fd, bytes(size))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    os.close(fd)
    return path
def wait(predicate, seconds=30):
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, queue_handler().health()
        time.sleep(0.01)
def file_status():
    return queue_handler().health()["destinations"]["file"]
def failing():
    return file_status()["last_error"] is not None
def forbid():
    # Root obeys permissions like anybody without these two capabilities (1: DAC_OVERRIDE, 2: DAC_READ_SEARCH).
    # Another uid would not do: it may not be able to read the interpreter's own files.
    if os.geteuid():
        return
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    for n in range(3):
        sets[n] &= ~0b110
    assert libc.capset(header, sets) == 0
    probe = os.path.join(FOLDER, "probe")
    os.mkdir(probe, 0)
    assert not os.access(probe, os.R_OK, effective_ids=True)
    os.rmdir(probe)
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
def log_until_the_disk_works():
    # In steps: of a burst right after the outage everything may still be shed, and counted.
    n = 0
    deadline = time.monotonic() + 30
    while queue_handler().health()["disk_error"]:
        for _ in range(100):
            say(f"works-{n} " + "x" * 400)
            n += 1
        time.sleep(0.01)
        assert time.monotonic() < deadline, queue_handler().health()
_later = []
def say_later(body):
    # The acknowledgements' own file is under the limit too.
    log.info(body)
    _later.append(body + "\\n")
def report():
    os.write(_ack, "".join(_later).encode())
    with open(os.path.join(FOLDER, "report.json"), "w") as file:
        json.dump(queue_handler().health(), file)
"""


def account(folder: Path) -> dict[str, int]:
    """Every offered record is in the file once, or counted with its reason; the losses by reason."""
    health = json.loads((folder / "report.json").read_text())
    lost = {reason: sum(by.values()) for reason, by in health["dropped"].items()}
    there, offered = bodies(folder), accepted(folder)
    assert [] == [body for body, count in there.items() if count > 1]
    assert Counter() == there - offered
    assert offered.total() == there.total() + sum(lost.values()), lost
    return lost
