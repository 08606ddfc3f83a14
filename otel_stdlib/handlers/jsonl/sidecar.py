"""Changing a sidecar. One value is changed by one write of one copy.

So a kill at any moment leaves the newest value or the one before, never a mixture.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from otel_stdlib.handlers.jsonl import layout
from otel_stdlib.handlers.jsonl.layout import NO_SLOT, RECOVERED, Entry, Header, Slot, entry_place, pack
from otel_stdlib.handlers.jsonl.osio import write_at
from otel_stdlib.handlers.jsonl.view import SidecarView

__all__ = ["MAX_ENTRIES", "MAX_RECOVERED", "Sidecar"]

#: Entries that a sidecar grows by, and where it stops: 2 MB.
_GROWTH = 32
MAX_ENTRIES = 16_384
#: How many spools a search of the files may bring back that no entry stood for.
MAX_RECOVERED = 1_024
_FREE = bytes(layout.ENTRY_PAIR)


class Sidecar(SidecarView):
    """How far each spool is stored, and the block that is being written.

    Every method is called while the lock is held.
    """

    def open_slot(self, slot: Slot) -> None:
        """Say what is about to be written; its sequence number is given here."""
        slot = slot._replace(sequence=self.slot.sequence + 1)
        self._write(layout.SLOT_PLACE, layout.SLOT_COPY, slot)
        self.slot = slot

    def clear_slot(self) -> None:
        """Say that no block is being written."""
        if self.slot.length:
            self.open_slot(NO_SLOT)

    def put(self, key: str, cursor: int, stored: int) -> None:
        """Keep how far a spool is stored. Neither number goes back."""
        self.prepare(key)
        index = self._index[key]
        old = self._entries[index]
        if cursor <= old.cursor and stored <= old.stored:
            return
        cursor, stored = max(cursor, old.cursor), max(stored, old.stored)
        self._put_entry(index, Entry(old.sequence + 1, key, 0, cursor, stored, int(self._wall())))

    def prepare(self, key: str) -> int:
        """Up to where a spool is stored; its entry is made when there is none.

        Raises:
            OSError: the disk is full.
        """
        entry = self.entry(key)
        if entry is None:
            self._load()  # a process that died may have made it, or taken its place, without saying so
            if key not in self._index:
                self._add(Entry(key=key, touched=int(self._wall())))
            entry = self._entries[self._index[key]]
        return entry.stored

    def forget(self, key: str) -> None:
        """Drop what is known of a spool."""
        index = self._index.get(key)
        if index is not None:
            if self.slot.key == key:
                self.clear_slot()
            self._free(index)
            self._put_header(self.header)

    def keep_rollover(self, schedule: int, rollover: int) -> None:
        """Keep the time of the next rotation, and the rule it was reckoned by."""
        self._put_header(self.header._replace(schedule=schedule, rollover=rollover))

    def begin_repair(self) -> None:
        """Say that a repair is under way, before anything else is changed: killed in it, it begins again."""
        header = self.header._replace(room=max(self.header.room, _GROWTH), unsure=int(self.lost))
        self._put_header(header._replace(damaged=header.damaged + self.damaged))
        self._put_header(self.header)
        length = os.fstat(self._fd).st_size
        if length < entry_place(header.room):
            del self._raw[length:]
            self._extend(header.room)

    def repair(self, found: Mapping[str, int]) -> None:
        """Write whole copies again. ``found``: what the files say is stored of each spool.

        The slot must be settled before: it is cleared.
        """
        for index, entry in list(self._entries.items()):
            stored = max(entry.stored, found.get(entry.key, 0))
            if index in self._dirty or stored > entry.stored:
                self._put_entry(index, entry._replace(sequence=entry.sequence + 1, stored=stored))
        self._bring_back(found if self.lost else {})
        for index in self._dirty - self._entries.keys():
            self._free(index)
        self.open_slot(NO_SLOT)
        self.open_slot(NO_SLOT)
        self.damaged, self.lost = 0, False
        self._dirty, self._remembered = set(), {}
        if self.header.unsure:
            self._put_header(self.header._replace(unsure=0))

    def _bring_back(self, found: Mapping[str, int]) -> None:
        """Make the entries that are missing: those remembered, and the youngest of those found."""
        now = int(self._wall())
        for key, entry in self._remembered.items():
            stored = max(entry.stored, found.get(key, 0))
            if key in self._index:
                self.put(key, entry.cursor, stored)
            else:
                self._add(entry._replace(stored=stored, touched=now))
        # A ULID begins with the time.
        missing = sorted((key for key in found if key not in self._index), reverse=True)
        for key in missing[:MAX_RECOVERED]:
            self._add(Entry(key=key, flags=RECOVERED, stored=found[key], touched=now))

    def _add(self, entry: Entry) -> None:
        header = self.header
        index = next((n for n in range(header.room) if n not in self._entries and n not in self._dirty), None)
        if index is None and header.room < MAX_ENTRIES:
            index = header.room
            header = header._replace(room=index + _GROWTH)
            self._extend(header.room)
            self._put_header(header)
        elif index is None:
            # Make room: what only a search brought back, else what was not used for the longest time.
            index = min(
                self._entries,
                key=lambda n: (not self._entries[n].flags & RECOVERED, self._entries[n].touched),
            )
        if self._raw[entry_place(index) : entry_place(index + 1)] != _FREE:
            self._free(index)
        self._put_entry(index, entry._replace(sequence=1))
        self._index[entry.key] = index
        self._put_header(header)

    def _extend(self, room: int) -> None:
        # Zeros are written, not left out: a full disk must show here and not under a commit.
        begin = len(self._raw)
        missing = bytes(entry_place(room) - begin)
        write_at(self._fd, missing, begin)
        self._raw.extend(missing)

    def _free(self, index: int) -> None:
        place = entry_place(index)
        write_at(self._fd, _FREE, place)
        self._raw[place : place + len(_FREE)] = _FREE
        entry = self._entries.pop(index, None)
        if entry is not None and self._index.get(entry.key) == index:
            del self._index[entry.key]

    def _put_entry(self, index: int, entry: Entry) -> None:
        self._write(entry_place(index), layout.ENTRY_COPY, entry)
        self._entries[index] = entry

    def _put_header(self, header: Header) -> None:
        header = header._replace(sequence=self.header.sequence + 1)
        self._write(layout.HEADER_PLACE, layout.HEADER_COPY, header)
        self.header = header

    def _write(self, place: int, size: int, record: Header | Slot | Entry) -> None:
        place = layout.copy_place(place, size, record.sequence)
        data = pack(record, place)
        write_at(self._fd, data, place)
        self._raw[place : place + size] = data
