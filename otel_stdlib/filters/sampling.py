"""``SamplingFilter``: keeps a share of records, the same traces everywhere."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.memo import keep
from otel_stdlib.facts.options import check_flag, check_names, nearest, only_known
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.filters.randomness import (
    KEEP_ALL,
    explicit_randomness,
    hashed_randomness,
    parse_threshold,
    threshold,
    written,
)
from otel_stdlib.filters.suppressing import Suppressing, check_level_option, check_text
from otel_stdlib.record.context import SpanContext
from otel_stdlib.record.current import current_span

__all__ = ["SamplingFilter"]

THRESHOLD = "sampling.threshold"
RANDOMNESS = "sampling.randomness"
_SOURCES = ("trace", "record", "correlation_id")
_RULE_OPTIONS = ("logger", "level", "ratio")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}\Z")
_UNSAMPLED = frozenset("02468ace")


class SamplingFilter(Suppressing):
    """Keeps a share of the records up to a level, and all records of a trace or none.

    The decision is OpenTelemetry's consistent probability sampling: the last 56 bits of the trace id (or ``rv`` of
    the ``tracestate`` entry ``ot``) against a threshold. Every process, and a Collector with
    ``probabilistic_sampler`` in the modes ``proportional`` and ``equalizing``, keeps the same traces. What 1 % keeps
    is a part of what 10 % keeps. It decides before the record is encoded.

    A kept record has the attribute ``sampling.threshold``: it stands for ``2**56 / (2**56 - threshold)`` records.
    Where the decision was not the trace id's, ``sampling.randomness`` is set too.

    Args:
        ratio: the share that is kept, 0 to 1.
        by: what decides: ``trace``, ``record`` (each one alone), ``correlation_id``, or ``attribute:NAME``.
            A record that lacks it is decided alone, at random.
        up_to: the highest level that is sampled. Records above it are always kept.
        rules: mappings with ``ratio``, and ``logger`` (a pattern; ``shop.*`` includes ``shop``), ``level`` (the highest
            level that the rule is for) or both. The first that fits decides; for others it is ``ratio``.
        trace_based: drop every record of a span that is not sampled.
        mark: set the attributes on kept records.
        rule: the name under which dropped records are counted.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    order = 1

    @only_known("unknown option {} of SamplingFilter")
    def __init__(
        self,
        ratio: float = 1.0,
        *,
        by: str = "trace",
        up_to: int | str = "INFO",
        rules: Sequence[Mapping[str, Any]] = (),
        trace_based: bool = False,
        mark: bool = True,
        rule: str = "sampling",
    ) -> None:
        super().__init__(rule, up_to)
        check_flag("trace_based", trace_based)
        check_flag("mark", mark)
        self.ratio = _ratio(ratio)
        self.by = _source(by)
        self._rules = _rules(rules)
        self._mark = mark
        self._trace_based = trace_based
        #: Ratio and threshold by logger and level.
        self._chosen: dict[tuple[Any, Any], tuple[float, str]] = {}
        self._random = random.Random()
        _forks.add(self)
        self.decide = self._make()

    def _make(self) -> Callable[[logging.LogRecord], bool | logging.LogRecord]:
        up_to, by, span = self.up_to, self.by, current_span
        plain = (self.ratio, threshold(self.ratio)) if not self._rules else None
        by_trace, trace_based, marks = by == "trace", self._trace_based, self._mark
        choose, chosen, other, mark = self._choose, self._chosen, self._other, self._marked
        own_trace = _trace_id

        def decide(record: logging.LogRecord) -> bool | logging.LogRecord:
            try:
                level = record.levelno
                if level > up_to:
                    return True
                fields = record.__dict__
                context = None
                if by_trace or trace_based:
                    context = span()
                    if trace_based and context is not None and _is_unsampled(context):
                        return isinstance(record, Summary)
                ratio, limit = plain or chosen.get((record.name, level)) or choose(record.name, level)
                if limit == KEEP_ALL or type(record) is Summary:
                    return True  # what a filter makes of records that passed here has their mark already
                found = ""
                if by_trace:
                    found = "" if context is None else context.trace_id
                    if "trace_id" in fields:
                        found = own_trace(fields["trace_id"]) or found
                    if found and (context is None or not context.tracestate):
                        randomness = found[18:]
                    else:
                        found, randomness = other(record, context, found)
                else:
                    found, randomness = other(record, context, "")
                if THRESHOLD in fields:
                    ratio, limit = _again(fields, ratio, limit)
                if randomness < limit:
                    return False
                return mark(record, limit, "" if found else randomness) if marks else True
            except Exception:  # a record that was made by hand: no reason to lose it
                return True

        return decide

    def _choose(self, name: str, level: int) -> tuple[float, str]:
        ratio = next((rule[2] for rule in self._rules if _fits(rule, name, level)), self.ratio)
        return keep(self._chosen, (name, level), (ratio, threshold(ratio)))

    def _other(self, record: logging.LogRecord, context: Any, trace_id: str) -> tuple[str, str]:
        """The trace id where it decides, and the randomness, where that is not simply the trace id's end."""
        if trace_id:
            explicit = explicit_randomness(context.tracestate) if context.trace_id == trace_id else ""
            return ("", explicit) if explicit else (trace_id, trace_id[18:])
        value: Any = None
        if self.by == "correlation_id":
            value = record.__dict__.get("correlation_id")
            if not value and (found := current_span()) is not None:
                value = found.correlation_id
        elif self.by.startswith("attribute:"):
            value = record.__dict__.get(self.by[10:])
        if value is None or value == "":
            return "", f"{self._random.getrandbits(56):014x}"
        return "", hashed_randomness(value)

    def _marked(self, record: logging.LogRecord, limit: str, randomness: str) -> logging.LogRecord:
        """A copy: other handlers get the same record, and there it stands for itself alone."""
        kind = type(record)
        own: logging.LogRecord = kind.__new__(kind)
        fields = own.__dict__
        fields.update(record.__dict__)
        fields[THRESHOLD] = written(limit)
        if randomness:
            fields[RANDOMNESS] = randomness
        return own

    def renew(self) -> None:
        """Another randomness than the parent's, in a forked child."""
        self._random.seed()


