"""Spools for tests, made the way a pipeline makes them."""

from __future__ import annotations

import os
from pathlib import Path

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.compiled import spool_kind
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.spool.manifest import Manifest, Target
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.place import open_root
from otel_stdlib.spool.reader import Reader, Store
from otel_stdlib.spool.segment import Descriptor
from otel_stdlib.spool.writer import Spool

TARGET = Target(Identity("jsonl", "/var/log/app.jsonl"), "file")
SMALL = SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 20)


def root_at(path: Path) -> Descriptor:
    """A folder for spools under ``path``."""
    return open_root(path / "spools")


def manifest_for(spool_id: str, *targets: Target) -> Manifest:
    """A manifest of this process."""
    return Manifest(spool_id, 1, os.getpid(), b'{"service.name":"tests"}', targets or (TARGET,))


def make_spool(root: Descriptor | None, options: SpoolOptions = SMALL, *targets: Target) -> Spool:
    """A live spool, on disk or (without a root) in memory."""
    spool_id = new_spool_id()
    manifest = manifest_for(spool_id, *targets).dump()
    directory = None if root is None else SpoolDirectory.create(root, spool_id, manifest)
    return spool_kind(options)(spool_id, manifest, options, directory, Counters())


def put(spool: Spool, count: int, size: int = 100, level: int = 20, first: int = 0) -> list[int]:
    """Append numbered payloads; their LSNs."""
    return [
        spool.append(b"%08d" % n + b"." * (size - 8), level, 9, 1_000_000_000 + n)
        for n in range(first, first + count)
    ]


def payload_numbers(store: Store, seed: int, start: int = 0, piece: int = 97) -> list[int]:
    """The numbers of all payloads from ``start``, read in pieces."""
    reader = Reader(store, seed)
    found: list[int] = []
    while start < store.head():
        frames, end, _ = reader.read(start, piece, 1 << 14)
        assert end > start, "a read that does not advance never ends"
        found += [int(frame.payload[:8]) for frame in frames]
        start = end
    return found
