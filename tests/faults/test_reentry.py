"""Log calls inside log calls: signal handlers, finalizers, objects that log while they are rendered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.harness import accepted, bodies, conserve, run, settle, spools

pytestmark = pytest.mark.fault


def check(folder: Path, *, in_flight: int = 0) -> None:
    """What was acknowledged is there once and whole, and no spool is left."""
    settle(folder)
    conserve(folder, in_flight=in_flight)
    assert spools(folder) == []


@pytest.mark.parametrize("durability", ["process", "os"])
def test_a_signal_handler_logs_in_the_middle_of_log_calls(tmp_path: Path, durability: str) -> None:
    """A timer fires at changing distances inside the main thread's log calls, and its handler logs."""
    run(
        tmp_path,
        f"configure(durability={durability!r}, segment_bytes=1 << 16)"
        + """
fired, armed = 0, True
def on_alarm(number, frame):
    global fired
    fired += 1
    say(f"signal-{fired}")
    if armed:
        signal.setitimer(signal.ITIMER_REAL, 0.00005 + (fired * 37 % 400) * 1e-6)
signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.0001)
other = threading.Thread(target=lambda: [say(f"thread-{i}") for i in range(2000)])
other.start()
i = 0
deadline = time.monotonic() + 30
while (fired < 300 or i < 3000) and time.monotonic() < deadline:
    say(f"main-{i}")
    i += 1
armed = False  # one that came before the timer ended is handled after, and must not start it again
signal.setitimer(signal.ITIMER_REAL, 0)
other.join()
assert fired >= 300, fired
""",
    )
    check(tmp_path)
    found = bodies(tmp_path)
    assert sum(1 for body in found if body.startswith("signal-")) >= 300
    assert accepted(tmp_path).total() >= 5300


def test_a_signal_handler_that_raises_out_of_log_calls(tmp_path: Path) -> None:
    """An exception thrown into a log call costs at most that call; logging goes on, and nothing is torn."""
    run(
        tmp_path,
        """
configure(segment_bytes=1 << 16)
class Cut(BaseException): pass
cuts = 0
def on_alarm(number, frame):
    raise Cut
signal.signal(signal.SIGALRM, on_alarm)
i = 0
deadline = time.monotonic() + 30
while cuts < 200 and time.monotonic() < deadline:
    try:
        # In here until it comes, however late: again where something has swallowed it.
        while time.monotonic() < deadline:
            signal.setitimer(signal.ITIMER_REAL, 0.00003 + (i * 13 % 200) * 1e-6)
            for _ in range(50):
                i += 1
                log.info("cut-%d", i)
    except Cut:
        cuts += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert cuts >= 200, cuts
for n in range(500): say(f"after-{n}")
assert queue_handler().flush(60) is True
""",
    )
    settle(tmp_path)
    found = bodies(tmp_path)
    assert [body for body, count in found.items() if count > 1] == []
    assert all(found[f"after-{n}"] == 1 for n in range(500))
    assert Counter() == accepted(tmp_path) - found


def test_finalizers_log_in_the_middle_of_log_calls(tmp_path: Path) -> None:
    """The collector runs inside log calls and its finalizers log: outer and inner records are whole."""
    run(
        tmp_path,
        """
import gc
configure(segment_bytes=1 << 16)
import itertools
numbers, finalized = itertools.count(1), []
class Cycle:
    def __init__(self):
        self.number = next(numbers)
        self.me = self
    def __del__(self, say=say):
        finalized.append(self.number)
        say(f"finalizer-{self.number}")
class Dies:
    # Its last reference goes inside the log call, by reference count.
    def __init__(self, number): self.number = number
    def __str__(self): return f"dies-{self.number}"
    def __del__(self, say=say): say(f"died-{self.number}")
gc.set_threshold(5, 2, 2)
def storm(n):
    for i in range(500):
        Cycle()
        say(f"outer-{n}-{i}")
threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
for t in threads: t.start()
for i in range(300):
    log.info("%s", Dies(i))
for t in threads: t.join()
deadline = time.monotonic() + 60
while len(finalized) < 2000 and time.monotonic() < deadline:
    gc.collect()  # does nothing while another thread's collection is under way
gc.set_threshold(700, 10, 10)
assert sorted(finalized) == list(range(1, 2001)), len(finalized)
""",
    )
    check(tmp_path, in_flight=300)
    found = bodies(tmp_path)
    assert all(found[f"finalizer-{n}"] == 1 for n in range(1, 2001))
    assert all(found[f"dies-{n}"] == found[f"died-{n}"] == 1 for n in range(300))


def test_objects_that_log_while_they_are_rendered(tmp_path: Path) -> None:
    """``__str__``, ``__repr__`` and ``__len__`` that log, in the message and in extras, to a depth of twenty."""
    run(
        tmp_path,
        """
configure()
class Logs:
    def __init__(self, name, depth): self.name, self.depth = name, depth
    def __str__(self):
        if self.depth:
            log.info("%s", Logs(self.name, self.depth - 1))
            say(f"inside-{self.name}-{self.depth}")
        return f"{self.name}-{self.depth}"
    __repr__ = __str__
def work(n):
    for i in range(20):
        log.info("%s", Logs(f"t{n}-{i}", 5))
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
log.info("%s", Logs("deep", 20))
log.info("in an extra", extra={"thing": Logs("extra", 2)})
class LogsAndRaises:
    def __str__(self):
        say("before the error")
        raise ValueError("no")
log.info("%s", LogsAndRaises())
for t in threads: t.join()
""",
    )
    settle(tmp_path)
    found = bodies(tmp_path)
    for n in range(4):
        for i in range(20):
            assert [found[f"t{n}-{i}-{depth}"] for depth in range(6)] == [1] * 6
    assert [found[f"deep-{depth}"] for depth in range(21)] == [1] * 21
    assert found["in an extra"] == 1
    # A rendering that fails may be tried again; each of its records is there.
    assert found["before the error"] == accepted(tmp_path)["before the error"] >= 1
    assert Counter() == accepted(tmp_path) - found
    assert spools(tmp_path) == []


@pytest.mark.parametrize("what", ["signal", "str"])
def test_the_first_record_is_interrupted_by_another_log_call(tmp_path: Path, what: str) -> None:
    """A call that is nested in the very one that starts the spool and its threads is not lost."""
    setup = {
        "signal": """
signal.signal(signal.SIGALRM, lambda number, frame: say(f"nested-{time.monotonic_ns()}"))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0003)
time.sleep(0)
""",
        "str": """
class Logs:
    def __str__(self):
        say("nested")
        return "outer"
log.info("%s", Logs())
""",
    }[what]
    for _ in range(5 if what == "signal" else 1):
        run(
            tmp_path,
            "configure()" + setup + 'say(f"first-{os.getpid()}")\nsignal.setitimer(signal.ITIMER_REAL, 0)',
        )
    check(tmp_path, in_flight=1)
