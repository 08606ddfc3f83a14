"""The ordinary record, mostly without parsing it.

A line that the encoder wrote is cut where its parts are (``cut``): what repeats from record to record is
looked up by its bytes (level, trace, logger, place in the code and thread, and each of the caller's
attributes), and the body's bytes are what is sent, as they stand. A line that is no ordinary one is left
to whoever parses it.

Most lines come from the place of the line before: then what stands around the body is the same bytes, and
comparing them is all that is to be done about them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from otel_stdlib._native import core
from otel_stdlib.facts.memo import keep
from otel_stdlib.handlers.otlp.compiled import CompiledRecords, Pieces
from otel_stdlib.handlers.otlp.cut import BODY, LEVEL_AT, START, cut, is_place
from otel_stdlib.handlers.otlp.forms import Form, ProtobufForm
from otel_stdlib.handlers.otlp.pairs import NotOrdinary, PairWriter
from otel_stdlib.spool.frame import Frame

__all__ = ["QuickWriter", "Written"]

_QUOTE, _COMMA = b'",'
_BETWEEN = b',"'
_loads = orjson.loads
#: Makes the record of any frame, and the name of its scope.
Careful = Callable[[Frame], tuple[str, bytes]]


class Written(NamedTuple):
    """What became of frames."""

    #: Records by the names of their scopes, in their order. Of protobuf's, a part may be several records.
    scopes: dict[str, list[bytes]]
    #: The frames that hold a record.
    sound: Sequence[Frame]
    #: Why a frame holds none, by its LSN.
    damaged: dict[int, str]


class _Around(NamedTuple):
    """What stands around the body in the lines of one place, and how it is sent."""

    #: From the level to the body's first quote.
    lead: bytes
    #: From the body's last quote to the caller's attributes.
    middle: bytes
    scope: str
    level: bytes
    #: The attributes of the place.
    site: bytes
    #: Trace and event.
    tail: bytes


class QuickWriter:
    """Writes records in a form. Threads may share it.

    What they know of each other is what is remembered, and that may be made twice.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._compiled = CompiledRecords() if core is not None and isinstance(form, ProtobufForm) else None
        self._pairs = PairWriter(form)
        self._levels: dict[bytes, bytes] = {}
        self._tails: dict[bytes, bytes] = {}
        self._sites: dict[bytes, tuple[str, bytes]] = {}
        self._known: dict[tuple[bytes, bytes, bytes], _Around] = {}

    def write(self, frames: Sequence[Frame], spool_id: str, careful: Careful) -> Written:
        """The frames' records. ``careful`` makes that of any frame and its scope, or raises ``ValueError``."""
        uid = self._form.uid(f"{spool_id}-".encode("ascii"))
        scopes: dict[str, list[bytes]] = {}
        damaged: dict[int, str] = {}
        if self._compiled is not None and type(frames) is core.Frames:
            pure = partial(self._write, uid=uid, careful=careful, scopes=scopes, damaged=damaged)
            self._compiled.write(frames, uid, scopes, pure, self._pieces)
        else:
            self._write(frames, uid, careful, scopes, damaged)
        sound = [frame for frame in frames if frame.lsn not in damaged] if damaged else frames
        return Written({name: made for name, made in scopes.items() if made}, sound, damaged)

    # One function, as each call made from it would cost every record some per cent.
    def _write(
        self,
        frames: Sequence[Frame],
        uid: bytes,
        careful: Careful,
        scopes: dict[str, list[bytes]],
        damaged: dict[int, str],
    ) -> None:
        form = self._form
        time_of, body_of, whole, start, end = form.time, form.body, form.whole, form.start, form.end
        known, new_pair = self._pairs.known.get, self._pairs.new
        # What stands around the body of the line before. No line has these first ones.
        around: _Around | None = None
        lead = middle = b"\x00\x00"
        level = site = tail = b""
        begin = length = 0
        records: list[bytes] = []
        for frame in frames:
            lsn, time_ns, _, _, payload = frame
            try:
                stop = payload.find(b'"', begin) if payload.startswith(lead, LEVEL_AT) else -1
                body = payload[begin:stop]
                # With a backslash the quote that was found need not be the body's last one.
                if not payload.startswith(middle, stop) or b"\\" in body or not payload.startswith(START):
                    body, last, this = self._look(payload)
                    if this is not around:
                        around = this
                        lead, middle, scope, level, site, tail = around
                        begin, length = LEVEL_AT + len(lead), len(middle)
                        records = scopes.setdefault(scope, [])
                else:
                    last = stop + length
                if time_ns < 0:
                    raise NotOrdinary
                time = time_of(time_ns)
                parts = [start, time, level, body_of(body), site]
                if len(payload) > last:
                    if payload[last] != _QUOTE or payload[-1] != _COMMA:
                        raise NotOrdinary
                    pairs = {}
                    try:
                        for member in payload[last + 1 : -1].split(_BETWEEN):
                            key, pair = known(member) or new_pair(member)
                            pairs[key] = pair
                        parts += pairs.values()
                    except ValueError:
                        parts += self._pairs.parsed(payload[last:-1])
                parts += uid, b"%014x" % lsn, tail, time, end
                records.append(whole(b"".join(parts)))
            except Exception:  # NotOrdinary, or what a field of another kind raises
                try:
                    name, record = careful(frame)
                except Exception as error:  # whatever a record that is not ours holds: it alone is at fault
                    damaged[lsn] = f"the record cannot be read: {error}"
                else:
                    scopes.setdefault(name, []).append(record)

    def _pieces(self, payload: bytes) -> Pieces | None:
        """The pieces of a line, where it is an ordinary one."""
        found = cut(payload)
        if found is None:
            return None
        level, _, head, place, _ = found
        try:
            scope, site = self._sites.get(place) or self._new_site(place)
            field = self._levels.get(level) or self._new_level(level)
            tail = self._tails.get(head) or self._new_tail(head)
        except Exception:
            return None
        return Pieces(level, field, head, tail, place, site, scope)

    def _look(self, payload: bytes) -> tuple[bytes, int, _Around]:
        """Body, where the caller's attributes begin, and what is around the body, of any line.

        Raises:
            ValueError: it is no ordinary one.
        """
        found = cut(payload)
        if found is None:
            raise NotOrdinary
        level, body, head, place, last = found
        around = self._known.get((level, head, place))
        if around is None:
            scope, site = self._sites.get(place) or self._new_site(place)
            tail = self._tails.get(head) or self._new_tail(head)
            sent = self._levels.get(level) or self._new_level(level)
            middle = payload[last - len(place) - len(head) - 2 : last]
            around = _Around(level + BODY, middle, scope, sent, site, tail)
            keep(self._known, (level, head, place), around)
        return body, last, around

    def _new_level(self, level: bytes) -> bytes:
        return keep(self._levels, level, self._form.level(_loads(b"{%b}" % level)))

    def _new_tail(self, head: bytes) -> bytes:
        return keep(self._tails, head, self._form.tail(_loads(b"{%b}" % head[:-1])))

    def _new_site(self, place: bytes) -> tuple[str, bytes]:
        if not is_place(place):
            raise NotOrdinary
        found: dict[str, Any] = _loads(b"{%b}}" % place.rstrip(b","))
        return keep(self._sites, place, (found["scope"]["name"], self._form.site(found["attributes"])))
