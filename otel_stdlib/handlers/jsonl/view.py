"""Reading a sidecar: what is known, what changed since the last look, what is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from otel_stdlib.handlers.jsonl import layout
from otel_stdlib.handlers.jsonl.layout import NO_SLOT, PAGE, Entry, Header, Slot, entry_place
from otel_stdlib.handlers.jsonl.lock import Hold
from otel_stdlib.handlers.jsonl.osio import read_at

__all__ = ["SidecarView"]


class SidecarView:
    """What one open sidecar says. ``wall`` gives seconds since 1970 UTC.

    Used while the lock is held. When ``suspect`` is true after a read, copies are damaged or
    missing: the values are the newest whole ones, and a repair is due.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._fd = -1
        self._raw = bytearray()
        self.header = Header()
        self.slot: Slot = NO_SLOT
        self._entries: dict[int, Entry] = {}
        self._index: dict[str, int] = {}
        #: Numbers of the pairs with a damaged copy.
        self._dirty: set[int] = set()
        #: Entries that were seen before and are missing now, or stood in a file that was removed.
        self._remembered: dict[str, Entry] = {}
        #: Damaged copies found and not yet repaired.
        self.damaged = 0
        #: Entries are missing that nothing but the files can bring back.
        self.lost = False

    @property
    def suspect(self) -> bool:
        """Whether a repair is due."""
        return self.damaged > 0 or self.lost or bool(self._remembered)

    def refresh(self, hold: Hold) -> None:
        """See what other processes changed since the last hold."""
        slot = NO_SLOT
        if hold.former is not None:
            self._fd = hold.former
            self._load()
            self._remember()
            slot = self.slot
        self._fd = hold.fd
        if not hold.fresh and not self.suspect:
            page = read_at(self._fd, PAGE, 0)
            if page == self._raw[:PAGE]:
                return
            if page[: layout.SLOT_PLACE] == self._raw[: layout.SLOT_PLACE] and len(page) == PAGE:
                self._take_page(page)
                return
        if hold.fresh:
            self._entries, self._index, self._raw = {}, {}, bytearray()
        self._load()
        if slot.length and not self.slot.length:
            self.slot = slot

    def distrust(self) -> None:
        """Read everything again next time: a write failed, or was interrupted."""
        self._raw = bytearray()

    def entry(self, key: str) -> Entry | None:
        """How far a spool is stored; None when nothing is known of it."""
        index = self._index.get(key)
        if index is None:
            return None
        place = entry_place(index)
        if place + layout.ENTRY_PAIR > PAGE:
            pair = read_at(self._fd, layout.ENTRY_PAIR, place)
            if len(pair) < layout.ENTRY_PAIR:
                self._load()
            else:
                self._read_pair(index, pair)
                self._raw[place : place + layout.ENTRY_PAIR] = pair
        entry = self._entries.get(index)
        if entry is None or entry.key != key:  # forgotten by a process that died before it said so
            self._load()
            index = self._index.get(key)
            return None if index is None else self._entries[index]
        return entry

    def entries(self) -> Mapping[str, Entry]:
        """Every spool that something is known of."""
        return {key: self._entries[index] for key, index in self._index.items()}

    def _take_page(self, page: bytes) -> None:
        """Take over a first page whose header is the old one."""
        if page[layout.SLOT_PLACE : layout.ENTRIES] != self._raw[layout.SLOT_PLACE : layout.ENTRIES]:
            self._read_slot(page)
        for index in range((PAGE - layout.ENTRIES) // layout.ENTRY_PAIR):
            self._read_pair(index, page[entry_place(index) : entry_place(index + 1)])
        self._raw[:PAGE] = page

    def _load(self) -> None:
        """Read all of it; what did not change is not decoded again."""
        raw = bytearray(read_at(self._fd, os.fstat(self._fd).st_size, 0))
        before = dict(self._index)
        kept = {key: self._entries[index] for key, index in before.items()}
        header, damaged = layout.read_header(bytes(raw[: layout.SLOT_PLACE]).ljust(layout.SLOT_PLACE, b"\0"))
        self.damaged, self._dirty = damaged, set()
        there = max(0, len(raw) - layout.ENTRIES) // layout.ENTRY_PAIR
        self.lost = header is None or header.unsure > 0 or there < header.room
        self.header = header or Header(room=there)
        raw.extend(bytes(max(0, entry_place(self.header.room) - len(raw))))
        self._read_slot(raw)
        for index in range(self.header.room):
            self._read_pair(index, bytes(raw[entry_place(index) : entry_place(index + 1)]))
        self._raw = raw
        if self.lost or self._dirty:
            self._remembered.update({key: kept[key] for key in kept if key not in self._index})

    def _remember(self) -> None:
        self._remembered.update(self.entries())

    def _read_slot(self, raw: bytes | bytearray) -> None:
        slot, damaged = layout.read_slot(bytes(raw[layout.SLOT_PLACE : layout.ENTRIES]))
        self.slot = slot or NO_SLOT
        self.damaged += damaged

    def _read_pair(self, index: int, pair: bytes) -> None:
        place = entry_place(index)
        known = index in self._entries or not pair.strip(b"\0")
        if known and index not in self._dirty and pair == self._raw[place : place + layout.ENTRY_PAIR]:
            return
        old = self._entries.pop(index, None)
        if old is not None and self._index.get(old.key) == index:
            del self._index[old.key]
        entry, damaged = layout.read_entry(pair, place)
        if damaged:
            self.damaged += damaged
            self._dirty.add(index)
        if entry is None:
            self.lost = self.lost or damaged > 0
            return
        self._entries[index] = entry
        twin = self._index.get(entry.key)
        if twin is None or self._entries[twin].stored < entry.stored:
            self._index[entry.key] = index
