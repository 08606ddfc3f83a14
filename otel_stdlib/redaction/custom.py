"""Rules of the user's: checked when they are loaded, compiled with ``re`` or with google-re2."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.facts.options import check_choice, check_names
from otel_stdlib.redaction.rules import Rule

__all__ = ["ENGINES", "Engine", "custom_rules"]

ENGINES = ("auto", "re", "re2")
_OPTIONS = ("name", "pattern", "hint")
_NAME = re.compile(r"[A-Za-z][\w.-]{0,63}\Z")
_MANY = 16


class Engine:
    """What compiles patterns.

    Args:
        name: ``re``, ``re2``, or ``auto`` for google-re2 where it is installed.

    Raises:
        ConfigError: another name.
        MissingExtraError: google-re2 is asked for and not installed.
    """

    def __init__(self, name: object = "auto") -> None:
        check_choice("redaction.engine", name, ENGINES)
        self._re2: Any = None
        if name != "re":
            try:
                self._re2 = importlib.import_module("re2")
            except ImportError as error:
                if name == "re2":
                    raise MissingExtraError("'engine: re2' of 'redaction'", "redaction") from error

    @property
    def name(self) -> str:
        """``re`` or ``re2``."""
        return "re" if self._re2 is None else "re2"

    def compile(self, pattern: str) -> Any:
        """The compiled pattern.

        Raises:
            ValueError: it is wrong, or takes more than linear time with ``re``; the message says why.
        """
        if self._re2 is not None:
            options = self._re2.Options()
            options.log_errors = False
            try:
                return self._re2.compile(pattern, options)
            except self._re2.error as error:
                reason = error.args[0] if error.args else error
                raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error
        try:
            compiled = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from error
        reason = _backtracks(_parse(pattern))
        if reason:
            raise ValueError(
                f"{reason}, which can take very long with 're'; write it without, or set 'engine: re2'"
            )
        return compiled


def custom_rules(given: object, engine: Engine, known: Sequence[str]) -> list[Rule]:
    """The rules of option ``custom``.

    Raises:
        ConfigError: one is wrong; the message has its place in the list.
    """
    if not isinstance(given, (list, tuple)):
        raise ConfigError("redaction: option 'custom' must be a list of rules", option="custom")
    rules: list[Rule] = []
    for number, item in enumerate(given):
        where = f"redaction: custom[{number}]"
        if not isinstance(item, Mapping) or "name" not in item or "pattern" not in item:
            raise ConfigError(f"{where} must be a mapping with 'name' and 'pattern'", option="custom")
        check_names(item, _OPTIONS, where + ": unknown option {}")
        name, pattern, hint = item["name"], item["pattern"], item.get("hint", "")
        if not isinstance(name, str) or not _NAME.match(name):
            raise ConfigError(
                f"{where}: 'name' must be letters, digits, '_', '-' and '.', not {name!r}", option="name"
            )
        if name in known or any(rule.name == name for rule in rules):
            raise ConfigError(
                f"{where}: there is a rule {name!r} already; choose another name", option="name"
            )
        if not isinstance(pattern, str) or not isinstance(hint, str):
            raise ConfigError(f"{where}: 'pattern' and 'hint' must be texts", option="pattern")
        try:
            compiled = engine.compile(pattern)
        except ValueError as error:
            raise ConfigError(
                f"{where} ({name}): the pattern {pattern!r} is refused: {error}", option="pattern"
            ) from error
        if compiled.search("") is not None:
            raise ConfigError(
                f"{where} ({name}): the pattern {pattern!r} is refused: it matches the empty text",
                option="pattern",
            )
        rules.append(Rule(name, compiled, (hint,) if hint else (), re.escape(hint)))
    return rules


def _parse(pattern: str) -> Any:
    if sys.version_info >= (3, 11):
        parser = importlib.import_module("re._parser")
    else:
        parser = importlib.import_module("sre_parse")
    return parser.parse(pattern)


def _backtracks(parsed: Any) -> str:
    """Why a pattern of ``re`` can take more than linear time; "" where nothing is found.

    Refused: a repeat in a repeat, alternatives in a repeat of which two can begin alike, and two repeats of the
    same characters one after the other.
    """
    former: Any = None
    for op, value in parsed:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, inner = value
            if most > _MANY:
                reason = _in_repeat(inner)
                if reason:
                    return reason
                first = _begins(inner)
                if former is not None and former & first:
                    return "it repeats the same characters twice, one directly after the other"
                former = first
            else:
                former = None
        else:
            former = None
        for part in _parts(name, value):
            reason = _backtracks(part)
            if reason:
                return reason
    return ""


def _in_repeat(parsed: Any) -> str:
    for op, value in parsed:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT") and value[0] != value[1] and value[1] > 1:
            return "it has a repeat in a repeat (nested quantifiers)"
        if name == "BRANCH":
            seen: set[int] = set()
            for part in value[1]:
                first = _begins(part)
                if not len(part) or seen & first:
                    return "it repeats alternatives that can begin alike"
                seen |= first
        for part in _parts(name, value):
            reason = _in_repeat(part)
            if reason:
                return reason
    return ""


def _parts(name: str, value: Any) -> list[Any]:
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[3]]
    if name == "BRANCH":
        return list(value[1])
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    if name == "ATOMIC_GROUP":
        return [value]
    return []


_ASCII = range(128)


def _begins(parsed: Any) -> set[int]:
    """The ASCII characters that a match can begin with; all of them where that is hard to tell."""
    for op, value in parsed:
        name = str(op)
        if name == "LITERAL":
            return {value}
        if name in ("AT", "ASSERT", "ASSERT_NOT"):
            continue
        if name == "SUBPATTERN":
            return _begins(value[3])
        if name == "BRANCH":
            return set().union(*(_begins(part) for part in value[1]))
        if name in ("MAX_REPEAT", "MIN_REPEAT") and value[0] > 0:
            return _begins(value[2])
        if name == "IN":
            return {code for code in _ASCII if _is_in(code, value)}
        break
    return set(_ASCII)


def _is_in(code: int, members: Any) -> bool:
    negated = found = False
    for op, value in members:
        name = str(op)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found = found or value == code
        elif name == "RANGE":
            found = found or value[0] <= code <= value[1]
        else:
            found = found or _is_of(str(value), chr(code))
    return found is not negated


def _is_of(category: str, character: str) -> bool:
    positive = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }
    kind = category.rpartition("_")[2]
    return positive.get(kind, True) is not ("NOT" in category)
