"""How fast the facade logs to a back end of yours: ``python performance_test.py --logs 1000 --backend filesystem``.

Prints a table and draws it into ``performance_results/``. Needs ``pip install -e '.[performance]'`` in a
checkout. Servers are named by their handlers' own options::

    python performance_test.py --backend elasticsearch --config hosts='["http://localhost:9200"]'
    python performance_test.py --backend postgres --config host=localhost --config password='${PGPASSWORD}'
"""

from __future__ import annotations

import argparse
import os
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.performance import WAYS, compare, figures, measure
from benchmarks.report import RESULTS, write_section

_QUICK = 200
_COMPARED = (1_000, 100_000)


def _option(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, yaml.safe_load(string.Template(value).safe_substitute(os.environ))


def _run(logs: int, backend: str, options: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    results = {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{logs:,} logs to {backend}", total=len(WAYS))
        for way, result in measure(logs, backend, options):
            results[way] = result
            progress.advance(task)
    return results


def _show(results: Mapping[str, Mapping[str, float]], title: str) -> None:
    head, rows = figures(results)
    shown = Table(title=title)
    for number, name in enumerate(head):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(shown)


def _draw(results: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    rows = figures(results)[1]
    figure = Figure(figsize=(11, 4), layout="constrained")
    figure.suptitle(title)
    rates, latencies = figure.subplots(1, 2)
    names = [row[0] for row in rows]
    places = range(len(names))
    for axes, measures, unit in (
        (rates, (("logged", "logged"), ("delivered", "delivered")), "records/s"),
        (latencies, (("p50_us", "p50"), ("p99_us", "p99")), "µs a call"),
    ):
        for shift, (key, label) in zip((-0.2, 0.2), measures, strict=True):
            axes.barh([p + shift for p in places], [r[key] for r in results.values()], 0.4, label=label)
        axes.set_yticks(list(places), names)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> int:
    """Measure as the command line says; 1 when the back end does not take records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", type=int, default=1_000)
    parser.add_argument(
        "--backend",
        default="filesystem",
        choices=["filesystem", "elasticsearch", "postgres", "kafka", "otlp"],
    )
    parser.add_argument(
        "--config",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the back end",
    )
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} logs")
    parser.add_argument("--output", type=Path, default=Path("performance_results"), help="folder of the plot")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md; into a file")
    options = parser.parse_args()
    logs = _QUICK if options.quick else options.logs
    try:
        if options.write:
            found = {count: _run(count, "filesystem", {}) for count in _COMPARED}
            text = compare(found, "python performance_test.py --write")
            write_section(RESULTS, "performance", f"## The facade\n\n{text}")
            print(text)
            return 0
        results = _run(logs, options.backend, dict(options.config))
    except RuntimeError as error:
        print(f"performance_test.py: {error}", file=sys.stderr)
        return 1
    title = f"{logs:,} logs to {options.backend}"
    _show(results, title)
    plot = options.output / f"performance_{options.backend}.png"
    _draw(results, title, plot)
    print(f"plot: {plot}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
