"""The option ``redaction``: its names, defaults and checks, and the redactor it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_names, check_whole
from otel_stdlib.facts.unexpanded import warn_unexpanded
from otel_stdlib.redaction.custom import Engine, custom_rules
from otel_stdlib.redaction.engine import Redactor
from otel_stdlib.redaction.gate import Gate
from otel_stdlib.redaction.gitleaks import gitleaks_rules
from otel_stdlib.redaction.masks import DEFAULT_MASK, Masks
from otel_stdlib.redaction.rules import BUILT_IN, DEFAULT_RULES, OPT_IN_RULES, Rule
from otel_stdlib.redaction.words import KeyRules

__all__ = ["LEAST_SCAN", "MOST_SCAN", "OPTIONS", "OVERSIZE", "SUMMARIES", "Redaction"]

SUMMARIES = ("none", "counts", "rules")
OVERSIZE = ("mask", "ends")
_DEFAULT = "default"
LEAST_SCAN, MOST_SCAN = 256, 1 << 20


class Redaction:
    """What is masked, and with what.

    Args:
        keys: ``default``, words such as ``iban``, and patterns such as ``customer.*``: keys whose values are masked.
        keep_keys: keys whose values are kept; they win over ``keys``. Their values are still scanned.
        values: ``default``, and names of value rules.
        custom: rules of your own: mappings of ``name``, ``pattern`` and, to make them cheap, ``hint``: a text
            that is in everything the pattern matches.
        mask: the text in a secret's place; ``{rule}`` in it is the rule's name.
        hash_key: a key: masks are then ``<rule>:<16 hex digits>`` of HMAC-SHA256.
        max_scan: the longest text that is scanned, in characters.
        oversize: ``mask`` masks a longer text, ``ends`` keeps and scans its ends.
        engine: ``re``, ``re2``, or ``auto``: what compiles ``custom``.
        gitleaks: the path of a rule file of gitleaks.
        summary: ``counts`` or ``rules`` adds ``otel_stdlib.redacted`` to records; ``none`` does not.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
        MissingExtraError: ``re2`` or ``gitleaks`` without the extra ``redaction``.
    """

    def __init__(
        self,
        *,
        keys: Sequence[str] = (_DEFAULT,),
        keep_keys: Sequence[str] = (),
        values: Sequence[str] = (_DEFAULT,),
        custom: Sequence[Mapping[str, str]] = (),
        mask: str = DEFAULT_MASK,
        hash_key: str | None = None,
        max_scan: int = 16_384,
        oversize: str = "mask",
        engine: str = "auto",
        gitleaks: str | None = None,
        summary: str = "counts",
    ) -> None:
        check_whole("redaction.max_scan", max_scan, LEAST_SCAN, MOST_SCAN)
        check_choice("redaction.oversize", oversize, OVERSIZE)
        check_choice("redaction.summary", summary, SUMMARIES)
        names = _value_names(values)
        rules: list[Rule] = [BUILT_IN[name] for name in names if name in BUILT_IN]
        own = custom_rules(custom, Engine(engine), (*DEFAULT_RULES, *OPT_IN_RULES))
        found = [] if gitleaks is None else gitleaks_rules(gitleaks)
        self.summary = summary
        every = [*own, *rules, *found]
        self.redactor = Redactor(
            KeyRules(_list("keys", keys), _list("keep_keys", keep_keys)),
            every,
            Masks(mask, hash_key, [rule.name for rule in every]),
            pairs="key_value" in names,
            urls="url" in names,
            max_scan=max_scan,
            ends=oversize == "ends",
        )
        self.gate = Gate(self.redactor)

    @classmethod
    def of(cls, value: object) -> Redaction | None:
        """From an option: None and False for none, True for the defaults, or a mapping of options.

        Raises:
            ConfigError: it is something else, or an option in it is wrong.
        """
        if value is None or value is False:
            return None
        if value is True:
            return cls()
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(
                f"option 'redaction' must be true, false or a mapping of options, not {value!r}",
                option="redaction",
            )
        check_names(value, OPTIONS, "redaction: unknown option {}")
        warn_unexpanded("redaction", value)
        given: dict[str, Any] = dict(value)
        return cls(**given)


#: The names of all options.
OPTIONS = tuple(Redaction.__init__.__kwdefaults__ or ())


def _list(option: str, value: object) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"redaction: option {option!r} must be a list, not {value!r}", option=option)
    return list(value)


def _value_names(values: object) -> list[str]:
    """The rules that ``values`` asks for, each once, in the order in which they are applied."""
    known = (*DEFAULT_RULES, *OPT_IN_RULES)
    asked: set[object] = set()
    for name in _list("values", values):
        if name == _DEFAULT:
            asked.update(DEFAULT_RULES)
        else:
            check_names([name], (*known, _DEFAULT), "redaction: unknown value rule {}")
            asked.add(name)
    return [name for name in known if name in asked]
