"""The quick question before a log call encodes: can anything in these texts be secret?

One search for what every rule needs in a text (a trigger), over all texts of a record at once; the rules themselves
only where it finds something. A template, the literal ``msg`` of a log call, is analysed once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_stdlib.facts.memo import keep
from otel_stdlib.redaction.engine import Redactor, Tally
from otel_stdlib.redaction.pairs import names_secret_at_end

__all__ = ["CAREFUL", "IN_ARGUMENTS", "IN_MESSAGE", "IN_TOKENS", "Gate", "Template"]

#: What of a record with arguments has to be looked at: the arguments alone; the message too, for what needs no key
#: before it; the message too, for anything; or everything, after it is encoded.
IN_ARGUMENTS, IN_TOKENS, IN_MESSAGE, CAREFUL = range(4)

_PLACEHOLDER = re.compile(
    r"%(?:\((?P<name>[^)]*)\))?[#0\- +]*(?P<width>\*|\d+)?(?P<precision>\.(?:\*|\d*))?[hlL]?(?P<kind>[A-Za-z%])"
)
_SPACES = " \t\r\n"
_PAIR_TRIGGERS = r"=|:"
_LONGEST_TEMPLATE = 1_024
#: What the compiled look has room for.
_NEEDLE, _MOST_NEEDLES = 15, 128


@dataclass(frozen=True)
class Template:
    """What is known of a literal message."""

    #: What is to be looked at; one of the constants of this module.
    look: int
    #: The message with ``%s`` for each placeholder of a secret; "" where there is none.
    masked: str = ""
    #: The places of secrets among the arguments, and their names.
    places: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    #: Whether all placeholders have names, so that arguments may be a mapping of them.
    named: bool = True


class Gate:
    """Answers for one redactor. Any thread may ask."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        triggers = [rule.trigger for rule in redactor.rules if rule.trigger]
        if redactor.wants_urls:
            triggers.append(r":(?=//)")
        pairs = []
        if redactor.wants_pairs or redactor.wants_urls:
            pairs.append(_PAIR_TRIGGERS)
        keywords = [
            hint for rule in redactor.rules if not rule.trigger and rule.folded for hint in rule.hints
        ]
        always = [rule for rule in redactor.rules if not rule.trigger and not (rule.folded and rule.hints)]
        #: Whether every text is to be looked at by ``finds`` of a rule that has no trigger.
        self._always = tuple(always)
        self._keywords = re.compile("|".join(map(re.escape, keywords))).search if keywords else None
        self._any = _search([*pairs, *triggers])
        self._tokens = _search(triggers)
        #: Of a text, or several joined with NUL: whether a trigger is in it. To be asked before ``confirms``.
        self.search = self._any if not (always or keywords) else _yes
        #: What is in every text, in any case, in which a rule finds something; None where that is not known.
        self.needles = _needles(redactor, always or keywords)
        self.templates: dict[str, Template] = {}
        #: True for the messages of which the arguments alone have to be looked at.
        self.plain_templates: dict[str, bool] = {}
        self.literals: dict[str, bool] = {}
        self.keys: dict[str, bool] = {}

    def confirms(self, texts: Sequence[str]) -> bool:
        """Whether a rule finds something in one of the texts: after ``search`` of them joined has."""
        joined = "\0".join(texts)
        if self._any(joined) is not None and self._redactor.finds(joined):
            return True
        if self._always and any(rule.finds(text) for rule in self._always for text in texts):
            return True
        if self._keywords is not None and self._keywords(joined.lower()) is not None:
            return any(self._redactor.finds(text) for text in texts)
        return False

    def confirms_tokens(self, text: str) -> bool:
        """As ``confirms`` for a message all of whose keys are literal and known not to be secret."""
        if not self._always and self._keywords is None and self._tokens(text) is None:
            return False
        return self.confirms((text,))

    def is_clean_literal(self, text: str) -> bool:
        """Whether a message without arguments is clean; remembered."""
        clean = len(text) <= self._redactor.max_scan and not self.confirms((text,))
        if len(text) <= _LONGEST_TEMPLATE:
            keep(self.literals, text, clean)
        return clean

    def is_clean_key(self, key: str) -> bool:
        """Whether an attribute's name neither is secret nor names a secret; remembered."""
        clean = not self._redactor.is_secret_key(key) and not self.confirms((key,))
        if type(key) is str and len(key) <= _LONGEST_TEMPLATE:
            keep(self.keys, key, clean)
        return clean

    # -- templates -----------------------------------------------------------------------

    def template(self, text: str) -> Template:
        """What is known of a message with arguments; remembered."""
        found = self._analyse(text)
        if len(text) <= _LONGEST_TEMPLATE:
            keep(self.templates, text, found)
            keep(self.plain_templates, text, found.look == IN_ARGUMENTS)
        return found

    def _analyse(self, text: str) -> Template:
        keys = self._redactor.keys
        look = IN_ARGUMENTS
        end, place = 0, 0
        named = True
        masked: list[str] = []
        places: list[int] = []
        names: list[str] = []
        literal: list[str] = []
        for found in _PLACEHOLDER.finditer(text):
            if found["kind"] == "%":
                continue
            if found["width"] == "*" or found["precision"] == ".*":
                return Template(CAREFUL)
            named = named and found["name"] is not None
            before = text[end : found.start()]
            literal.append(before)
            secret, after_key = (
                names_secret_at_end(before, keys) if self._redactor.wants_pairs else (False, False)
            )
            masked.append(before)
            if secret:
                masked.append("%s" if found["name"] is None else f"%({found['name']})s")
                places.append(place)
                names.append(found["name"] or "")
            else:
                masked.append(found[0])
            if (before and before[-1] not in _SPACES) or text[found.end() : found.end() + 1].strip(_SPACES):
                look = max(look, IN_TOKENS)
            if not after_key and before.rstrip(_SPACES)[-1:] in ("=", ":") and end:
                look = IN_MESSAGE  # the key may be an argument
            end, place = found.end(), place + 1
        masked.append(text[end:])
        literal.append(text[end:])
        if places:
            return Template(CAREFUL, "".join(masked), tuple(places), tuple(names), named)
        # A trigger in what is literal, other than that of a key that is known, may go on in an argument.
        joined = "\0".join(literal)
        if any(part.lstrip(_SPACES + "\"']")[:1] in ("=", ":") for part in literal[1:]):
            look = IN_MESSAGE
        if self._tokens(joined) is not None or self._redactor.finds(joined):
            look = IN_MESSAGE
        return Template(look, named=named)

    def mask_arguments(self, template: Template, args: Any, tally: Tally) -> str:
        """The message of a template with its secret arguments masked.

        Raises:
            Exception: as ``%`` does.
        """
        redactor = self._redactor

        def mask(value: Any) -> Any:
            if value is None or value == "" or type(value) is bool:
                return value
            tally["key_value"] = tally.get("key_value", 0) + 1
            return redactor.masks.of("key_value", str(value))

        if isinstance(args, Mapping) and template.named:
            named = {name: mask(value) if name in template.names else value for name, value in args.items()}
            return template.masked % named
        values = args if isinstance(args, tuple) else (args,)
        return template.masked % tuple(
            mask(value) if place in template.places else value for place, value in enumerate(values)
        )


def _needles(redactor: Redactor, others: Sequence[object]) -> tuple[bytes, ...] | None:
    found = {hint[:_NEEDLE] for rule in redactor.rules for hint in rule.hints}
    if redactor.wants_pairs or redactor.wants_urls:
        found |= {"=", ":"}
    if others or len(found) > _MOST_NEEDLES or not all(needle.isascii() and needle for needle in found):
        return None
    return tuple(needle.encode("ascii") for needle in sorted(found))


def _search(triggers: Sequence[str]) -> Callable[[str], Any]:
    return re.compile("|".join(triggers)).search if triggers else _no


def _no(_: str) -> None:
    return None


def _yes(_: str) -> bool:
    return True
