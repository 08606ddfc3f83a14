"""Spools seen from outside: read, whether their process lives or not; deleted only when nothing waits in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from otel_stdlib.delivery.contract import make_uid
from otel_stdlib.facts.errors import ConfigError, SpoolUnavailable
from otel_stdlib.spool.cursor import CursorFile, cursor_name
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.envelope import pick
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.ids import is_spool_id
from otel_stdlib.spool.lock import try_lock
from otel_stdlib.spool.manifest import Manifest, Target
from otel_stdlib.spool.orphan import Orphan, tidy
from otel_stdlib.spool.place import open_directory
from otel_stdlib.spool.reader import Reader
from otel_stdlib.spool.segment import Descriptor

__all__ = ["SpoolView", "tidy_spools", "view_spools"]


@dataclass
class SpoolView:
    """One spool."""

    root: Path
    orphan: Orphan
    #: Whether a process holds it: its owner or an adopter.
    held: bool

    @property
    def spool_id(self) -> str:
        """Its id."""
        return self.orphan.spool_id

    @property
    def manifest(self) -> Manifest | None:
        """Its manifest, None when no copy is whole."""
        return self.orphan.manifest

    def uid(self, frame: Frame) -> str:
        """The uid of a record in it."""
        return make_uid(self.spool_id, frame.lsn)

    def cursor(self, target: Target) -> int:
        """How far a destination is."""
        name = cursor_name(target.hash)
        if name not in self.orphan.directory.names():
            return 0
        return CursorFile(self.orphan.directory.fd, name).value

    def frames(self, wanted: str | None = None) -> Iterator[Frame]:
        """Its records in order; with ``wanted`` only those that this destination has not got.

        Raises:
            ConfigError: no destination of that name or kind.
        """
        start = 0
        numbers: list[int | None] = [None]
        if wanted is not None:
            matching = [t for t in self.orphan.targets if wanted in (t.name, t.identity.kind)]
            if not matching:
                names = ", ".join(t.name for t in self.orphan.targets) or "none"
                raise ConfigError(f"the spool {self.spool_id} has no destination {wanted!r}; it has {names}")
            start = min(self.cursor(target) for target in matching)
            numbers = [number for number, t in enumerate(self.orphan.targets) if t in matching]
        store = self.orphan.new_store()
        reader = Reader(store, self.orphan.seed)
        while start < store.head():
            frames, start, _ = reader.read(start, 1000, 1 << 20)
            for frame in frames:
                picked = (pick(frame, number) for number in numbers)
                found = next((each for each in picked if each is not None), None)
                if found is not None:
                    yield found

    def describe(self) -> list[str]:
        """Lines for a person."""
        manifest = self.manifest
        state = "in use" if self.held else "left by a dead process"
        total = sum(1 for _ in self.frames())
        lines = [
            f"{self.spool_id}  {state}, {total} records, {self.orphan.size_bytes():,} bytes  ({self.root})"
        ]
        if manifest is None:
            lines.append("  no whole manifest: what it was for is not known; 'cat' shows its records")
            return lines
        since = datetime.fromtimestamp(manifest.created_ns / 1e9, timezone.utc)
        lines.append(f"  since {since:%Y-%m-%d %H:%M:%S} UTC, process {manifest.pid}")
        for number, target in enumerate(manifest.targets):
            start = self.cursor(target)
            store = self.orphan.new_store()
            waiting, oldest = _count(Reader(store, self.orphan.seed), store.head(), start, number)
            age = ""
            if oldest is not None:
                age = f", the oldest from {datetime.fromtimestamp(oldest / 1e9, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
            lines.append(
                f"  {target.name} ({target.identity.kind} {target.identity.text}): {waiting} waiting{age}"
            )
        return lines


def _count(reader: Reader, head: int, start: int, target: int) -> tuple[int, int | None]:
    count = 0
    oldest = None
    while start < head:
        read, start, _ = reader.read(start, 1000, 1 << 20)
        frames = [frame for frame in read if pick(frame, target) is not None]
        if frames and oldest is None:
            oldest = frames[0].time_ns
        count += len(frames)
    return count, oldest


def tidy_spools(root: Path) -> int:
    """Delete the spools in one folder in which nothing waits; how many there were. Another user's are left."""
    try:
        return tidy(open_directory(root))
    except (OSError, SpoolUnavailable):
        return 0


def view_spools(root: Path) -> Iterator[SpoolView]:
    """The spools in one folder, oldest first.

    Raises:
        ConfigError: the folder cannot be read.
    """
    try:
        descriptor = open_directory(root)
        names = sorted(os.listdir(descriptor.fd))
    except FileNotFoundError:
        return
    except (OSError, SpoolUnavailable) as error:
        raise ConfigError(f"{root} cannot be read: {error}") from error
    for name in names:
        if is_spool_id(name):
            view = _view(root, descriptor, name)
            if view is not None:
                yield view


def _view(root: Path, descriptor: Descriptor, name: str) -> SpoolView | None:
    try:
        directory = open_directory(name, descriptor.fd)
        lock = try_lock(directory.fd)
        held = lock is None
        if lock is not None:
            lock.close()
        unlocked = Descriptor(os.dup(directory.fd))
        return SpoolView(root, Orphan(SpoolDirectory(descriptor, name, directory, unlocked)), held)
    except (OSError, SpoolUnavailable):
        return None  # it was delivered and deleted meanwhile, or is not ours
