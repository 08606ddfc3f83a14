"""Sending by hand what dead processes left, with the handlers of a configuration file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from otel_stdlib.cli.handlers import find_handler, find_handlers
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
    try:
        for orphan in Scanner(descriptor, lambda: ()).scan(monotonic()):
            if spools and orphan.spool_id not in spools:
                orphan.release()
                continue
            left += _drain_one(orphan, senders, anywhere, deadline)
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
            print(
                f"{orphan.spool_id} -> {sender.name}: {'delivered' if done else 'not finished'}", flush=True
            )
            if done and anywhere:
                finished = True
            elif done:
                waiting.pop(sender.key, None)
                finished = orphan.manifest is not None and not waiting
    if finished:
        orphan.remove()
        return 0
    print(
        f"{orphan.spool_id}: still waits for {', '.join(waiting.values()) or 'an unknown destination'}",
        file=sys.stderr,
    )
    orphan.release()
    return max(1, len(waiting))
