"""Servers and workers on greenlets, their destinations down: their hubs turn, and they stop cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.harness import PREAMBLE, accepted, environment, records
from tests.faults.test_servers_of_processes import get, has_control_socket, stop
from tests.servers.ports import free_port
from tests.support import eventually

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info >= (3, 15), reason="gevent and eventlet have no wheels yet"),
]

#: Records that the application logs in each run.
JOBS = 60
#: Seconds for which a hub may stop. A quiet machine shows some hundredths; one that waits for a destination, 5 or more.
LONGEST = 2.0

#: A queue handler before a file and five destinations that are away, and a greenlet that measures its hub.
SERVICE = (
    PREAMBLE
    + """
import socket
silent = socket.socket(); silent.bind(("127.0.0.1", 0)); silent.listen(100)
port = silent.getsockname()[1]
place = f"http://127.0.0.1:{port}"
away = {
    "kafka": {"class": "otel_stdlib.handlers.KafkaHandler", "bootstrap_servers": ["127.0.0.1:1"], "topic": "t"},
    "postgres": {"class": "otel_stdlib.handlers.PostgresHandler", "host": "127.0.0.1", "port": port,
                 "database": "x", "user": "u", "password": "p", "table_name": "t"},
    "elasticsearch": {"class": "otel_stdlib.handlers.ElasticsearchHandler", "hosts": [place]},
    "otlp": {"class": "otel_stdlib.handlers.OTLPHandler", "endpoint": place + "/v1/logs"},
    "grpc": {"class": "otel_stdlib.handlers.OTLPHandler", "endpoint": place, "protocol": "grpc"},
}
def configure_all():
    document = config()
    document["handlers"].update(away)
    document["handlers"]["queue"].update(handlers=["file", *away], shutdown_timeout=1.0)
    logging.config.dictConfig(document)

_ticking = []
def measure():
    "Measure this process's hub from now on, in a greenlet: the program is patched by now."
    if os.getpid() in _ticking: return
    _ticking.append(os.getpid())
    worst = 0.0
    def tick():
        nonlocal worst
        before = time.monotonic()
        while True:
            time.sleep(0.001)
            now = time.monotonic()
            if now - before > worst:
                worst = now - before
                with open(os.path.join(FOLDER, f"stall-{os.getpid()}"), "w") as file: file.write(str(worst))
            before = now
    threading.Thread(target=tick, daemon=True).start()
"""
)

WSGI = (
    SERVICE
    + """
configure_all()
say("imported")
def app(environ, start_response):
    measure()
    say(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
)

CELERY = (
    SERVICE
    + """
import celery
FILES = os.path.join(FOLDER, "broker")
for name in ("in", "control"):
    os.makedirs(os.path.join(FILES, name), exist_ok=True)
app = celery.Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": os.path.join(FILES, "in"),
        "data_folder_out": os.path.join(FILES, "in"),
        "control_folder": os.path.join(FILES, "control"),
        "polling_interval": 0.05,
    },
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    task_ignore_result=True,
)
@app.task(name="work")
def work(n):
    measure()
    time.sleep(0.05)
    say(f"task-{n}")
if sys.argv[-1] != "send":
    configure_all()
    say("imported")
"""
)

HUEY = (
    SERVICE
    + """
import huey
queue = huey.FileHuey("tasks", path=os.path.join(FOLDER, "broker"), use_thread_lock=True, results=False)
@queue.task()
def work(n):
    measure()
    time.sleep(0.05)
    say(f"task-{n}")
if sys.argv[-1] != "send":
    configure_all()
    say("imported")
"""
)

HUEY_CONSUMER = """
from gevent import monkey
monkey.patch_all()
import sys
from huey.bin.huey_consumer import consumer_main
sys.argv[0] = "huey_consumer"
consumer_main()
"""


