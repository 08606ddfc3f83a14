"""``otel-stdlib``: look into spools, send what waits, check configurations."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from otel_stdlib._native import core, missing
from otel_stdlib.cli import check, pipe, redact, replay, spool
from otel_stdlib.facts.errors import OTelStdlibError
from otel_stdlib.record.resource import package_version

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 something is wrong or left, 2 the command line is."""
    parser = argparse.ArgumentParser(
        prog="otel-stdlib", description="Spools, dead letters and configurations of otel_stdlib."
    )
    flavour = " (compiled)" if core is not None else f", {missing} (pure Python)"
    parser.add_argument("--version", action="version", version=f"otel_stdlib {package_version()}{flavour}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    spool.add_parser(commands)
    check.add_parser(commands)
    pipe.add_parser(commands)
    replay.add_parser(commands)
    redact.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except OTelStdlibError as error:
        print(f"otel-stdlib: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # ``| head`` went away: nothing is wrong, and the interpreter's own flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status
