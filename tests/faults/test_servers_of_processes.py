"""Servers that fork workers: each worker's records are delivered once, with the worker's own identity."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.harness import PREAMBLE, accepted, conserve, environment, records, settle, spools
from tests.servers.ports import free_port
from tests.support import eventually

pytestmark = pytest.mark.fault

WSGI = (
    PREAMBLE
    + """
configure()
MASTER = os.getpid()
say(f"{MASTER}:imported")

def app(environ, start_response):
    for i in range(5):
        say(f"{os.getpid()}:{environ['PATH_INFO']}:{i}")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
)

CELERY = (
    PREAMBLE
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
    },
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    task_ignore_result=True,
)

@app.task(name="work")
def work(n):
    for i in range(5):
        say(f"{os.getpid()}:task-{n}:{i}")

configure()
"""
)


def needs(package: str) -> pytest.MarkDecorator:
    """Skip where a package of the test extra is not installed."""
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None,
        reason=f"{package} is not installed: pip install the extra 'test'",
    )


def get(port: int, path: str) -> str | None:
    """The answer to one request, None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return str(answer.read().decode())
    except OSError:
        return None


def stop(server: subprocess.Popen[bytes]) -> None:
    """SIGTERM, as a service manager sends it; SIGKILL to its group when that is not enough."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def check_identities(folder: Path) -> set[int]:
    """Each acknowledged record stands under the process that logged it; the processes."""
    instances: dict[int, set[str]] = {}
    for record in records(folder):
        resource = record["resource"]
        logged_by, _, rest = str(record["body"]).partition(":")
        if rest and logged_by.isdigit():  # one of ours, not the server's
            assert resource["process.pid"] == int(logged_by)
        instances.setdefault(resource["process.pid"], set()).add(resource["service.instance.id"])
    assert all(len(ids) == 1 for ids in instances.values()), instances
    every = Counter(next(iter(ids)) for ids in instances.values())
    assert max(every.values()) == 1, "two processes have one instance id"
    return set(instances)


@needs("gunicorn")
@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_gunicorn_with_preload(tmp_path: Path, worker: str) -> None:
    """Two workers forked from a configured master: nothing lost or doubled by requests and SIGTERM."""
    (tmp_path / "service.py").write_text(WSGI)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--worker-class", worker]
    command += ["--threads", "4"] if worker == "gthread" else []
    command += ["--bind", f"127.0.0.1:{port}", "--chdir", str(tmp_path), "--worker-tmp-dir", str(tmp_path)]
    with open(tmp_path / "server.log", "wb") as log:
        server = subprocess.Popen(
            [*command, "--no-control-socket", "service:app"]
            if has_control_socket()
            else [*command, "service:app"],
            env={**environment(tmp_path), "PYTHONWARNINGS": "default"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            eventually(lambda: get(port, "/up") or server.poll() is not None, 60)
            answered = set()
            requests = 0
            deadline = time.monotonic() + 60
            while requests < 100 or len(answered) < 2:
                pid = get(port, f"/r{requests}")
                assert pid is not None, (tmp_path / "server.log").read_text()
                answered.add(int(pid))
                requests += 1
                assert time.monotonic() < deadline, answered
        finally:
            stop(server)
    assert server.returncode == 0, (tmp_path / "server.log").read_text()
    settle(tmp_path)
    assert accepted(tmp_path).total() == 1 + 5 * (requests + 1) + extra_probes(tmp_path)
    conserve(tmp_path)
    assert answered < check_identities(tmp_path)  # and the master
    assert spools(tmp_path) == []


def has_control_socket() -> bool:
    """Whether this gunicorn opens a control socket in the user's folder unless it is told not to."""
    from gunicorn.config import KNOWN_SETTINGS

    return any("--no-control-socket" in (setting.cli or ()) for setting in KNOWN_SETTINGS)


def extra_probes(folder: Path) -> int:
    """Records of probes beyond the first that was answered."""
    return sum(":/up:" in body for body in accepted(folder)) - 5


@needs("celery")
def test_celery_prefork(tmp_path: Path) -> None:
    """Tasks in forked children of a worker that configured logging at import; then a warm shutdown."""
    (tmp_path / "tasks.py").write_text(CELERY)
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
        "prefork",
        "--concurrency",
        "2",
    ]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    with open(tmp_path / "worker.log", "wb") as log:
        worker = subprocess.Popen(
            command, cwd=tmp_path, env=environ, stdout=log, stderr=log, start_new_session=True
        )
        try:
            send = "import tasks\nfor n in range(40): tasks.work.delay(n)"
            subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environ, check=True, timeout=60)
            tasks = lambda: sum(":task-" in body for body in accepted(tmp_path))  # noqa: E731
            eventually(lambda: tasks() == 200 or worker.poll() is not None, 60, 0.05)
        finally:
            stop(worker)
    assert worker.returncode == 0, (tmp_path / "worker.log").read_text()
    settle(tmp_path)
    assert tasks() == 200
    there = Counter(str(record["body"]) for record in records(tmp_path))
    assert Counter() == accepted(tmp_path) - there
    assert {1} == {there[body] for body in accepted(tmp_path)}
    uids = Counter(record["attributes"]["log.record.uid"] for record in records(tmp_path))
    assert max(uids.values()) == 1
    # Celery's own records of the parent stand beside those of two children.
    assert len(check_identities(tmp_path)) >= 2
    assert spools(tmp_path) == []
