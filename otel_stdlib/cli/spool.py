"""``otel-stdlib spool``: what lies in spools, readable lines of it, and sending it by hand."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from otel_stdlib.cli.drain import drain
from otel_stdlib.cli.inspect import SpoolView, tidy_spools, view_spools
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.record.line import close_line
from otel_stdlib.spool.place import choose_root

__all__ = ["add_parser", "add_place", "roots"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``spool`` and its verbs."""
    parser = commands.add_parser("spool", help="look into spools and send what waits in them")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    ls = verbs.add_parser(
        "ls", help="list what waits, since when and for which destination; delete what is delivered"
    )
    add_place(ls)
    ls.set_defaults(run=_ls)

    cat = verbs.add_parser("cat", help="the records as JSON lines")
    add_place(cat)
    cat.add_argument("spool", nargs="*", help="spool ids; all of them when left out")
    cat.add_argument("--for", dest="target", help="only what this destination (name or kind) has not got yet")
    cat.set_defaults(run=_cat)

    send = verbs.add_parser(
        "drain", help="deliver what dead processes left, with the handlers of a configuration"
    )
    add_place(send)
    send.add_argument("spool", nargs="*", help="spool ids; all that no living process holds when left out")
    send.add_argument("--config", required=True, help="a YAML file for logging.config.dictConfig")
    send.add_argument("--to", help="send everything to this handler, whatever destination it was meant for")
    send.add_argument("--timeout", type=float, default=60.0, help="seconds, 60 by default")
    send.set_defaults(run=_drain)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where spools lie."""
    parser.add_argument("--directory", help="the folder of spools: as the spool option 'directory'")
    parser.add_argument("--service", help="the service's name, where the folder is the user's state folder")


def roots(arguments: argparse.Namespace) -> list[Path]:
    """The folders that those options name: one, or those of all services in the user's state folder."""
    if arguments.directory or arguments.service or os.environ.get("OTEL_STDLIB_SPOOL_DIR"):
        return [choose_root(arguments.directory, arguments.service or "service")]
    parent = choose_root(None, "service").parent
    return sorted(path for path in parent.glob("*") if path.is_dir()) if parent.is_dir() else []


def _views(arguments: argparse.Namespace) -> Iterator[SpoolView]:
    wanted = set(getattr(arguments, "spool", ()))
    for root in roots(arguments):
        for view in view_spools(root):
            if not wanted or view.spool_id in wanted:
                wanted.discard(view.spool_id)
                yield view
    if wanted:
        raise ConfigError(f"no spool {', '.join(sorted(wanted))} in {', '.join(map(str, roots(arguments)))}")


def _ls(arguments: argparse.Namespace) -> int:
    removed = sum(map(tidy_spools, roots(arguments)))
    if removed:
        print(f"removed {removed} spools of dead processes in which nothing waited")
    empty = True
    for view in _views(arguments):
        empty = False
        print("\n".join(view.describe()))
    if empty:
        print("no spools in", ", ".join(map(str, roots(arguments))) or "the user's state folder")
    return 0


def _cat(arguments: argparse.Namespace) -> int:
    out = sys.stdout.buffer
    for view in _views(arguments):
        resource = b"{}" if view.manifest is None else view.manifest.resource
        for frame in view.frames(arguments.target):
            out.write(close_line(frame.payload, view.uid(frame).encode("ascii"), resource) + b"\n")
    out.flush()
    return 0


def _drain(arguments: argparse.Namespace) -> int:
    return drain(arguments.config, roots(arguments), arguments.spool, arguments.to, arguments.timeout)
