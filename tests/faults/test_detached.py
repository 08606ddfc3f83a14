"""A handler that a framework takes off its logger: one line on stderr, and ``otel_stdlib.health()`` knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import PREAMBLE, environment, run
from tests.support import eventually

pytestmark = pytest.mark.fault

LINE = "records logged there are not recorded any more"

#: Waits for the line, or as long as a line would take that must not come.
WAIT = """
import otel_stdlib
def wait_for_line(expected=True):
    deadline = time.monotonic() + (30 if expected else 1.5)
    while time.monotonic() < deadline:
        if expected and "not recorded any more" in written():
            return
        time.sleep(0.05)
class Tee:
    def __init__(self, stream):
        self.stream, self.text = stream, ""
    def write(self, text):
        self.text += text
        return self.stream.write(text)
    def flush(self):
        self.stream.flush()
sys.stderr = Tee(sys.stderr)
def written():
    return sys.stderr.text
"""

FILE_CONFIG = """
[loggers]
keys=root
[handlers]
keys=console
[formatters]
keys=
[logger_root]
level=WARNING
handlers=console
[handler_console]
class=StreamHandler
args=(sys.stderr,)
"""

#: What takes it off, and what the line says of that.
CULPRITS = {
    "dictConfig": (
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO', 'handlers': []}})",
        "by logging.config.dictConfig, called in <string>, line ",
    ),
    "fileConfig": (
        f"import io; logging.config.fileConfig(io.StringIO({FILE_CONFIG!r}))",
        "by logging.config.fileConfig, called in <string>, line ",
    ),
    "basicConfig": ("logging.basicConfig(force=True)", "by logging.basicConfig, called in <string>, line "),
    "a list": (
        "from celery.utils.log import ColorFormatter as shape; handler = logging.StreamHandler(); "
        + "handler.setFormatter(shape()); logging.getLogger().handlers = [handler]",
        "probably by celery (it now has StreamHandler with celery.utils.log.ColorFormatter)",
    ),
    "unknown": (
        "logging.getLogger().removeHandler(queue_handler())",
        "by unknown code (it now has no handler)",
    ),
}


@pytest.mark.parametrize(
    ("way", "logged_before"),
    [
        *((way, True) for way in CULPRITS),
        # Before the first record nothing of this package runs: only what closes the handler is noticed.
        *((way, False) for way in ("dictConfig", "fileConfig", "basicConfig")),
    ],
)
def test_one_line_names_who_took_it_off(tmp_path: Path, way: str, logged_before: bool) -> None:
    """Once, by the call where there is one, else by what the logger has now."""
    take_off, named = CULPRITS[way]
    done = run(
        tmp_path,
        WAIT
        + "configure()\nhandler = queue_handler()\n"
        + ("say('first')\n" if logged_before else "")
        + f"{take_off}\nwait_for_line()\nfound = otel_stdlib.health()\n"
        + ("assert [each['attached'] for each in found] in ([False], []), found\n"),
    )
    lines = [line for line in done.stderr.splitlines() if LINE in line]
    assert len(lines) == 1, done.stderr
    assert "handler 'queue' was taken off the root logger" in lines[0]
    assert named in lines[0]


@pytest.mark.parametrize(
    "change",
    [
        "configure()",
        "logging.basicConfig(force=True, handlers=[otel_stdlib.OTelQueueHandler(handlers=[handler.handlers[0]])])",
        "logging.getLogger().removeHandler(handler); handler.close()",
        "logging.getLogger().removeHandler(handler); logging.getLogger('app').addHandler(handler)",
        "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})",
        "logging.getLogger().removeHandler(handler); handler.stop(); "
        + "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})",
        "pass",
    ],
)
@pytest.mark.parametrize("logged_before", [True, False], ids=["after a record", "before the first record"])
def test_nothing_is_said_of_what_the_application_does_itself(
    tmp_path: Path, change: str, logged_before: bool
) -> None:
    """A reload, a close, a move to another logger, the end: no line."""
    done = run(
        tmp_path,
        WAIT
        + "configure()\nhandler = queue_handler()\n"
        + ("say('first')\n" if logged_before else "")
        + f"{change}\nwait_for_line(expected=False)\n",
    )
    assert done.stderr == ""


def test_health_of_all_handlers(tmp_path: Path) -> None:
    """Also where ``logging`` does not know them by name any more; those that have nothing to do are left out."""
    run(
        tmp_path,
        """
