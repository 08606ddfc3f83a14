"""Tables, the machine they were measured on, and their places in Markdown files."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["RESULTS", "ROOT", "command_line", "machine", "table", "write_section"]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
#: Times mean little when other work shares the cores: what ran before this process is reported.
_LOAD = os.getloadavg()[0]
_HEAD = "# Results\n\nEach section is written by the command it names, with `--write`.\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading in a terminal."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join(
        "-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths)
    )
    return "\n".join([line(lines[0]), rule + "|", *map(line, lines[1:])])


def machine(packages: Sequence[str]) -> str:
    """One paragraph: processor, kernel, Python, versions, load and time of the run."""
    versions = ", ".join(f"{name} {version}" for name in packages if (version := _version(name)))
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {_processor()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, CPython {platform.python_version()}, "
        f"load average before {_LOAD:.1f}.{f' {versions}.' if versions else ''}"
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def command_line(module: str) -> str:
    """The command that made a table."""
    return f"python -m {module} {shlex.join(sys.argv[1:])}".strip()


def write_section(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the markers ``name`` in a Markdown file; at its end when there are none."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in before and end in before:
        head, _, rest = before.partition(begin)
        after = head + section + rest.partition(end)[2]
    else:
        after = f"{before.rstrip()}\n\n{section}\n"
    path.write_text(after, encoding="utf-8")
