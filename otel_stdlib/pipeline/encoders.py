"""How a pipeline encodes: before there is a generation, and while handlers behind it have filters.

The log call asks for no mode: ``_encode`` is replaced when the mode changes, and answers None for a
record that it has seen to itself.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.severity import level_of, severity_number
from otel_stdlib.pipeline.home import Home
from otel_stdlib.pipeline.sieve import Answers, Place, Sieve
from otel_stdlib.record.callsite import is_delivery_thread
from otel_stdlib.record.compiled import fastest_encode
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.spool.answers import SEALED

if TYPE_CHECKING:
    from otel_stdlib.pipeline.generation import Generation
    from otel_stdlib.record.redacting import RedactingEncoder
    from otel_stdlib.redaction.options import Redaction

__all__ = ["Encode", "Encoders"]

Encode = Callable[[logging.LogRecord], "tuple[bytes, int, int] | None"]
Append = Callable[[bytes, int, int, int], int]


def _nowhere(*_: object) -> int:
    """Where records go before there is a spool."""
    return SEALED


class Encoders:
    """The part of a pipeline that runs in a log call but seldom. See ``Pipeline``."""

    counters: Counters
    _guard: Any
    _early: list[logging.LogRecord]
    _successor: Any
    _begin: Callable[[], bool]
    start: Callable[[], None]
    log: Callable[[logging.LogRecord], None]
    _encode: Encode
    _detaching: Any
    _generation: Generation | None
    #: What is masked before it is stored; None: nothing is.
    redaction: Redaction | None = None
    _redacting: type[RedactingEncoder]

    def _make_encoders(self) -> None:
        # Partial functions over a proxy: a bound method would keep the pipeline alive.
        proxy = weakref.proxy(self)
        self._first: Encode = partial(type(self)._encode_first, proxy)
        self._filtered: Encode = partial(type(self)._encode_filtered, proxy)
        self._encode = self._first
        self._append: Append = _nowhere
        #: How often each rule has masked something.
        self.redacted = Counters()

    def _make_sieve(self, formatter: OTelFormatter, places: Sequence[Place]) -> Sieve:
        encode = fastest_encode(formatter.encoder)
        if self.redaction is None:
            return Sieve(encode, places, self.counters)
        redacting = self._redacting(
            self.redaction,
            encode,
            self.redacted,
            formatter.static_attributes,
            wants_base=bool(formatter.encoder.wants_base),
        )
        redacting.warn_of(formatter.resource().attributes)
        return Sieve(redacting.encode, places, self.counters, redacting.template)

    def redact(self, option: object) -> None:
        """Mask secrets as the option ``redaction`` says; with None and False nothing is masked.

        Raises:
            ConfigError: it is wrong.
        """
        if option is None or option is False:
            return
        # Imported where it is used, as the rules are compiled then; and now, not in the first log call.
        from otel_stdlib.record.redacting import RedactingEncoder
        from otel_stdlib.redaction.options import Redaction

        self.redaction, self._redacting = Redaction.of(option), RedactingEncoder

    def redaction_report(self) -> dict[str, dict[str, int]]:
        """How often each rule has masked something, as a part of a status report; empty without redaction."""
        return {} if self.redaction is None else {"redaction": dict(self.redacted.snapshot())}

    def choose_encoder(self) -> None:
        """Encode plainly, unless a handler behind has a filter or reads templates. Called when filters change."""
        with self._detaching:
            sieve = None if self._generation is None else self._generation.sieve
            if sieve is None:
                self._encode = self._first
            elif sieve.has_filters():
                sieve.bind_filters(Home(self, self.log))
                self._encode = self._filtered
            else:
                self._encode = sieve.encode_with_template if sieve.wants_templates else sieve.encode

    @property
    def generation(self) -> Generation | None:
        """What runs now; in a forked child nothing of the parent's."""
        return self._generation if self._guard[0] else None

    def filters_behind(self) -> list[Any]:
        """The filters of the handlers behind it."""
        generation = self._generation
        return [] if generation is None or generation.sieve is None else generation.sieve.filters()

    def count_error(self, record: logging.LogRecord) -> None:
        """Count a record that ``log`` raised for; an exception from outside may have come behind its append."""
        self.counters.add(f"error:{severity_number(level_of(record))}")

    def count_filter_error(self, record: logging.LogRecord) -> None:
        """Count a record that is lost because a filter raised an error."""
        self.counters.add(f"filter:{severity_number(level_of(record))}")

    def _take_on(self, record: logging.LogRecord) -> bool:
        """Start what appends; False when the record is seen to already."""
        if self._successor is not None:
            self._successor.log(record)
            return False
        if not self._begin():
            # A signal handler or finalizer that logs while this very thread starts the generation.
            self._early.append(record)
            return False
        if self._encode is self._filtered:
            self._encode(record)  # what was encoded before was for handlers without filters
            return False
        return True

    def _append_again(self, record: logging.LogRecord) -> None:
        # Closed between the look at the guard and the append: the next generation takes it.
        for _ in range(100):
            if self._successor is not None:
                self._successor.log(record)
                return
            if not self._begin():
                self._early.append(record)
                return
            append = self._append
            encoded = self._encode(record)
            if encoded is None:
                return
            payload, severity, time_ns = encoded
            if append(payload, level_of(record), severity, time_ns) != SEALED:
                return
        self.counters.add(f"closed:{severity_number(level_of(record))}")

    def _encode_first(self, record: logging.LogRecord) -> None:
        """What is in an encoder's place until there is a generation: it logs the record itself."""
        if not is_delivery_thread(record) and self._take_on(record):
            self.log(record)  # by the encoder that the generation has chosen

    def _encode_filtered(self, record: logging.LogRecord) -> None:
        """What is in an encoder's place while handlers behind have filters: it logs the record itself."""
        answers: Answers = {}
        for _ in range(100):
            if self._successor is not None:
                self._successor.log(record)
                return
            if not self._guard[0] and not self._begin():
                self._early.append(record)
                return
            generation = self._generation
            if generation is None or generation.sieve is None:
                continue
            found = generation.sieve.sort(record, answers)
            if found is None:
                return
            # A filter may have forked, or taken so long that the handlers were changed.
            if self._guard[0] and generation.spool.append(found[0], level_of(record), *found[1:]) != SEALED:
                return
        self.counters.add(f"closed:{severity_number(level_of(record))}")