import otel_stdlib
assert otel_stdlib.health() == []
configure()
assert [each["name"] for each in otel_stdlib.health()] == ["queue"]
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
direct = otel_stdlib.handlers.JSONLFileHandler(os.path.join(FOLDER, "out", "direct.jsonl"))
logging.getLogger("direct").addHandler(direct)
say("after")
logging.getLogger("direct").info("direct")
found = otel_stdlib.health()
assert [each["name"] for each in found] == ["jsonl", "queue"], found
assert all(each["attached"] and each["state"] == "running" for each in found), found
""",
    )


CELERY = (
    PREAMBLE
    + """
import celery
app = celery.Celery("tasks", broker="memory://")
app.conf.update(task_ignore_result=True, worker_redirect_stdouts=False, HIJACK)
configure()
say("before")
"""
)


@pytest.mark.parametrize("hijack", [True, False])
def test_a_celery_worker(tmp_path: Path, hijack: bool) -> None:
    """The default worker replaces the root's handlers; one that is told not to does not."""
    source = CELERY.replace("HIJACK", "" if hijack else "worker_hijack_root_logger=False")
    (tmp_path / "tasks.py").write_text(source, encoding="utf-8")
    environ = {**environment(tmp_path), "PYTHONWARNINGS": "ignore", "C_FORCE_ROOT": "1"}
    environ["PYTHONPATH"] += os.pathsep + str(tmp_path)
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "INFO",
    ]
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        worker = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=tmp_path,
            env=environ,
            stdout=file,
            stderr=file,
        )
        try:
            seen = (LINE if hijack else "celery@",)
            eventually(
                lambda: all(text in log.read_text() for text in seen) or worker.poll() is not None, 60, 0.05
            )
        finally:
            worker.terminate()
            worker.wait(60)
    said = [line for line in log.read_text().splitlines() if LINE in line]
    assert len(said) == int(hijack), log.read_text()
    if hijack:
        assert "probably by celery" in said[0]
        assert "worker_hijack_root_logger" in said[0]


def test_litestar(tmp_path: Path) -> None:
    """``Litestar()`` configures ``logging`` with a root of its own."""
    pytest.importorskip("litestar")
    done = run(
        tmp_path,
        WAIT
        + """
from litestar import Litestar
from litestar.logging import LoggingConfig
configure()
say("first")
Litestar(logging_config=LoggingConfig(logging_module="logging"))  # the default, where picologging is not installed
wait_for_line()
""",
        PYTHONWARNINGS="ignore",
    )
    line = next(line for line in done.stderr.splitlines() if LINE in line)
    assert "by logging.config.dictConfig, called in litestar." in line
    assert "configure logging after Litestar()" in line


def test_alembic(tmp_path: Path) -> None:
    """Its ``env.py`` calls ``fileConfig``."""
    pytest.importorskip("alembic")
    done = run(
        tmp_path,
        WAIT
        + """
from alembic import command
from alembic.config import Config
project = os.path.join(FOLDER, "migrations")
ini = Config(os.path.join(FOLDER, "alembic.ini"), stdout=open(os.devnull, "w"))
command.init(ini, project)
ini.set_main_option("sqlalchemy.url", "sqlite://")
configure()
say("first")
command.current(ini)
wait_for_line()
""",
        PYTHONWARNINGS="ignore",
    )
    line = next(line for line in done.stderr.splitlines() if LINE in line)
    assert "by logging.config.fileConfig, called in " in line
    assert "env" in line
