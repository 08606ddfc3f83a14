"""A process is killed between every two of its system calls, in the middle of each write, and at random."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.handlers.jsonl.support import run

pytestmark = pytest.mark.fault

# The forks happen in a child with one thread. ``steps`` makes the n-th call that changes a file the
# last one: not made at all, or, a write, made in half.
STEPS = """
import shutil, signal, tempfile
from otel_stdlib.facts.counters import Counters
from otel_stdlib.handlers.jsonl import BlockFile
from otel_stdlib.handlers.jsonl.compress import Compressor

os.fdatasync = os.fsync = lambda fd: None  # counted, but it is not the disk that dies here
WRITES = ("write", "pwrite", "writev")
OTHERS = ("open", "rename", "unlink", "ftruncate", "fdatasync", "fsync", "mkdir")
real = {name: getattr(os, name) for name in (*WRITES, *OTHERS)}

def half(name, arguments):
    fd, data, *rest = arguments
    data = b"".join(data) if name == "writev" else bytes(data)
    real["write" if name == "writev" else name](fd, data[: len(data) // 2], *rest)

def arm(last, in_half):
    count = 0
    def wrap(name):
        def call(*arguments, **kwargs):
            nonlocal count
            count += name in WRITES or not in_half
            if count == last:
                if in_half:
                    half(name, arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return real[name](*arguments, **kwargs)
        setattr(os, name, call)
    for name in real:
        wrap(name)

def compress(options):
    file = BlockFile(options)
    Compressor(options, Counters()).compress_all(file)
    file.close()

def forked(body, last, in_half):
    child = os.fork()
    if child == 0:
        try:
            arm(last, in_half)
            body()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    return os.waitpid(child, 0)[1]

def enumerate_steps(before, body, after):
    rounds = 0
    for in_half in (False, True):
        last = 0
        status = signal.SIGKILL
        while status == signal.SIGKILL:
            last += 1
            folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
            before(folder / "logs" / "app.jsonl")
            status = forked(lambda: body(folder / "logs" / "app.jsonl"), last, in_half)
            assert status in (0, signal.SIGKILL), (last, status)
            try:
                after(folder / "logs" / "app.jsonl")
            except BaseException:
                print("at step", last, "in half" if in_half else "", file=sys.stderr)
                raise
            shutil.rmtree(folder)
            rounds += 1
    print(rounds)
"""


def test_killed_at_every_step_of_writing_rotating_and_forgetting(tmp_path: Path) -> None:
    """From an empty folder on: whatever was delivered before is there once, the rest follows once."""
    rounds = run(
        STEPS
        + """
options = dict(max_bytes=700, backup_count=50)

def before(target):
    pass

def body(target):
    file = destination(target, **options)
    for first in range(0, 20, 10):
        file.deliver(batch(first, 10))
        file.deliver(batch(first, 3, 1))
        if first == 0:
            file.forget(batch(0, 1, 2).origin)
            file.deliver(batch(0, 1, 2))
            file.forget(batch(0, 1, 2).origin)
    file.close()

def after(target):
    file = destination(target, **options)
    for number, whole in ((0, batch(0, 20)), (1, batch(10, 3, 1))):
        begin = max(file.position(whole.origin) or 0, whole.start if number == 0 else 0)
        frames = [f for f in (batch(0, 3, 1).frames if number else []) + whole.frames if f.lsn >= begin]
        file.deliver(Batch(whole.origin, frames, begin, whole.end))
    file.close()
    found = uids(target)
    for uid in expected([batch(0, 1, 2)]):
        assert found.pop(uid, 1) == 1
    assert found == expected([batch(0, 20), batch(0, 3, 1), batch(10, 3, 1)]), found
    for path in files(target):
        assert path.stat().st_size <= 700

enumerate_steps(before, body, after)
""",
        tmp_path,
    )
    assert int(rounds) > 100


@pytest.mark.long
def test_killed_at_every_step_of_compressing(tmp_path: Path) -> None:
    """Every record is in one file, compressed or not; what is left over is cleared away."""
    rounds = run(
        STEPS
        + """
options = dict(max_bytes=700, backup_count=50, compress=True)

def before(target):
    file = JSONLDestination(JSONLOptions(target, **{**options, "compress": False}))
    file.deliver(batch(0, 20))
    file.close()

def body(target):
    made = JSONLOptions(target, **options)
    compress(made)
    file = JSONLDestination(JSONLOptions(target, **{**options, "compress": False}))
    file.deliver(batch(20, 10))
    file.close()
    compress(made)

def after(target):
    file = JSONLDestination(JSONLOptions(target, **{**options, "compress": False}))
    file.open()
    begin = file.position(batch(0, 1).origin)
    file.deliver(Batch(batch(0, 1).origin, [f for f in batch(0, 30).frames if f.lsn >= begin], begin, 1 << 33))
    file.close()
    assert uids(target) == expected([batch(0, 30)])
    compress(JSONLOptions(target, **options))
    assert uids(target) == expected([batch(0, 30)])
    names = {path.name for path in target.parent.iterdir()} - {"app.jsonl", ".app.jsonl.otel-stdlib"}
    assert all(name.endswith(".gz") for name in names), names

enumerate_steps(before, body, after)
""",
        tmp_path,
    )
    assert int(rounds) > 100


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_killed_at_every_step_of_a_repair(tmp_path: Path, damage: str) -> None:
    """A repair of a damaged or cut sidecar that is killed begins again; no record is lost or doubled."""
    rounds = run(
        STEPS
        + """
def before(target):
    file = destination(target)
    for number in range(3):
        file.deliver(batch(0, 4, number))
    file.close()
    sidecar = target.with_name(".app.jsonl.otel-stdlib")
    data = bytearray(sidecar.read_bytes())
    if sys.argv[2] == "flipped":
        data[384 + 64 + 20] ^= 1     # the first spool's newest copy
        data[384 + 128 + 20] ^= 1    # both of the second one's
        data[384 + 128 + 64 + 20] ^= 1
    else:
        del data[384 + 128 + 9 :]    # the last two spools' entries
    sidecar.write_bytes(data)

def body(target):
    file = destination(target)
    file.close()

def after(target):
    file = destination(target)
    for number in range(3):
        file.deliver(batch(0, 5, number))
    file.close()
    assert uids(target) == expected([batch(0, 5, number) for number in range(3)])

enumerate_steps(before, body, after)
""",
        tmp_path,
        damage,
    )
    assert int(rounds) > 20


@pytest.mark.long
def test_killed_at_random_inside_large_writes(tmp_path: Path) -> None:
    """Forty writers of 2 MB blocks die at a seeded moment of a write; each record is there once, each line whole."""
    out = run(
        """
import random, signal, time
target = Path(sys.argv[1]) / "app.jsonl"
moment = random.Random(7)
settled = undone = 0
for round in range(40):
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        file = destination(target, max_bytes=40 << 20, backup_count=99)
        begin = file.position(batch(0, 1).origin)
        first = 0 if begin is None else (begin - (1 << 32) - 64) // STEP
        write, left = os.writev, [moment.randint(1, 4)]
        def aimed(fd, data):
            # Some blocks are written in peace; in the middle of a later one the parent kills.
            left[0] -= 1
            if left[0] == 0:
                os.write(tell, b"x")
            return write(fd, data)
        os.writev = aimed
        while True:
            file.deliver(batch(first, 600, size=4000))
            first += 600
    moment.random()
    os.read(ready, 1)
    time.sleep(moment.random() * 0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready), os.close(tell)
    file = destination(target, max_bytes=40 << 20, backup_count=99)
    settled += file.counters.get("blocks_settled")
    undone += file.counters.get("blocks_undone")
    file.close()
found = uids(target)
file = destination(target)
end = (file.position(batch(0, 1).origin) - (1 << 32) - 64) // STEP
assert found == expected([batch(0, end)]), (len(found), end)
print(settled, undone, end)
""",
        tmp_path,
    )
    settled, undone, _ = map(int, out.split())
    assert settled + undone > 0
