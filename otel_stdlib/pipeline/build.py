"""Making a generation: the place, the spool, a delivery thread for each outlet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.fallback import Fallback, Primary
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.clock import wall_ns
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.facts.gil import report_gil
from otel_stdlib.pipeline.adoption import Adopter
from otel_stdlib.pipeline.generation import Generation
from otel_stdlib.pipeline.outlet import Outlet
from otel_stdlib.pipeline.sieve import Place
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.spool.compiled import spool_kind
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.spool.manifest import Manifest, Target
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.orphan import Scanner
from otel_stdlib.spool.place import advice, choose_root, open_root, own_root
from otel_stdlib.spool.segment import Descriptor
from otel_stdlib.spool.writer import Spool

__all__ = ["build_generation"]


def build_generation(
    outlets: Sequence[Outlet],
    formatter: OTelFormatter,
    options: SpoolOptions,
    counters: Counters,
    on_gone: Callable[[Generation], None],
    respect_level: bool,
    filters: bool = False,
) -> Generation:
    """A new generation, not started. Some milliseconds: the first segment is prepared here."""
    report_gil()
    resource = formatter.resource()
    targets = {}
    for outlet in outlets:
        identity = outlet.identity  # once: a file's takes system calls
        target = Target(identity, outlet.outlet_name)
        if target.hash in targets:
            say(
                f"twice:{target.hash}",
                f"two handlers write to {identity.kind} {identity.text}; only the first one is used",
            )
            continue
        targets[target.hash] = (target, outlet, identity)
    spool_id = new_spool_id()
    manifest = Manifest(
        spool_id,
        wall_ns(),
        os.getpid(),
        resource.json,
        tuple(target for target, _, _ in targets.values()),
    ).dump()
    place = _open_place(options, str(resource.attributes.get("service.name", "service")))
    root = place if isinstance(place, tuple) else None
    spool = _make_spool(spool_id, manifest, options, place, counters)
    workers = {}
    for key, (_, outlet, identity) in targets.items():
        workers[key] = DestinationWorker(
            outlet.make_destination(),
            outlet.policy,
            dead_letters=DeadLetterFile.for_target(
                None if root is None else root[0], identity, partial(_count_letters, counters)
            ),
            counters=Counters(),
            accept=outlet.make_accept(respect_level),
        )
    unique = {key: outlet for key, (_, outlet, _) in targets.items()}
    fallbacks = _make_fallbacks(unique, workers, respect_level)
    places = _make_places(unique, workers, respect_level, filters)
    templates = frozenset(place.key for place in places if place.wants_template)
    adopter = None
    if root is not None:
        adopter = Adopter(Scanner(root[1], lambda: (spool_id,)), workers, fallbacks, templates)
    origin = Origin(spool_id, resource.json)
    return Generation(spool, workers, origin, adopter, counters, on_gone, fallbacks, places)


def _make_places(
    outlets: Mapping[str, Outlet],
    workers: Mapping[str, DestinationWorker],
    respect_level: bool,
    filters: bool,
) -> list[Place]:
    return [
        Place(
            key,
            outlet.filterer if filters else None,
            outlet.make_accept(respect_level),
            workers[key].status.counters,
            outlet.reads_template,
        )
        for key, outlet in outlets.items()
    ]


def _make_fallbacks(
    outlets: Mapping[str, Outlet], workers: Mapping[str, DestinationWorker], respect_level: bool
) -> dict[str, Fallback]:
    """The fallbacks of those outlets that have one.

    A file that is written already is refused: it keeps one position for each spool.
    """
    made: dict[str, Fallback] = {}
    taken = set(outlets)
    for key, outlet in outlets.items():
        found = outlet.make_fallback()
        if found is None:
            continue
        destination, after = found
        target = destination.identity.hash
        if target in taken:
            say(
                f"fallback:{target}",
                f"the fallback of {outlet.outlet_name} is not used: {destination.identity.key} is written already",
            )
            continue
        taken.add(target)
        worker = workers[key]
        primary = Primary(worker.outage_since, worker.cursors, after)
        made[key] = Fallback(destination, primary, accept=outlet.make_accept(respect_level))
    return made


def _count_letters(counters: Counters, gone: Mapping[int, int]) -> None:
    for severity, count in gone.items():
        counters.add(f"letters:{severity}", count)


def _open_place(options: SpoolOptions, service: str) -> tuple[Path, Descriptor] | str | None:
    """The folder for spools; or why there is none; None: it is not wanted."""
    if options.durability == "memory":
        return None
    path = None
    try:
        path = choose_root(options.directory, service)
        return path, open_root(path)
    except SpoolUnavailable as error:
        other = None if path is None else own_root(path, service)
        if other is None:
            return f"{error}{advice()}"
        say("other-place", f"this process gave up its privileges ({error}): its spool is in {other}")
        return other, open_root(other)


def _make_spool(
    spool_id: str,
    manifest: bytes,
    options: SpoolOptions,
    place: tuple[Path, Descriptor] | str | None,
    counters: Counters,
) -> Spool:
    directory = None
    reason = place if isinstance(place, str) else None
    if isinstance(place, tuple):
        try:
            directory = SpoolDirectory.create(place[1], spool_id, manifest)
        except (OSError, SpoolUnavailable) as error:
            reason = f"{place[0]}: {error}"
    spool = spool_kind(options)(spool_id, manifest, options, directory, counters)
    if reason is not None:
        spool.supply.error = OSError(reason)
        say("memory", f"records are kept in memory only and do not survive this process: {reason}")
    return spool