class Running:
    """A server or a worker in a folder of its own, and what it writes."""

    def __init__(self, folder: Path, source: str, arguments: list[str]) -> None:
        self.folder = folder
        (folder / "service.py").write_text(source, encoding="utf-8")
        self.environ = {**environment(folder), "PYTHONWARNINGS": "ignore", "C_FORCE_ROOT": "1"}
        self.environ["PYTHONPATH"] += os.pathsep + str(folder)
        with open(folder / "out.log", "wb") as out, open(folder / "err.log", "wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=self.environ,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def errors(self) -> list[str]:
        """Lines on stderr that are neither our reports of the destinations nor a server's own log."""
        lines = (self.folder / "err.log").read_text(encoding="utf-8").splitlines()
        # gRPC's C core reports each fork of a process in which one of its calls is on its way.
        others = [line for line in lines if "skipping fork() handlers" not in line and "[INFO]" not in line]
        return [line for line in others if not line.startswith("otel_stdlib: ")]

    def work_off(self) -> None:
        """Hand over the jobs, and wait until each has logged its record."""
        send = f"import service\nfor n in range({JOBS}): service.work{'.delay' if 'celery' in self.source else ''}(n)"
        command = [sys.executable, "-c", send, "send"]
        subprocess.run(command, cwd=self.folder, env=self.environ, check=True, timeout=60)
        self.wait_for("task-")

    @property
    def source(self) -> str:
        """Its program."""
        return (self.folder / "service.py").read_text(encoding="utf-8")

    def wait_for(self, start: str) -> None:
        """Wait for the records of the jobs."""

        def logged() -> bool:
            return sum(body.startswith(start) for body in accepted(self.folder)) >= JOBS

        eventually(lambda: logged() or self.process.poll() is not None, 120, 0.05)
        assert logged(), (self.folder / "err.log").read_text()

    def check(self) -> None:
        """Nothing on stderr, no stall, and each record once in the file; the destinations' own wait in spools."""
        assert self.errors == []
        stalls = [float(path.read_text()) for path in self.folder.glob("stall-*")]
        assert stalls
        assert max(stalls) < LONGEST
        took = accepted(self.folder)
        own = Counter(
            str(r["body"]) for r in records(self.folder) if str(r["body"]) in took
        )  # not the framework's
        assert took == own
        left = subprocess.run(
            [sys.executable, "-m", "otel_stdlib.cli", "spool", "ls"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "waiting" in left.stdout


@pytest.mark.parametrize("preload", [False, True])
def test_gunicorn(tmp_path: Path, preload: bool) -> None:
    """Requests to one worker, which is forked from a master that has logged with ``preload``."""
    port = free_port()
    command = [
        "-m",
        "gunicorn",
        "-k",
        "gevent",
        "-w",
        "1",
        "-b",
        f"127.0.0.1:{port}",
        *["--preload"] * preload,
    ]
    command += ["--no-control-socket"] if has_control_socket() else []
    server = Running(tmp_path, WSGI, [*command, "--worker-tmp-dir", str(tmp_path), "service:app"])
    try:
        eventually(lambda: get(port, "/up") or server.process.poll() is not None, 60)
        for n in range(JOBS):
            assert get(port, f"/task-{n}") == "ok", (tmp_path / "err.log").read_text()
    finally:
        stop(server.process)
    assert server.process.returncode == 0
    server.check()


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_celery(tmp_path: Path, pool: str) -> None:
    """Tasks in a pool of greenlets, then a warm shutdown."""
    command = [
        "-m",
        "celery",
        "-A",
        "service",
        "worker",
        "--pool",
        pool,
        "--concurrency",
        "10",
        "--loglevel",
        "INFO",
    ]
    worker = Running(
        tmp_path, CELERY, [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"]
    )
    try:
        worker.work_off()
    finally:
        stop(worker.process)
    assert worker.process.returncode == 0
    worker.check()


def test_huey(tmp_path: Path) -> None:
    """Its greenlet workers, in a process that is patched before all else."""
    (tmp_path / "consumer.py").write_text(HUEY_CONSUMER, encoding="utf-8")
    worker = Running(
        tmp_path, HUEY, ["consumer.py", "service.queue", "-k", "greenlet", "-w", "4", "-d", "0.02", "-q"]
    )
    try:
        worker.work_off()
    finally:
        stop(worker.process)
    assert worker.process.returncode == 0
    worker.check()
