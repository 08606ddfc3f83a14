"""Sending by hand what dead processes left, with the handlers of a configuration file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from otel_stdlib.cli.handlers import find_handler, find_handlers
from otel_stdlib.cli.inspect import view_spools
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.sources import OrphanSource
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import ConfigError, SpoolUnavailable
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.spool.ids import is_spool_id
from otel_stdlib.spool.orphan import Orphan, Scanner
from otel_stdlib.spool.place import open_root

__all__ = ["drain"]


class _Sender:
    """One handler's destination with its delivery thread."""

    def __init__(self, handler: DestinationHandler, root: Path) -> None:
        self.name = handler.outlet_name
        self.key = handler.identity.hash
        self.reads_template = handler.reads_template
        self.worker = DestinationWorker(
            handler.make_destination(),
            handler.policy,
            dead_letters=DeadLetterFile.for_target(root, handler.identity),
        )
        self.worker.start()


def drain(config: str, roots: Sequence[Path], spools: Sequence[str], to: str | None, timeout: float) -> int:
    """Deliver; 0 when nothing is left that these handlers could take, else 1.

    Raises:
        ConfigError: the configuration is wrong, or has no such handler.
    """
    for spool_id in spools:
        if not is_spool_id(spool_id):
            raise ConfigError(f"{spool_id!r} is no spool id: 'otel-stdlib spool ls' shows them")
    chosen = list(find_handlers(config).values()) if to is None else [find_handler(config, to)]
    deadline = monotonic() + timeout
    left = 0
    known = {view.spool_id for root in roots for view in view_spools(root)}
    if missing := set(spools) - known:
        raise ConfigError(f"no spool {', '.join(sorted(missing))} in {', '.join(map(str, roots))}")
    for root in roots:
        left += _drain_root(root, chosen, set(spools), to is not None, deadline)
    return 1 if left else 0


def _drain_root(
    root: Path, handlers: Sequence[DestinationHandler], spools: set[str], anywhere: bool, deadline: float
) -> int:
    try:
        descriptor = open_root(root)
    except SpoolUnavailable as error:
        raise ConfigError(str(error)) from error
    senders = [_Sender(handler, root) for handler in handlers]
    left = 0
    seen: set[str] = set()
    try:
        for orphan in Scanner(descriptor, lambda: ()).scan(monotonic()):
            if spools and orphan.spool_id not in spools:
                orphan.release()
                continue
            seen.add(orphan.spool_id)
            left += _drain_one(orphan, senders, anywhere, deadline)
        left += _report_held(root, spools, seen)
    finally:
        for sender in senders:
            sender.worker.stop(monotonic() + 1.0)
    return left


def _drain_one(orphan: Orphan, senders: Sequence[_Sender], anywhere: bool, deadline: float) -> int:
    """How many of its destinations still wait for it."""
    resource = b"{}" if orphan.manifest is None else orphan.manifest.resource
    waiting = {t.hash: t.name for t in orphan.targets if not orphan.is_settled(t.hash)}
    finished = orphan.is_finished()
    for sender in senders:
        if not finished and (anywhere or sender.key in waiting):
            origin = Origin(orphan.spool_id, resource)
            source = OrphanSource(orphan, origin, sender.key, sender.reads_template)
            sender.worker.add_source(source)
            done = sender.worker.flush({source: source.head()}, max(0.0, deadline - monotonic()))
            state = "delivered" if done else f"not finished: {_why(sender.worker)}"
            print(f"{orphan.spool_id} -> {sender.name}: {state}", flush=True)
            if done and anywhere:
                finished = True
            elif done:
                waiting.pop(sender.key, None)
                finished = orphan.manifest is not None and not waiting
    if finished:
        orphan.remove()
        return 0
    targets = {t.hash: f"{t.name} ({t.identity.kind} {t.identity.key})" for t in orphan.targets}
    rest = ", ".join(targets[key] for key in waiting) or "an unknown destination"
    asked = anywhere or any(sender.key in waiting for sender in senders)
    hint = (
        ""
        if asked
        else "; no handler of this configuration delivers there: correct it, or send the records elsewhere with --to"
    )
    print(f"{orphan.spool_id}: still waits for {rest}{hint}", file=sys.stderr)
    orphan.release()
    return max(1, len(waiting))


def _why(worker: DestinationWorker) -> str:
    error = worker.status.snapshot()["last_error"]
    return "the time was over" if error is None else f"last error: {error}"


def _report_held(root: Path, spools: set[str], seen: set[str]) -> int:
    """Report the spools that another process holds; how many of them were asked for by name."""
    held = 0
    for view in view_spools(root):
        if view.held and view.spool_id not in seen and (not spools or view.spool_id in spools):
            held += view.spool_id in spools
            pid = "" if view.manifest is None else f" (written by process {view.manifest.pid})"
            print(
                f"{view.spool_id}: locked by a running process{pid}, which delivers it itself",
                file=sys.stderr,
            )
    return held
