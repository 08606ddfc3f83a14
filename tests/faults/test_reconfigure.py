"""Configuration changed by us or by somebody else, at any moment, under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import accepted, conserve, run, settle, spools

pytestmark = pytest.mark.fault

STORM = """
stop = threading.Event()
longest = [0.0]
def storm(n):
    i = 0
    while not stop.is_set():
        begin = time.perf_counter()
        say(f"{n}-{i}")
        longest[0] = max(longest[0], time.perf_counter() - begin)
        logging.getLogger(f"app.{n}.{i % 50}")
        i += 1
threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
for t in threads: t.start()
def finish():
    stop.set()
    for t in threads: t.join(30)
    assert not any(t.is_alive() for t in threads), "deadlock"
"""


def test_dictconfig_under_load(tmp_path: Path) -> None:
    """Reconfigurations while four threads log: nothing is lost, nothing doubled."""
    # ``disable_existing_loggers`` is off, and the root's level stays; between clearing and adding
    # handlers the standard library has none, so records of that moment go nowhere by its design:
    # the storm logs through a logger whose handler is swapped after the new one is attached.
    run(
        tmp_path,
        """
import otel_stdlib
from otel_stdlib.handlers import JSONLFileHandler
def make():
    file = JSONLFileHandler(filename=os.path.join(FOLDER, "out", "app.jsonl"))
    return otel_stdlib.OTelQueueHandler(handlers=[file], spool={"segment_bytes": 1 << 20, "max_bytes": 1 << 28})
root = logging.getLogger()
root.setLevel("INFO")
current = make()
current.addFilter(lambda r: not getattr(r, "taken", False) and (setattr(r, "taken", True) or True))
root.addHandler(current)
"""
        + STORM
        + """
for _ in range(30):
    new = make()
    new.addFilter(lambda r: not getattr(r, "taken", False) and (setattr(r, "taken", True) or True))
    root.addHandler(new)
    root.removeHandler(current)
    current.close()
    current = new
    time.sleep(0.02)
finish()
""",
    )
    settle(tmp_path)
    assert accepted(tmp_path).total() > 500
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_several_threads_reconfigure_at_once(tmp_path: Path) -> None:
    """Four threads change the configuration in four ways while four others log: no deadlock, no loss."""
    run(
        tmp_path,
        """
import otel_stdlib
from otel_stdlib.handlers import JSONLFileHandler
root = logging.getLogger()
def make():
    file = JSONLFileHandler(filename=os.path.join(FOLDER, "out", "app.jsonl"))
    return otel_stdlib.OTelQueueHandler(handlers=[file], shutdown_timeout=20)
# This one stays: it is shut and closed under those who log, and others come and go beside it.
configure()
kept = root.handlers[0]
other = logging.getLogger("other")
other.propagate = False
numbers = iter(range(1 << 30))
def swap():
    handler = make()
    other.addHandler(handler)
    body = f"swap-{next(numbers)}"
    other.warning(body)
    os.write(_ack, (body + "\\n").encode())
    other.removeHandler(handler)
    handler.close()
ways = [
    lambda: logging.config.dictConfig({"version": 1, "incremental": True, "loggers": {"other": {"level": "INFO"}}}),
    logging.shutdown,
    swap,
    lambda: (kept.close(), kept.flush(0.01)),
]
failures = []
def change(way):
    try:
        while not stop.is_set():
            way()
            time.sleep(0.01)
    except BaseException as error:
        failures.append(error)
"""
        + STORM
        + """
changers = [threading.Thread(target=change, args=(way,)) for way in ways]
for t in changers: t.start()
time.sleep(1.5)
finish()
for t in changers: t.join(30)
assert not any(t.is_alive() for t in changers), "deadlock"
assert not failures, failures
assert logging.getLogger().handlers == [kept]
""",
    )
    settle(tmp_path)
    assert accepted(tmp_path).total() > 200
    conserve(tmp_path)


def test_a_closed_handler_still_takes_records(tmp_path: Path) -> None:
    """``close`` under load: a call that comes too late goes to the next spool."""
    run(
        tmp_path,
        "configure()\n"
        + STORM
        + """
handler = queue_handler()
for _ in range(100):
    handler.close()
    time.sleep(0.005)
finish()
""",
    )
    settle(tmp_path)
    assert accepted(tmp_path).total() > 500
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_shutdown_and_basicconfig_force_do_not_stall_others(tmp_path: Path) -> None:
    """``logging.shutdown`` and ``basicConfig(force=True)`` with a hanging destination: no call waits for it."""
    done = run(
        tmp_path,
        """
import otel_stdlib
class Slow(logging.Handler):
    def handle(self, record):  # not emit: the standard library would hold this handler's lock meanwhile
        time.sleep(300)
def make():
    return otel_stdlib.OTelQueueHandler(handlers=[Slow()], shutdown_timeout=0.1)
logging.getLogger().setLevel("INFO")
logging.getLogger().addHandler(make())
"""
        + STORM
        + """
time.sleep(0.2)
slowest = 0.0
for call in (logging.shutdown, lambda: logging.basicConfig(force=True, handlers=[make()], level="INFO")) * 5:
    begin = time.perf_counter()
    call()
    slowest = max(slowest, time.perf_counter() - begin)
    time.sleep(0.02)
finish()
print(f"slowest call {slowest * 1000:.1f} ms, slowest log call {longest[0] * 1000:.1f} ms")
# Far above any scheduling noise and far below the destination's hang.
assert slowest < 30 and longest[0] < 30
""",
    )
    assert "slowest" in done.stdout


def test_dictconfig_replaces_a_running_configuration(tmp_path: Path) -> None:
    """The former configuration delivers what it had, the new one goes on in the same file."""
    run(
        tmp_path,
        """
for generation in range(10):
    configure()
    for i in range(300): say(f"{generation}-{i}")
""",
    )
    settle(tmp_path)
    assert accepted(tmp_path).total() == 3000
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_a_handler_detached_by_others_says_so_and_delivers(tmp_path: Path) -> None:
    """``basicConfig(force=True)`` of a library: the status says detached, the file is complete."""
    run(
        tmp_path,
        """
configure()
handler = queue_handler()
for i in range(100): say(f"r-{i}")
assert handler.health()["attached"] is True
logging.basicConfig(force=True, level="ERROR")
assert handler.health()["attached"] is False
deadline = time.monotonic() + 20
path = os.path.join(FOLDER, "out", "app.jsonl")
while not os.path.exists(path) or open(path).read().count("\\n") < 100:
    assert time.monotonic() < deadline
    time.sleep(0.01)
""",
    )
    conserve(tmp_path)
