"""SIGTERM with ``drain_on_sigterm``: everything is in the file when the process has died by the signal."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.harness import accepted, bodies, conserve, run, settle, spools

pytestmark = pytest.mark.fault

#: ``configure`` with the option, after the preamble.
DRAINING = """
def configure_draining(**more):
    document = config()
    document["handlers"]["queue"].update(drain_on_sigterm=True, **more)
    logging.config.dictConfig(document)
"""


def run_to_sigterm(folder: Path, script: str, **more: str) -> str:
    """Run a program that dies by SIGTERM; what it wrote to stderr."""
    done = run(folder, DRAINING + script, check=False, **more)
    assert done.returncode == -signal.SIGTERM, f"exit status {done.returncode}\n{done.stderr}"
    return done.stderr


def check_complete(folder: Path) -> None:
    """All that was acknowledged is there, and no spool is left for another process."""
    assert accepted(folder) == bodies(folder)
    assert spools(folder) == []


def test_a_script_delivers_everything_before_it_dies(tmp_path: Path) -> None:
    """Nothing waits for another process, and nothing is said."""
    script = (
        "configure_draining()\nfor i in range(500): say(f'r-{i}')\nos.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert run_to_sigterm(tmp_path, script) == ""
    assert accepted(tmp_path).total() == 500
    check_complete(tmp_path)


def test_a_signal_to_a_waiting_main_thread_while_threads_log(tmp_path: Path) -> None:
    """What the threads were told of before the drain is there; what they log meanwhile is not lost."""
    run_to_sigterm(
        tmp_path,
        """
configure_draining()
def storm(n):
    i = 0
    while True:
        say(f"{n}-{i}")
        i += 1
for n in range(2):
    threading.Thread(target=storm, args=(n,), daemon=True).start()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
threading.Event().wait()
""",
    )
    assert bodies(tmp_path).total() > 0
    settle(tmp_path)
    conserve(tmp_path, in_flight=2)


@pytest.mark.parametrize("where", ["__str__", "the critical section"])
def test_a_signal_in_the_middle_of_a_log_call(tmp_path: Path, where: str) -> None:
    """The interrupted call holds the spool's lock: what was logged before is delivered all the same.

    In C there is no place between the reservation and the commit where a signal could be met.
    """
    flavour = {"OTEL_STDLIB_NO_NATIVE": "1"} if where == "the critical section" else {}
    cut = {
        "__str__": """
class Killer:
    def __str__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return "never"
log.info(Killer())
""",
        "the critical section": """
segment = queue_handler().pipeline._generation.spool.current()
reserve = segment.reserve
def kill_and_reserve(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    return reserve(*arguments)
segment.reserve = kill_and_reserve
log.info("never")
""",
    }[where]
    run_to_sigterm(tmp_path, "configure_draining()\nfor i in range(200): say(f'r-{i}')\n" + cut, **flavour)
    assert accepted(tmp_path).total() == 200
    assert accepted(tmp_path) == bodies(tmp_path)


def test_a_second_signal_does_not_cut_the_delivery_short(tmp_path: Path) -> None:
    """A service manager and a parent process may both send one."""
    run_to_sigterm(
        tmp_path,
        """
import otel_stdlib.handlers
class Slow(otel_stdlib.handlers.JSONLFileHandler):
    def make_destination(self):
        made = super().make_destination()
        deliver = made.deliver
        def slowly(batch):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGTERM)
            return deliver(batch)
        made.deliver = slowly
        return made
handler = otel_stdlib.OTelQueueHandler(
    handlers=[Slow(os.path.join(FOLDER, "out", "app.jsonl"))], drain_on_sigterm=True, shutdown_timeout=60.0
)
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
say("slow")
threading.Event().wait()
""",
    )
    assert accepted(tmp_path).total() == 1
    check_complete(tmp_path)


def test_a_destination_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    """After ``shutdown_timeout`` it dies, and the record waits in the spool."""
    run_to_sigterm(
        tmp_path,
        """
import otel_stdlib.handlers
class Hanging(otel_stdlib.handlers.JSONLFileHandler):
    def make_destination(self):
        made = super().make_destination()
        made.deliver = lambda batch: threading.Event().wait()
        return made
