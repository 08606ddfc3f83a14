"""A small web shop under load, logging through ``logging.yaml``: ``python examples/quickstart.py``.

An ordinary Flask application is served on loopback. Client threads send it real HTTP requests with
W3C ``traceparent`` headers while another thread of the same process computes without a pause. What
Flask, Werkzeug and the application log arrives as complete OpenTelemetry records in a JSONL file.

Then a second process logs to the same file and is killed with SIGKILL in the middle. The first one
delivers what the dead process left: every record whose log call had returned is in the file, once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import random
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import yaml
from tqdm import tqdm
from werkzeug.serving import make_server

from otel_stdlib import OTelQueueHandler, attach, detach, load_dict_config, parse_traceparent

ROOT = Path(__file__).resolve().parent.parent
#: The calls that must have returned before the writer is killed.
KILL_AFTER = 3000
log = logging.getLogger("shop.orders")
stock_log = logging.getLogger("shop.stock")


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


def configure(path: Path) -> OTelQueueHandler:
    """Load ``logging.yaml`` with ``path`` as its log file; the queue handler of the root logger."""
    with (ROOT / "logging.yaml").open(encoding="utf-8") as file:
        config = yaml.safe_load(file)
    config["handlers"]["file"]["filename"] = str(path)
    config["handlers"]["queue"]["service_name"] = "shop"
    load_dict_config(config)
    return next(handler for handler in logging.getLogger().handlers if isinstance(handler, OTelQueueHandler))


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


def send(port: int, number: int) -> None:
    """Send one request as a client does, in a new trace."""
    choose = random.Random(number)
    traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    headers = {"traceparent": traceparent, "Content-Type": "application/json"}
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


# A process that is killed.


def write(path: Path) -> None:
    """Log without end, and acknowledge each log call on stdout once it has returned."""
    configure(path)
    for number in range(sys.maxsize):
        stock_log.info("item %s counted", number, extra={"number": number})
        os.write(1, b"%d\n" % number)


def counted(path: Path) -> Counter[int]:
    """How often each of the writer's records is in the file."""
    numbers: Counter[int] = Counter()
    for record in read(path):
        if record["scope"]["name"] == stock_log.name:
            numbers[record["attributes"]["number"]] += 1
    return numbers


def kill_a_writer(path: Path) -> bool:
    """Kill a process in the middle of its log calls; whether all it had logged is in the file, once."""
    command = [sys.executable, __file__, "--write", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        returned = [int(next(writer.stdout)) for _ in range(KILL_AFTER)]
        writer.kill()  # SIGKILL: no handler, no atexit, no flush
        returned += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    at_once = counted(path)
    # This process writes the same file. It finds the dead one's spool and delivers it.
    deadline = time.monotonic() + 60
    while (found := counted(path)).keys() < set(returned) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(0.5)  # anything that came twice would come now
    found = counted(path)
    lost = len(set(returned) - found.keys())
    doubled = sum(count > 1 for count in found.values())
    print("\na second process was killed with SIGKILL in the middle of its log calls:")
    print(f"  log calls that had returned    {len(returned):>6}")
    print(f"  of these in the file just then {len(at_once.keys() & set(returned)):>6}")
    print(f"  of these in the file now       {len(found.keys() & set(returned)):>6}")
    print(f"  lost {lost}, doubled {doubled}")
    return not lost and not doubled


# What it shows.


def read(path: Path) -> list[dict[str, Any]]:
    """The records in the file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def report(path: Path, logged: int, dropped: int) -> bool:
    """Show the counts, one trace and one record; whether nothing is missing."""
    records = read(path)
    print(f"\nlogged {logged}, delivered {len(records)}, dropped {dropped}")
    trace_id = next(record["trace_id"] for record in records if record["body"] == "order placed")
    print(f"\none trace, {trace_id}, in order:")
    trace = [record for record in records if record.get("trace_id") == trace_id]
    for record in trace:
        scope = record["scope"]["name"]
        print(f"  {record['timestamp']}  {record['severity_text']:<8} {scope:<12} {record['body']}")
    shown = next(record for record in trace if record["scope"]["name"] == log.name)
    resource = shown.pop("resource")
    print(f"\nits first record, without the {len(resource)} attributes of the resource:")
    print(json.dumps(shown, indent=2))
    return logged == len(records) and not dropped


def say_what_is_next(path: Path) -> None:
    """Three commands to go on with."""
    python = os.path.relpath(sys.executable) if sys.prefix != sys.base_prefix else sys.executable
    config = os.path.relpath(ROOT / "logging.yaml")
    print(f"\nthe file: {path}")
    print("\nNext: copy logging.yaml to your project and load it with otel_stdlib.load_dict_config(...).")
    for what, arguments in (
        ("Check it, and see what it does", f"check {config}"),
        ("See what waits for delivery", "spool ls"),
        ("Deliver what dead processes left", f"spool drain --config {config}"),
    ):
        print(f"  {what}:\n    {python} -m otel_stdlib {arguments}")


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


def main() -> int:
    """Serve, send, compute, kill, and report; 1 when a record is missing or doubled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--threads", type=int, default=8, help="client threads")
    parser.add_argument("--folder", type=Path, default=Path("logs"), help="where the log file goes")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write)
    path = options.folder.resolve() / time.strftime("quickstart-%Y%m%d-%H%M%S.jsonl")
    queue = configure(path)
    counting = Counting()
    queue.addFilter(counting)
    with serving() as port, computing(), ThreadPoolExecutor(options.threads) as clients:
        sent = clients.map(lambda number: send(port, number), range(options.requests))
        for _ in tqdm(sent, total=options.requests, unit=" requests", mininterval=0.5):
            pass
    queue.flush(30.0)
    dropped = sum(queue.health()["dropped"].values())
    is_complete = report(path, counting.count, dropped)
    is_complete &= kill_a_writer(path)
    say_what_is_next(path)
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
