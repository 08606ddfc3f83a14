"""What one call of the encoder costs, part by part, beside a call into a ``NullHandler``.

    python -m benchmarks.encode [--calls 2000] [--rounds 50]

Each number is the smallest mean of several rounds: the cost without what else the machine does.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import timeit
from collections.abc import Callable
from typing import Any

from otel_stdlib import SpanContext, attach, detach
from otel_stdlib.filters import TraceContextFilter
from otel_stdlib.record.encoder import LineEncoder

EXTRA = {"user_id": "u-123", "count": 3, "ok": True}
CONTEXT = SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


def best(call: Callable[[], object], calls: int, rounds: int) -> float:
    """Nanoseconds of one call."""
    return min(timeit.repeat(call, number=calls, repeat=rounds)) / calls * 1e9


def record(
    extra: dict[str, Any] | None = None, message: object = "hello %s", **more: Any
) -> logging.LogRecord:
    """A record as a logger makes it."""
    args = ("bob",) if isinstance(message, str) and "%" in message else ()
    made = logging.getLogger("bench").makeRecord(
        "bench", logging.INFO, __file__, 12, message, args, more.pop("exc_info", None), "f", extra
    )
    made.__dict__.update(more)
    return made


def _exc_info() -> Any:
    try:
        raise ValueError("v")
    except ValueError:
        return sys.exc_info()


def parts() -> dict[str, tuple[logging.LogRecord, bool]]:
    """Records by what they hold, and whether a context of ours is current."""
    token = attach(CONTEXT)
    filtered = record(EXTRA)
    TraceContextFilter().filter(filtered)
    detach(token)
    return {
        "no argument, no extra, no trace": (record(message="hello"), False),
        "one argument": (record(), False),
        "three extras": (record(EXTRA), False),
        "three extras, own trace": (record(EXTRA), True),
        "the same with the filter's fields": (filtered, True),
        "a dict and a list as extras": (record({"a": {"b": 1}, "c": [1, 2]}), True),
        "a Decimal-like object as extra": (record({"a": 1 + 2j}), True),
        "a dict as message": (record(message={"a": 1, "b": "two"}), True),
        "an event": (record({"event.name": "cart.add", "n": 1}), True),
        "arguments that do not fit": (record(message="%s and %s"), True),
        "a user's own thread.name": (record({"thread.name": "mine"}), True),
        "an exception": (record(exc_info=_exc_info()), True),
    }


def null_logger() -> logging.Logger:
    """A logger that does nothing with its records."""
    logger = logging.getLogger("bench.null")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers[:] = [logging.NullHandler()]
    return logger


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    logger = null_logger()
    floor = best(lambda: logger.info("hello %s", "bob", extra=EXTRA), options.calls, options.rounds)
    print(f"CPython {platform.python_version()}; NullHandler, one argument, three extras: {floor:.0f} ns\n")
    print(f"{'encode':<36}{'ns':>9}{'x NullHandler':>16}")
    for name, (made, traced) in parts().items():
        encoder = LineEncoder()
        token = attach(CONTEXT if traced else None)
        calls = options.calls if made.exc_info is None else options.calls // 10 + 1
        cost = best(lambda: encoder.encode(made), calls, options.rounds)  # noqa: B023 - called at once
        detach(token)
        print(f"{name:<36}{cost:>9.0f}{cost / floor:>16.2f}")


if __name__ == "__main__":
    main()
