"""What one log call costs, beside its peers: ``python -m benchmarks.log_call [--write]``.

One INFO call with an argument, three extras and an active trace. Every measurement runs in a
process of its own; the contestants take turns, round by round, and the table shows medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence

from benchmarks.aims import aims_text
from benchmarks.contestants import CONTESTANTS, LABELS
from benchmarks.measure import MODES
from benchmarks.report import RESULTS, ROOT, command_line, machine, table, write_section

_PACKAGES = (
    "otel_stdlib",
    "orjson",
    "python-json-logger",
    "structlog",
    "loguru",
    "opentelemetry-sdk",
    "picologging",
)
#: Results of one contestant: mode -> measure -> one value a round.
Results = dict[str, dict[str, list[float]]]


def measure(name: str, mode: str, records: int) -> Mapping[str, float] | None:
    """One measurement in a fresh process and folder; None: the contestant cannot run here."""
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.measure", name, mode, str(records), folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        print(f"{name} {mode}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def run(names: Sequence[str], modes: Sequence[str], records: int, rounds: int) -> dict[str, Results]:
    """All rounds, the contestants taking turns inside each."""
    results: dict[str, Results] = {name: {mode: {} for mode in modes} for name in names}
    for number in range(rounds):
        for mode in modes:
            for name in names:
                _progress(f"round {number + 1}/{rounds} {mode:6} {name:12}")
                for key, value in (measure(name, mode, records) or {}).items():
                    results[name][mode].setdefault(key, []).append(value)
    _progress(" " * 60)
    return results


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, end="\r", file=sys.stderr, flush=True)


def _ratios(results: Mapping[str, Results], name: str) -> list[float]:
    floor = results.get("null", {}).get("mean", {}).get("mean_us", [])
    return [a / b for a, b in zip(results[name].get("mean", {}).get("mean_us", []), floor, strict=False)]


def _cell(values: Sequence[float], form: Callable[[float], str]) -> str:
    return form(statistics.median(values)) if values else "–"


def _us(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _times(value: float) -> str:
    return f"{value:.2f}"


#: Column head, mode, measure, form.
_COLUMNS: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("p50 µs", "spread", "p50_us", _us),
    ("p99 µs", "spread", "p99_us", _us),
    ("p99.9 µs", "spread", "p999_us", _us),
    ("max µs", "spread", "max_us", _us),
    ("end to end, records/s", "mean", "end_to_end", _whole),
    ("dropped", "mean", "dropped", _whole),
    ("beside a CPU-bound thread: mean µs", "cpu", "mean_us", _us),
    ("p99 µs", "cpu", "p99_us", _us),
    ("calls/s", "cpu", "calls", _whole),
    ("beside an fsync-heavy writer: p99.9 µs", "fsync", "p999_us", _us),
    ("max µs", "fsync", "max_us", _us),
)


def whole_table(results: Mapping[str, Results]) -> str:
    """Everything that was measured."""
    rows = []
    for name, result in results.items():
        cells = [LABELS[name], _cell(result.get("mean", {}).get("mean_us", []), _us)]
        cells.append(_cell(_ratios(results, name), _times))
        cells += [_cell(result.get(mode, {}).get(key, []), form) for _, mode, key, form in _COLUMNS]
        rows.append(cells)
    return table(["one INFO call", "mean µs", "× NullHandler", *(head for head, *_ in _COLUMNS)], rows)


def short_table(results: Mapping[str, Results]) -> str:
    """The part that the README shows: ratios and rates."""
    rows = [
        [
            LABELS[name],
            _cell(_ratios(results, name), _times),
            _cell(result.get("spread", {}).get("p99_us", []), _us),
            _cell(result.get("cpu", {}).get("p99_us", []), _us),
            _cell(result.get("mean", {}).get("end_to_end", []), _whole),
            _cell(result.get("mean", {}).get("dropped", []), _whole),
        ]
        for name, result in results.items()
    ]
    head = ["one INFO call", "mean, × NullHandler", "p99 µs", "p99 µs beside a CPU-bound thread"]
    return table([*head, "end to end, records/s", "dropped"], rows)


def main() -> None:
    """Measure, print, and with ``--write`` update the results and the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.log_call", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="records of one burst")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS), metavar="NAME"
    )
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md and README.md")
    options = parser.parse_args()
    results = run(options.only, options.modes, options.records, options.rounds)
    shown = {name: result for name, result in results.items() if any(result.values())}
    text = whole_table(shown)
    facts = (
        f"`{command_line('benchmarks.log_call')}`: {options.records:,} records a burst after a warm-up, "
        f"each measurement in its own process, {options.rounds} interleaved rounds, medians. {machine(_PACKAGES)}"
    )
    if aims := aims_text(shown):
        text = f"{text}\n\n{aims}"
    print(f"{text}\n\n{facts}")
    if options.write:
        write_section(RESULTS, "log_call", f"## One log call\n\n{text}\n\n{facts}")
        write_section(ROOT / "README.md", "log_call", short_table(shown))


if __name__ == "__main__":
    main()