handler = otel_stdlib.OTelQueueHandler(
    handlers=[Hanging(os.path.join(FOLDER, "out", "app.jsonl"))], drain_on_sigterm=True, shutdown_timeout=0.5
)
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
say("waits")
os.kill(os.getpid(), signal.SIGTERM)
""",
    )
    settle(tmp_path)
    check_complete(tmp_path)


@pytest.mark.parametrize(
    "set_handler",
    [
        "signal.signal(signal.SIGTERM, own); configure_draining()",
        "configure_draining(); signal.signal(signal.SIGTERM, own)",
        "signal.signal(signal.SIGTERM, own); configure_draining(); configure_draining()",
    ],
)
def test_the_handler_of_an_application_stays(tmp_path: Path, set_handler: str) -> None:
    """Whether it was set before or after: it alone decides what SIGTERM does."""
    script = f"""
def own(number, frame):
    say("own handler")
    sys.exit(7)
{set_handler}
say("first")
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = run(tmp_path, DRAINING + script, check=False)
    assert done.returncode == 7, done.stderr
    assert accepted(tmp_path).total() == 2
    check_complete(tmp_path)


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """``SIG_IGN`` is a choice too."""
    run(
        tmp_path,
        DRAINING
        + "signal.signal(signal.SIGTERM, signal.SIG_IGN); configure_draining()\n"
        + "os.kill(os.getpid(), signal.SIGTERM); say('lives')\n",
    )
    check_complete(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "configure_draining()",
        "queue_handler().close()",
        "threading.Thread(target=configure_draining).start(); time.sleep(0.2)",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL); configure_draining()",
    ],
)
def test_after_a_change_of_the_configuration(tmp_path: Path, change: str) -> None:
    """A reload, a closed handler, a reload from another thread: everything is delivered."""
    run_to_sigterm(
        tmp_path,
        f"configure_draining()\nsay('before')\n{change}\nsay('after')\nos.kill(os.getpid(), signal.SIGTERM)\n",
    )
    assert accepted(tmp_path).total() == 2
    check_complete(tmp_path)


def test_a_configuration_without_the_option_dies_at_once(tmp_path: Path) -> None:
    """Also after one that had it: the records are safe in the spool."""
    run_to_sigterm(
        tmp_path,
        """
configure_draining()
configure()
import otel_stdlib.pipeline.exit as hook
hook.drain = lambda pipelines: say("drained")
say("waits")
os.kill(os.getpid(), signal.SIGTERM)
""",
    )
    settle(tmp_path)
    assert set(accepted(tmp_path)) == {"waits"}
    check_complete(tmp_path)


def test_a_signal_that_does_not_kill(tmp_path: Path) -> None:
    """Where the kernel spares the process, as the first one of a container, it goes on and logs on."""
    run(
        tmp_path,
        """
from otel_stdlib.pipeline import sigterm
"""
        + DRAINING
        + """
configure_draining()
say("before")
handler = signal.getsignal(signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
handler(signal.SIGTERM, None)
assert signal.getsignal(signal.SIGTERM) is handler
while not os.path.exists(os.path.join(FOLDER, "out", "app.jsonl")):
    time.sleep(0.01)
say("after")
assert signal.sigwait([signal.SIGTERM]) == signal.SIGTERM
""",
    )
    assert accepted(tmp_path).total() == 2
    check_complete(tmp_path)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_that_is_terminated(tmp_path: Path, method: str) -> None:
    """``Process.terminate``: the child delivers its own records and dies by the signal; the parent lives."""
    (tmp_path / "program.py").write_text(PROGRAM.replace("METHOD", repr(method)), encoding="utf-8")
    run(tmp_path, "import runpy; runpy.run_path(os.path.join(FOLDER, 'program.py'), run_name='__main__')")
    assert accepted(tmp_path).total() == 52
    assert accepted(tmp_path) == bodies(tmp_path)
    assert (tmp_path / "left.txt").read_text() == "[]"


PROGRAM = """
import multiprocessing, os, signal, sys, time
from tests.faults.harness import PREAMBLE
exec(PREAMBLE)
document = config()
document["handlers"]["queue"]["drain_on_sigterm"] = True

def work(ready):
    logging.config.dictConfig(document) if METHOD == "spawn" else None
    for i in range(50):
        say(f"child-{i}")
    ready.set()
    time.sleep(60)

if __name__ == "__main__":
    logging.config.dictConfig(document)
    say("parent before")
    context = multiprocessing.get_context(METHOD)
    ready = context.Event()
    child = context.Process(target=work, args=(ready,))
    child.start()
    assert ready.wait(60)
    child.terminate()
    child.join(60)
    assert child.exitcode == -signal.SIGTERM, child.exitcode
    own = queue_handler().health()["spool_id"]
    left = [n for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"]) if len(n) == 26 and n != own]
    with open(os.path.join(FOLDER, "left.txt"), "w") as file:
        file.write(repr(left))
    say("parent after")
"""
