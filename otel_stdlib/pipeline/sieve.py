"""What each destination of one spool gets of a record: the filters of the handlers behind a queue handler.

They run in the log call, on the caller's thread and in its context. A filter sees a copy of the
record that is its destination's alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from otel_stdlib.delivery.accept import Accept
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.filtering import Drop, bind_filters, has_filters, run_filters, watch_filters
from otel_stdlib.facts.severity import level_of, severity_number
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.facts.suppressed import rule_of
from otel_stdlib.pipeline.private import is_untouched, private_copy
from otel_stdlib.record.callsite import is_delivery_thread
from otel_stdlib.record.template import template_of
from otel_stdlib.spool.envelope import Line, clamp_level, seal
from otel_stdlib.spool.frame import Frame

__all__ = ["Answers", "Place", "Sieve"]

_Encode = Callable[[logging.LogRecord], tuple[bytes, int, int] | None]
#: By destination, its line of a record; None: it gets nothing. A record that has to be put into
#: another spool, because of a reload, is not filtered twice.
Answers = dict[str, Line | None]


class Place(NamedTuple):
    """One destination."""

    #: The hash of its identity.
    key: str
    #: Whose filters are run; None: none are.
    handler: logging.Filterer | None
    #: Its level, when that counts.
    accept: Accept | None
    #: Of the destination: ``filtered`` and ``filter_errors`` are added to.
    counters: Counters
    #: Whether it reads templates.
    wants_template: bool

    def has_filters(self) -> bool:
        """Whether its handler has a filter now."""
        return self.handler is not None and has_filters(self.handler)

    def dropped(self, each: Any) -> Drop:
        """What counts a record that a filter has dropped."""

        def count(record: logging.LogRecord) -> None:
            self.counters.add("filtered")
            self.counters.add(f"suppressed:{rule_of(each)}:{severity_number(level_of(record))}")

        return count


class Sieve:
    """The filters of one generation's destinations. Any thread may call it.

    Args:
        encode: makes a record's line.
        places: the destinations, in the manifest's order.
        counters: of the pipeline: what a filter that raised cost.
        template: answers with a record's template.
    """

    def __init__(
        self,
        encode: _Encode,
        places: Sequence[Place],
        counters: Counters,
        template: Callable[[logging.LogRecord], bytes] = template_of,
    ) -> None:
        self.encode = encode
        self._template = template
        self._places = places
        self._counters = counters
        self.wants_templates = any(place.wants_template for place in places)

    def has_filters(self) -> bool:
        """Whether any of the handlers has a filter now."""
        return any(place.has_filters() for place in self._places)

    def watch(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, a bound method held weakly, when a filter is added or removed."""
        for place in self._places:
            if place.handler is not None:
                watch_filters(place.handler, listener)

    def bind_filters(self, home: object) -> None:
        """Let the filters know where they are."""
        for place in self._places:
            if place.handler is not None:
                bind_filters(place.handler.filters, place.handler, home)

    def filters(self) -> list[Any]:
        """Those of all the handlers."""
        return [each for place in self._places if place.handler is not None for each in place.handler.filters]

    def encode_with_template(self, record: logging.LogRecord) -> tuple[bytes, int, int] | None:
        """As the encoder's ``encode``, with the template for destinations that read one."""
        found = self.encode(record)
        if found is None or not (template := self._template(record)):
            return found
        payload, severity, time_ns = found
        line = Line(0, payload, severity, time_ns, clamp_level(level_of(record)), template)
        return seal((line,), 0), severity, time_ns

    def sort(self, record: logging.LogRecord, answers: Answers) -> tuple[bytes, int, int] | None:
        """What the spool is to hold of a record; None when no destination gets it.

        ``answers`` is filled. Never raises what a filter raises.
        """
        if is_delivery_thread(record):
            return None
        only_for = getattr(record, "only_for", None) if isinstance(record, Summary) else None
        if only_for is not None:
            # Of a filter of one of the handlers, or of another that is in front of all of them.
            mine = [place.key for place in self._places if place.handler is only_for]
            answers.update({place.key: None for place in self._places if mine and place.key not in mine})
        # Those without filters first: they get the record as it is before any filter has seen it.
        plain: Line | None = None
        for place in self._places:
            if place.key not in answers and not place.has_filters():
                answers[place.key] = None
                if self._is_wanted(place, record):
                    plain = plain or self._line(record)
                    answers[place.key] = plain
        for place in self._places:
            if place.key not in answers:
                answers[place.key] = self._answer(place, record, plain)
        return self._seal(answers, plain)

    def _is_wanted(self, place: Place, record: logging.LogRecord) -> bool:
        return place.accept is None or place.accept(Frame(0, 0, level_of(record), 0, b""))

    def _answer(self, place: Place, record: logging.LogRecord, plain: Line | None) -> Line | None:
        if not self._is_wanted(place, record):
            return None
        own, flat = private_copy(record)
        try:
            kept = own if place.handler is None else run_filters(place.handler, own, place.dropped)
        except Exception:
            # Closed, not open: a filter that hides secrets is the usual one.
            place.counters.add("filter_errors")
            self._counters.add(f"filter:{severity_number(level_of(record))}")
            return None
        if kept is None:
            return None
        if plain is not None and flat and kept is own and is_untouched(own, record):
            return plain
        return self._line(kept)

    def _line(self, record: logging.LogRecord) -> Line | None:
        found = self.encode(record)
        if found is None:
            return None
        template = self._template(record) if self.wants_templates else b""
        return Line(0, *found, clamp_level(level_of(record)), template)

    def _seal(self, answers: Answers, plain: Line | None) -> tuple[bytes, int, int] | None:
        masks: dict[Line, int] = {}
        for number, place in enumerate(self._places):
            line = answers[place.key]
            if line is not None:
                masks[line] = masks.get(line, 0) | 1 << number
        if not masks:
            return None
        # The unfiltered line last: a destination that is not in the manifest gets the first one.
        lines = [line._replace(mask=mask) for line, mask in masks.items() if line != plain]
        if plain in masks:
            lines.append(plain._replace(mask=masks[plain]))
        first = lines[0]
        return seal(lines, len(self._places)), first.severity, first.time_ns
