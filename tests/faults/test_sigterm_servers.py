"""ASGI servers that raise SIGTERM again at their end: everything is delivered, and the exit status is theirs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import environment, records, spools
from tests.faults.test_servers_of_processes import get, has_control_socket, needs, stop
from tests.servers.ports import free_port
from tests.support import eventually

pytestmark = pytest.mark.fault

APP = """
import json, logging, logging.config, os
from otel_stdlib import ASGITraceMiddleware
if os.environ.get("CONFIGURE"):
    with open(os.environ["CONFIGURE"]) as file:
        logging.config.dictConfig(json.load(file))
log = logging.getLogger("app")

async def bare(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            part = message["type"].partition(".")[2]
            log.info("lifespan %s", part)
            await send({"type": f"lifespan.{part}.complete"})
            if part == "shutdown":
                return
    log.info("request")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

app = ASGITraceMiddleware(bare) if os.environ["MIDDLEWARE"] == "yes" else bare
"""

UVICORN = ["uvicorn", "service:app", "--host", "127.0.0.1", "--port"]
GUNICORN = ["gunicorn", "service:app", "-k", "uvicorn.workers.UvicornWorker", "--bind"]


def serve(folder: Path, argv: list[str], port: int, **more: str) -> int | None:
    """Run a server, send it a request and SIGTERM; its exit status."""
    (folder / "service.py").write_text(APP, encoding="utf-8")
    pass_on = {"handlers": [], "propagate": True}
    document = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "file": {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(folder / "out" / "app.jsonl"),
            },
            "queue": {
                "()": "otel_stdlib.OTelQueueHandler",
                "handlers": ["file"],
                "drain_on_sigterm": True,
                "shutdown_timeout": 60.0,
            },
        },
        "loggers": dict.fromkeys(("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error"), pass_on),
        "root": {"level": "INFO", "handlers": ["queue"]},
    }
    (folder / "logging.json").write_text(json.dumps(document), encoding="utf-8")
    environ = {**environment(folder, **{"MIDDLEWARE": "no", **more}), "PYTHONWARNINGS": "ignore"}
    log = folder / "server.log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=folder,
            env=environ,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            assert eventually(lambda: get(port, "/") or server.poll() is not None, 60) == "ok", (
                log.read_text()
            )
        finally:
            stop(server)
    return server.returncode


def said(folder: Path) -> list[str]:
    """The bodies in the file."""
    return [str(record["body"]) for record in records(folder)]


@needs("uvicorn")
@pytest.mark.parametrize(("workers", "status"), [(1, -signal.SIGTERM), (2, 0)])
def test_uvicorn_with_a_log_config(tmp_path: Path, workers: int, status: int) -> None:
    """The last line of each process is in the file, and no spool is left."""
    port = free_port()
    argv = [*UVICORN, str(port), "--log-config", "logging.json", "--workers", str(workers)]
    assert serve(tmp_path, argv, port) == status, (tmp_path / "server.log").read_text()
    bodies = said(tmp_path)
    assert bodies.count("lifespan shutdown") == workers
    assert sum(body.startswith("Finished server process") for body in bodies) == workers
    assert spools(tmp_path) == []


@needs("gunicorn")
def test_gunicorn_with_uvicorn_workers(tmp_path: Path) -> None:
    """A worker's SIGTERM has its default action when the application is imported."""
    port = free_port()
    argv = [*GUNICORN, f"127.0.0.1:{port}", *(["--no-control-socket"] if has_control_socket() else [])]
    configure = os.fspath(tmp_path / "logging.json")
    assert serve(tmp_path, argv, port, CONFIGURE=configure) == 0, (tmp_path / "server.log").read_text()
    bodies = said(tmp_path)
    assert bodies.count("lifespan shutdown") == 1
    assert any(body.startswith("Finished server process") for body in bodies)
    assert spools(tmp_path) == []


@needs("uvicorn")
def test_uvicorn_that_imports_the_configuration(tmp_path: Path) -> None:
    """It has taken its signals by then: the middleware delivers all that the application logged."""
    port = free_port()
    configure = os.fspath(tmp_path / "logging.json")
    found = serve(tmp_path, [*UVICORN, str(port)], port, CONFIGURE=configure, MIDDLEWARE="yes")
    assert found == -signal.SIGTERM, (tmp_path / "server.log").read_text()
    assert "lifespan shutdown" in said(tmp_path)
