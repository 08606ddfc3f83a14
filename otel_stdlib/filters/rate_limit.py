"""``RateLimitFilter``: lets so many records a second pass, by logger and template or any other key."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_names, check_seconds, check_whole, only_known
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.filters.excess import Excess
from otel_stdlib.filters.keys import Key, check_by, key_of, key_text
from otel_stdlib.filters.losses import Lost, lost_records, size_of
from otel_stdlib.filters.reporting import Reporting

__all__ = ["RateLimitFilter"]

_PARTS = ("logger", "template", "level", "none")
_BURST = 10.0


class _Bucket:
    """One key's: when it will be full again, and what it has not let pass since the last report."""

    __slots__ = ("lost", "per_unit", "tat", "width")

    def __init__(self, rate: float, burst: float) -> None:
        #: Seconds that a record, or a byte, costs.
        self.per_unit = 1.0 / rate
        #: Seconds' worth of cost that it holds.
        self.width = burst / rate
        self.tat = 0.0
        self.lost: Lost | None = None


class RateLimitFilter(Reporting):
    """Lets ``rate`` records or bytes a second pass for each key, and bursts; the rest is suppressed and reported.

    Token buckets on a monotonic clock. A forked child begins with full ones. It decides before the
    record is encoded.

    Args:
        rate: records or bytes a second.
        burst: how many may pass at once after a pause; ten times ``rate`` when left out.
        unit: ``records``; or ``bytes``, those of the message in UTF-8.
        by: what has a bucket of its own: a list of ``logger``, ``template`` (the message before its arguments are put
            in), ``level`` and ``attribute:NAME``; or ``none``, one for all.
        up_to: the highest level that is limited. Records above it always pass and cost nothing.
        max_keys: buckets that are kept; the one that was not used for longest is forgotten first.
        report: seconds between two records that report what was suppressed, one for each key; 0: none.
        excess: ``drop``; or a handler, or the name of one, that gets what does not pass.
        overrides: other ``rate`` and ``burst`` for keys that have this logger, template, level or value.
        rule: the name under which suppressed records are counted.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    order = 3

    @only_known("unknown option {} of RateLimitFilter")
    def __init__(
        self,
        rate: float = 100.0,
        *,
        burst: float | None = None,
        unit: str = "records",
        by: str | Sequence[str] = ("logger", "template"),
        up_to: int | str = "INFO",
        max_keys: int = 10_000,
        report: float = 10.0,
        excess: Any = "drop",
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        rule: str = "rate_limit",
    ) -> None:
        super().__init__(rule, up_to)
        self.rate, self.burst = _limits(rate, burst)
        check_choice("unit", unit, ("records", "bytes"))
        self.unit = unit
        self.by = check_by(by, _PARTS)
        check_whole("max_keys", max_keys, 1)
        self.max_keys = max_keys
        self._every = check_seconds("report", report, 0)
        self._excess = Excess(excess)
        self._overrides = _overrides(overrides)
        self._buckets: OrderedDict[Key, _Bucket] = OrderedDict()
        #: Keys with something to report, evicted ones too.
        self._suppressing: dict[Key, _Bucket] = {}
        self.decide = self._make()

    def _make(self) -> Callable[[logging.LogRecord], bool]:
        up_to, key_for, clock, new = self.up_to, key_of(self.by), monotonic, self._new
        size = size_of if self.unit == "bytes" else None
        buckets, suppress = self._buckets, self._suppress
        touch = buckets.move_to_end
        take = self._excess.take if self._excess else None

        def decide(record: logging.LogRecord) -> bool:
            try:
                if record.levelno > up_to:
                    return True
                key = key_for(record)
                cost = 1 if size is None else size(record)
                with self._lock:
                    now = clock()
                    bucket = buckets.get(key)
                    if bucket is None:
                        bucket = new(key)
                    else:
                        touch(key)
                    full = bucket.tat
                    if full < now:
                        full = now
                    full += cost * bucket.per_unit
                    if full - now <= bucket.width + 1e-9:
                        bucket.tat = full
                        return True
                    if type(record) is Summary:
                        return True
                    lost = bucket.lost
                    if lost is None or record.levelno > lost.level:
                        suppress(record, key, bucket, cost)
                    else:
                        lost.count += 1
                        lost.bytes += cost
                        lost.last = record.created
            except Exception:  # made by hand, or with objects that raise: no reason to lose it
                return True
            if take is not None:
                take(record)
            return False

        return decide

    def _new(self, key: Key) -> _Bucket:
        rate, burst = self.rate, self.burst
        for part in key:
            if self._overrides and str(part) in self._overrides:
                rate, burst = self._overrides[str(part)]
        bucket = self._suppressing.get(key) or _Bucket(rate, burst)
        if len(self._buckets) >= self.max_keys:
            self._buckets.popitem(last=False)
        self._buckets[key] = bucket
        return bucket

    def _suppress(self, record: logging.LogRecord, key: Key, bucket: _Bucket, cost: int) -> None:
        lost = bucket.lost
        if lost is None:
            attributes = {
                part[10:]: value
                for part, value in zip(self.by, key, strict=True)
                if part.startswith("attribute:")
            }
            bucket.lost = lost = Lost.none(key_text(self.by, key), record, attributes)
            self._suppressing[key] = bucket
            if self._every:
                if len(self._suppressing) > self.max_keys:
                    self.hurry()
                self.set_due(self._every)
        lost.add(record, cost)

    def collect(self, now: float, everything: bool) -> tuple[list[dict[str, Any]], float | None]:
        """A record for each key that lost something since the last report, one for all beyond the first hundred."""
        with self._lock:
            lost = [bucket.lost for bucket in self._suppressing.values() if bucket.lost is not None]
            for bucket in self._suppressing.values():
                bucket.lost = None
            self._suppressing.clear()
        return lost_records(self.rule, self.unit, lost) if self._every else [], None

    def renew(self) -> None:
        """Full buckets, in a forked child."""
        super().renew()
        self._buckets.clear()
        self._suppressing.clear()


def _rate(name: str, value: object, where: str = "") -> float:
    """Return a number above 0.

    Raises:
        ConfigError: it is something else.
    """
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if not 0 < number <= 1e15:
        raise ConfigError(f"option {name!r}{where} must be a number above 0, not {value!r}", option=name)
    return float(number)


def _limits(rate: object, burst: object, where: str = "") -> tuple[float, float]:
    number = _rate("rate", rate, where)
    return number, number * _BURST if burst is None else _rate("burst", burst, where)


def _overrides(given: object) -> dict[str, tuple[float, float]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(limits, Mapping) for limits in given.values()):
        raise ConfigError(
            f"option 'overrides' must be a mapping of mappings, such as {{acme: {{rate: 1000}}}}, not {given!r}",
            option="overrides",
        )
    found = {}
    for name, limits in given.items():
        where = f" of 'overrides.{name}'"
        check_names(limits, ("rate", "burst"), "unknown option {}" + where)
        found[str(name)] = _limits(limits.get("rate"), limits.get("burst"), where)
    return found
