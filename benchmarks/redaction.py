"""What redaction costs a clean log call: ``python -m benchmarks.redaction``.

One INFO call with an argument and three extras, in which nothing is secret. The handlers take turns in one process;
the table shows the medians of the rounds as ratios to a ``NullHandler`` of the same run. The peers' scrubbers are
given the same record's attributes, and a standard library filter has the same value rules.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.redaction import Redaction
from otel_stdlib.redaction.rules import BUILT_IN, DEFAULT_RULES

_EXTRAS = {"customer": "c-1017", "amount": 12.5, "items": 3}
_RULES = [BUILT_IN[name].pattern for name in DEFAULT_RULES if name in BUILT_IN]


class ScrubbingFilter(logging.Filter):
    """What is often written by hand: each rule over the message and the texts of the extras."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what a rule finds."""
        message = record.getMessage()
        for rule in _RULES:
            message = rule.sub("[REDACTED]", message)
        record.msg, record.args = message, ()
        for key in _EXTRAS:
            value = record.__dict__[key]
            if isinstance(value, str):
                for rule in _RULES:
                    value = rule.sub("[REDACTED]", value)
                record.__dict__[key] = value
        return True


class CallingFilter(logging.Filter):
    """Gives a peer's scrubber what it is given in its own pipeline: message and attributes."""

    def __init__(self, scrub: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._scrub = scrub

    def filter(self, record: logging.LogRecord) -> bool:
        """Scrub a dictionary of the record."""
        fields = record.__dict__
        self._scrub({"message": record.getMessage(), **{key: fields[key] for key in _EXTRAS}})
        return True


def _logfire() -> logging.Filter | None:
    try:
        scrubber = importlib.import_module("logfire._internal.scrubbing").Scrubber(None)
    except ImportError:
        return None
    return CallingFilter(lambda fields: scrubber.scrub_value(("attributes",), fields))


def _sentry() -> logging.Filter | None:
    try:
        scrubber = importlib.import_module("sentry_sdk.scrubber").EventScrubber(recursive=True)
    except ImportError:
        return None
    return CallingFilter(lambda fields: scrubber.scrub_event({"extra": fields}))


def _loggers(folder: Path) -> tuple[dict[str, logging.Logger], list[OTelQueueHandler]]:
    handlers: dict[str, logging.Handler] = {"NullHandler": logging.NullHandler()}
    queues = []
    ways: dict[str, Any] = {
        "without": None,
        "redaction: true": True,
        "with card, email, ip, iban, phone": None,
    }
    ways["with card, email, ip, iban, phone"] = {
        "values": ["default", "card", "email", "ip", "iban", "phone"]
    }
    for number, (name, redaction) in enumerate(ways.items()):
        queue = OTelQueueHandler(
            handlers=[JSONLFileHandler(folder / f"{number}.jsonl")],
            spool={"directory": str(folder / f"spool{number}")},
            redaction=redaction,
        )
        queues.append(queue)
        handlers[name] = queue
    peers = {
        "stdlib filter, same rules": ScrubbingFilter(),
        "logfire's scrubber": _logfire(),
        "sentry's scrubber": _sentry(),
    }
    for name, peer in peers.items():
        if peer is not None:
            handlers[name] = _Filtering(peer)
    loggers = {}
    for name, handler in handlers.items():
        logger = loggers[name] = logging.getLogger(f"benchmarks.redaction.{name.replace('.', ' ')}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
    return loggers, queues


class _Filtering(logging.Handler):
    def __init__(self, peer: logging.Filter) -> None:
        super().__init__()
        self._peer = peer

    def handle(self, record: logging.LogRecord) -> bool:
        """Only the filter."""
        return bool(self._peer.filter(record))


def _round(logger: logging.Logger, calls: int) -> float:
    begin = perf_counter()
    for number in range(calls):
        logger.info("order %s placed", number, extra=_EXTRAS)
    return (perf_counter() - begin) / calls * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        loggers, queues = _loggers(Path(folder))
        times: dict[str, list[float]] = {name: [] for name in loggers}
        for _ in range(arguments.rounds):
            for name, logger in loggers.items():
                times[name].append(_round(logger, arguments.calls))
        for queue in queues:
            queue.stop(60)
    null = statistics.median(times["NullHandler"])
    without = statistics.median(times["without"])
    engine = Redaction().redactor
    print(f"{len(engine.rules) + 2} rules; a NullHandler call takes {null:.2f} µs")
    print(f"{'':36} µs a call   x NullHandler   redaction alone, x NullHandler")
    for name, values in times.items():
        median = statistics.median(values)
        base = (
            null if name in ("NullHandler", "without") or "filter" in name or "scrubber" in name else without
        )
        alone = "" if name in ("NullHandler", "without") else f"{(median - base) / null:+.2f}"
        print(f"{name:36} {median:9.2f} {median / null:15.2f} {alone:>32}")


if __name__ == "__main__":
    main()
