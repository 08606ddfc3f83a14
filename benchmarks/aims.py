"""What a log call is meant to cost, and what of that was reached: a table from one run's results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from benchmarks.report import table

__all__ = ["aims_text"]

#: Results of one contestant: mode -> measure -> one value a round.
_Results = Mapping[str, Mapping[str, Mapping[str, list[float]]]]


def _median(results: _Results, name: str, mode: str, measure: str) -> float:
    return statistics.median(results[name][mode][measure])


def _ratio(results: _Results, name: str, peer: str, mode: str, measure: str) -> float:
    """The median of the rounds' ratios: the two were measured in turns."""
    pairs = zip(results[name][mode][measure], results[peer][mode][measure], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def _mean_ratio(peer: str) -> Callable[[_Results, str], float]:
    return lambda results, name: _ratio(results, name, peer, "mean", "mean_us")


def _dropped(results: _Results, name: str) -> float:
    return _median(results, name, "mean", "dropped")


#: Text, contestant, what is measured, limit, and whether it is a lower one.
_AIMS: tuple[tuple[str, str, Callable[[_Results, str], float], float, bool], ...] = (
    ("mean, own trace, × NullHandler", "own", _mean_ratio("null"), 2.0, False),
    ("mean, opentelemetry-api span, × NullHandler", "own-span", _mean_ratio("null"), 2.5, False),
    ("mean, TraceContextFilter, × NullHandler", "own-filter", _mean_ratio("null"), 2.5, False),
    ("mean, own trace, × stdlib QueueHandler", "own", _mean_ratio("queue"), 1.0, False),
    ("p99.9 in the burst, µs", "own", lambda r, n: _median(r, n, "spread", "p999_us"), 200, False),
    ("p99 beside a CPU-bound thread, µs", "own", lambda r, n: _median(r, n, "cpu", "p99_us"), 30, False),
    (
        "calls/s beside a CPU-bound thread, × FileHandler",
        "own",
        lambda r, n: _ratio(r, n, "file", "cpu", "calls"),
        20,
        True,
    ),
    (
        "end to end, × stdlib queue",
        "own",
        lambda r, n: _ratio(r, n, "queue", "mean", "end_to_end"),
        1.6,
        True,
    ),
    ("dropped", "own", _dropped, 0, False),
)


def aims_text(results: _Results) -> str:
    """The aims, with ``fast_records`` and without; empty where a contestant is missing."""
    rows = []
    try:
        for text, name, measure, limit, lower in _AIMS:
            cells = [text, f"{'≥' if lower else '≤'} {limit:g}"]
            for contestant in (f"{name}-fast", name):
                value = measure(results, contestant)
                shown = f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.2f}"
                cells.append(shown if (value >= limit if lower else value <= limit) else f"**{shown}**")
            rows.append(cells)
        null = _ratio(results, "null", "file", "cpu", "calls")
    except KeyError:
        return ""
    return (
        "What was aimed at; bold is what falls short. Where the time goes stands under "
        '"Where the time of a log call goes". Beside a CPU-bound thread a handler that lets the GIL go, as each write '
        "does, may wait 5 ms for it; how often depends on how soon the machine wakes the other thread. "
        f"`NullHandler` itself makes {null:.1f} × FileHandler's calls there, and no handler makes more.\n\n"
        f"{table(['aim', 'limit', 'with `fast_records`', 'without'], rows)}"
    )
