"""Runs a piece of a program that may await at its top, as a notebook would: ``python fragment_runner.py FILE``."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any


def serve(app: Any, *calls: tuple[str, Any]) -> None:
    """Serve ``app`` for some requests, ``(path, body or None)``, and print each answer."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    for path, body in calls:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            print(response.read().decode())
    server.should_exit = True
    thread.join(30)


def main() -> None:
    """Run the file; what it awaits runs on a loop of its own."""
    source = Path(sys.argv[1]).read_text(encoding="utf-8")
    code = compile(source, sys.argv[1], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, {"__name__": "app", "serve": serve})
    if inspect.iscoroutine(found):
        asyncio.run(found)


if __name__ == "__main__":
    main()
