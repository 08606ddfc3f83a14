"""Batches that one transaction is too short for."""

from __future__ import annotations

from collections.abc import Iterator

from otel_stdlib.delivery.contract import Batch

__all__ = ["pieces"]


def pieces(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch in parts of at most ``size`` records, each up to where the next one begins."""
    frames = batch.frames
    for first in range(0, len(frames), size):
        part = frames[first : first + size]
        start = part[0].lsn if first else batch.start
        end = frames[first + size].lsn if first + size < len(frames) else batch.end
        yield Batch(batch.origin, part, start, end)
