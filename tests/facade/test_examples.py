"""The examples run as their docstrings say."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ports import free_port
from tests.support import eventually, whole_lines
from tests.tree import ROOT

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-correlation-id": "req-77"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the examples, so that their ``./logs`` is the test's."""
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples"))


def environment(**more: str) -> dict[str, str]:
    """For a child process that imports this package and these packages."""
    path = os.pathsep.join([str(ROOT), *(p for p in sys.path if p)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **more}


def run(folder: Path, name: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Run one example to its end: what it printed on both streams, and the records it wrote."""
    done = subprocess.run(
        [sys.executable, name],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout, done.stderr, records(folder)


def records(folder: Path) -> list[dict[str, Any]]:
    """The records in ``./logs``."""
    (path,) = (folder / "logs").glob("*.jsonl")
    return [json.loads(line) for line in whole_lines(path)]


def bodies(found: list[dict[str, Any]]) -> list[Any]:
    """Their bodies."""
    return [record["body"] for record in found]


def test_basic(folder: Path) -> None:
    """Four records, in order, each also a line on stderr."""
    _, err, found = run(folder, "basic.py")
    assert [
        "Application started",
        "Database connection failed",
        "Async operation started",
        "Async error occurred",
    ] == bodies(found)
    assert ["user123", "op123"] == [found[0]["attributes"]["user_id"], found[2]["attributes"]["operation_id"]]
    assert ("my-service", "1.0.0") == (
        found[0]["resource"]["service.name"],
        found[0]["resource"]["service.version"],
    )
    assert 4 == len(err.splitlines())
    assert "error_code=DB001" in err


def test_tracing(folder: Path) -> None:
    """The call is a span."""
    out, _, found = run(folder, "tracing.py")
    assert "Calculated price: $85.0\n" == out
    assert ["span started: calculate_price", "Calculating", "span ended: calculate_price"] == bodies(found)
    assert 1 == len({(r["trace_id"], r["span_id"], r["attributes"]["correlation_id"]) for r in found})


def test_async_spans(folder: Path) -> None:
    """Concurrent spans under one."""
    out, _, found = run(folder, "async_spans.py")
    assert [f"Trace: {found[0]['trace_id']}"] == out.splitlines()
    assert 1 == len({record["trace_id"] for record in found})
    loaded = [record for record in found if record["body"] == "Part loaded"]
    assert 3 == len({record["span_id"] for record in loaded})
    assert {"req-003"} == {record["attributes"]["correlation_id"] for record in found}


def test_batch(folder: Path) -> None:
    """Two records for each of a hundred items."""
    out, _, found = run(folder, "batch.py")
    assert "200 records written\n" == out
    assert 200 == len({(r["body"], r["attributes"]["item_id"]) for r in found}) == len(found)


def test_context_manager(folder: Path) -> None:
    """Delivered when the block ends."""
    assert ["Application started", "Application finished"] == bodies(run(folder, "context_manager.py")[2])


def test_custom_backend(folder: Path) -> None:
    """It gets every record; the file does too."""
    out, _, found = run(folder, "custom_backend.py")
    assert ">>> WARNING: Printed by the back end\n" == out
    assert ["Not printed", "Printed by the back end"] == bodies(found)


@contextmanager
def serving(folder: Path, port: int, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A server of an example, from when it answers until it has ended by SIGTERM."""
    server = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: _answers(port) or server.poll() is not None, timeout=60, interval=0.05)
        yield server
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=60)
        assert "Traceback" not in err, err
    finally:
        if server.poll() is None:
            server.kill()
            server.communicate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def get(port: int, path: str) -> Any:
    """What a server answers, as JSON."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=HEADERS)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())


@pytest.mark.skipif(
    not (importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn")),
    reason="needs fastapi and uvicorn",
)
def test_price_service(folder: Path) -> None:
    """Under uvicorn, with real requests: one trace for each, and a health report."""
    port = free_port()
    with serving(folder, port, "price_service.py", PORT=str(port)):
        assert {"price": 85.0, "correlation_id": "req-77"} == get(port, "/price/100?discount=0.15")
        health = get(port, "/health")
        assert "healthy" == health["status"]
        assert "closed" == health["backends"]["filesystem"]["circuit_breaker"]
    found = records(folder)
    for body in (
        "Request received",
        "Calculating price",
        "Price calculation completed",
        "Health check requested",
    ):
        assert {TRACE} == {record.get("trace_id") for record in found if record["body"] == body}, body
    (done,) = [record for record in found if record["body"] == "Price calculation completed"]
    assert (85.0, "req-77") == (done["attributes"]["result"], done["attributes"]["correlation_id"])


@pytest.mark.skipif(
    not (importlib.util.find_spec("flask") and importlib.util.find_spec("gunicorn")),
    reason="needs flask and gunicorn",
)
def test_flask_under_gunicorn_with_preload(folder: Path) -> None:
    """Two forked workers, one file, every record once."""
    port = free_port()
    command = (
        "-m",
        "gunicorn",
        "--preload",
        "--workers",
        "2",
        "--bind",
        f"127.0.0.1:{port}",
        "flask_app:app",
    )
    with serving(folder, port, *command):
        seen: list[int] = []

        def both() -> bool:
            seen.append(get(port, "/price/100.0")["worker"])
            return len(seen) >= 30 and len(set(seen)) == 2

        # gunicorn ended while it still makes a worker forgets to end that one.
        eventually(both, timeout=60, interval=0.0)
    found = [record for record in records(folder) if record["body"] == "price of 100.0 asked"]
    assert sorted(seen) == sorted(record["attributes"]["worker"] for record in found)
    assert {TRACE} == {record["trace_id"] for record in found}
    assert {record["attributes"]["worker"] for record in found} == {
        r["resource"]["process.pid"] for r in found
    }
