"""A small web shop under load, logging through ``logging.yaml``: ``python examples/quickstart.py``.

An ordinary Flask application is served on loopback. Client threads send it real HTTP requests with
W3C ``traceparent`` headers while another thread of the same process computes without a pause. What
Flask, Werkzeug and the application log arrives as complete OpenTelemetry records in a JSONL file.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import logging.config
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import yaml
from tqdm import tqdm
from werkzeug.serving import make_server

from otel_stdlib import attach, detach, parse_traceparent

ROOT = Path(__file__).resolve().parent.parent
log = logging.getLogger("shop.orders")


# The application: nothing in it knows of otel_stdlib.

app = flask.Flask("shop")
STOCK = {"tea": 4.20, "coffee": 7.90, "cocoa": 3.10}


@app.get("/price/<item>")
def price(item: str) -> dict[str, Any]:
    """The price of an item."""
    log.debug("price of %s asked", item)
    return {"item": item, "price": STOCK[item]}


@app.post("/orders")
def order() -> tuple[dict[str, Any], int]:
    """Take an order; some fail, as in life."""
    wanted = flask.request.get_json()
    log.info(
        "order for %s received", wanted["item"], extra={"item": wanted["item"], "count": wanted["count"]}
    )
    if wanted["count"] > 9:
        log.warning("only 9 of %s at a time", wanted["item"], extra={"count": wanted["count"]})
        return {"error": "too many"}, 422
    total = STOCK[wanted["item"]] * wanted["count"]
    log.info("order placed", extra={"total": round(total, 2), "currency": "EUR"})
    return {"total": total}, 201


# Around it: the trace of each request, and the configuration.


class TraceMiddleware:
    """Makes the caller's ``traceparent`` the current trace while a WSGI application answers."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Answer one request within its trace, the server's own access log included."""
        token = attach(parse_traceparent(environ.get("HTTP_TRACEPARENT")))
        try:
            yield from self._application(environ, start_response)
        finally:
            detach(token)


def configure(folder: Path) -> Path:
    """Load ``logging.yaml``, with a new log file in ``folder``; the file's path."""
    path = folder / time.strftime("quickstart-%Y%m%d-%H%M%S.jsonl")
    with (ROOT / "logging.yaml").open(encoding="utf-8") as file:
        config = yaml.safe_load(file)
    config["handlers"]["file"]["filename"] = str(path)
    logging.config.dictConfig(config)
    return path


@contextmanager
def serving() -> Iterator[int]:
    """Serve the application on a free port of loopback, a thread for each connection."""
    server = make_server("127.0.0.1", 0, TraceMiddleware(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def computing() -> Iterator[None]:
    """Keep one thread busy with plain Python."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(number * number for number in range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def send(port: int, number: int) -> str:
    """One request of a client, in a trace of its own; the trace id."""
    choose = random.Random(number)
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01", "Content-Type": "application/json"}
    item = choose.choice(sorted(STOCK))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        if number % 3 == 0:
            connection.request("GET", f"/price/{item}", headers=headers)
        else:
            body = json.dumps({"item": item, "count": choose.randint(1, 10)})
            connection.request("POST", "/orders", body, headers)
        connection.getresponse().read()
    finally:
        connection.close()
    return trace_id


def report(path: Path, logged: int, dropped: int, trace_id: str) -> None:
    """Say what happened, and show one trace."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    print(f"\nlogged {logged}, delivered {len(records)}, dropped {dropped}")
    print(f"\none trace, {trace_id}, in order:")
    for record in records:
        if record.get("trace_id") == trace_id:
            scope = record["scope"]["name"]
            print(f"  {record['timestamp']}  {record['severity_text']:<8} {scope:<12} {record['body']}")
    print(f"\nthe file: {path}\none record of it:\n{json.dumps(records[-1], indent=2)}")


class Counting(logging.Filter):
    """Counts the records that the log calls hand over."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Count one record and let it pass."""
        with self._lock:
            self.count += 1
        return True


def main() -> None:
    """Serve, send, compute, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--threads", type=int, default=8, help="client threads")
    parser.add_argument("--folder", type=Path, default=Path("logs"), help="where the log file goes")
    options = parser.parse_args()
    os.environ.setdefault("OTEL_SERVICE_NAME", "shop")
    path = configure(options.folder.resolve())
    queue: Any = logging.getLogger().handlers[0]
    counting = Counting()
    queue.addFilter(counting)
    with serving() as port, computing(), ThreadPoolExecutor(options.threads) as clients:
        sent = clients.map(lambda number: send(port, number), range(options.requests))
        traces = list(tqdm(sent, total=options.requests, unit=" requests", mininterval=0.5))
    queue.flush(30.0)
    dropped = sum(queue.health()["dropped"].values())
    report(path, counting.count, dropped, traces[1])


if __name__ == "__main__":
    main()