_forks = ForkRegistry(SamplingFilter.renew)


def _is_unsampled(context: SpanContext) -> bool:
    """LoggerConfig's rule: a valid span whose sampled bit is not set."""
    return context.is_valid and context.trace_flags[-1:] in _UNSAMPLED


def _trace_id(value: object) -> str:
    """What a record brings as its trace id, where it is one."""
    return value.lower() if isinstance(value, str) and _TRACE_ID.match(value) else ""


def _again(fields: Mapping[str, Any], ratio: float, limit: str) -> tuple[float, str]:
    """The ratio of a record that was sampled before: the product, as the Collector's mode ``proportional`` has it."""
    former = parse_threshold(fields[THRESHOLD])
    if former is None or former <= 0.0:
        return ratio, limit
    return ratio * former, threshold(ratio * former)


def _fits(rule: tuple[str, int | None, float], name: str, level: int) -> bool:
    pattern, up_to, _ = rule
    if up_to is not None and level > up_to:
        return False
    return fnmatchcase(name, pattern) or (pattern.endswith(".*") and fnmatchcase(name, pattern[:-2]))


def _ratio(value: object, where: str = "") -> float:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if not 0.0 <= number <= 1.0:
        raise ConfigError(
            f"option 'ratio'{where} must be a number from 0 to 1, not {value!r}", option="ratio"
        )
    return float(number)


def _source(value: object) -> str:
    by = check_text("by", value)
    if by not in _SOURCES and not (by.startswith("attribute:") and by[10:].strip()):
        raise ConfigError(
            f"option 'by' must be one of {', '.join(_SOURCES)} or attribute:NAME, not {by!r}"
            f"{nearest(by, _SOURCES, listed=False)}",
            option="by",
        )
    return by


def _rules(given: object) -> tuple[tuple[str, int | None, float], ...]:
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise ConfigError(f"option 'rules' must be a list of mappings, not {given!r}", option="rules")
    found = []
    for index, rule in enumerate(given):
        where = f" of 'rules[{index}]'"
        if not isinstance(rule, Mapping) or "ratio" not in rule:
            raise ConfigError(
                f"option 'rules[{index}]' must be a mapping with 'ratio', not {rule!r}", option="rules"
            )
        check_names(rule, _RULE_OPTIONS, "unknown option {}" + where)
        level = rule.get("level")
        found.append(
            (
                check_text("logger", rule.get("logger", "*")),
                None if level is None else check_level_option("level", level),
                _ratio(rule["ratio"], where),
            )
        )
    return tuple(found)
