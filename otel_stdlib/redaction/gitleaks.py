"""A rule file of gitleaks. Its patterns are written for RE2, so google-re2 compiles them."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.redaction.custom import Engine
from otel_stdlib.redaction.rules import Rule

__all__ = ["gitleaks_rules"]

_PREFIX = "gitleaks."


def gitleaks_rules(path: object) -> list[Rule]:
    """The rules of a file that look at contents; those that look at paths alone are left out.

    Used are ``id``, ``regex``, ``secretGroup``, ``keywords``, ``entropy`` and, in allowlists, ``regexes`` and
    ``stopwords``.

    Raises:
        ConfigError: the file cannot be read, or a rule in it cannot be used.
        MissingExtraError: google-re2 is not installed.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise ConfigError("redaction: option 'gitleaks' must be the path of a TOML file", option="gitleaks")
    engine = Engine("auto")
    if engine.name != "re2":
        raise MissingExtraError("option 'gitleaks' of 'redaction'", "redaction")
    document = _load(path)
    given = document.get("rules")
    if not isinstance(given, list) or not given:
        raise ConfigError(f"redaction: {path}: it has no [[rules]]", option="gitleaks")
    allowed = _allowlists(document, engine, f"{path}")
    rules = []
    for number, item in enumerate(given):
        where = f"{path}: rule {number + 1}"
        if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
            raise ConfigError(f"redaction: {where}: it has no 'id'", option="gitleaks")
        if "regex" in item:
            rules.append(_rule(item, engine, f"{where} ({item['id']})", allowed))
    return rules


def _load(path: Any) -> dict[str, Any]:
    try:
        reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError as error:
        raise MissingExtraError("option 'gitleaks' of 'redaction'", "redaction") from error
    try:
        with open(path, "rb") as file:
            found: dict[str, Any] = reader.load(file)
    except OSError as error:
        raise ConfigError(
            f"redaction: {path}: it cannot be read: {error.strerror}", option="gitleaks"
        ) from error
    except ValueError as error:  # TOMLDecodeError is one, and so is UnicodeDecodeError
        raise ConfigError(f"redaction: {path}: it is not valid TOML: {error}", option="gitleaks") from error
    return found


def _rule(
    item: Mapping[str, Any], engine: Engine, where: str, common: list[Callable[[str, str], bool]]
) -> Rule:
    pattern = _compile(engine, item["regex"], where)
    group, entropy = item.get("secretGroup", 0), item.get("entropy", 0)
    if type(group) is not int or not 0 <= group <= pattern.groups:
        raise ConfigError(f"redaction: {where}: 'secretGroup' is not a group of its regex", option="gitleaks")
    if not isinstance(entropy, (int, float)):
        raise ConfigError(f"redaction: {where}: 'entropy' must be a number", option="gitleaks")
    # Without secretGroup gitleaks takes the first group for the secret, where there is one.
    group = group or min(1, pattern.groups)
    allowed = [*common, *_allowlists(item, engine, where)]

    def check(found: Any) -> bool:
        secret = found[group] or ""
        if entropy and _entropy(secret) <= entropy:
            return False
        return not any(allows(found[0], secret) for allows in allowed)

    keywords = tuple(str(word).lower() for word in item.get("keywords", ()) if word)
    return Rule(_PREFIX + item["id"], pattern, keywords, "", group, check, folded=True)


def _allowlists(item: Mapping[str, Any], engine: Engine, where: str) -> list[Callable[[str, str], bool]]:
    given = item.get("allowlists", [])
    single = item.get("allowlist")
    lists = [*(given if isinstance(given, list) else [given]), *([single] if single else [])]
    found = []
    for each in lists:
        if not isinstance(each, Mapping):
            raise ConfigError(f"redaction: {where}: an allowlist must be a table", option="gitleaks")
        if each.get("condition", "OR").upper() == "AND" and each.get("paths"):
            continue  # it asks for a path too, and a log record has none
        patterns = [_compile(engine, regex, where) for regex in each.get("regexes", ())]
        words = [str(word).lower() for word in each.get("stopwords", ())]
        if patterns or words:
            found.append(_allows(patterns, words, each.get("regexTarget", "secret") in ("match", "line")))
    return found


def _allows(patterns: list[Any], words: list[str], of_match: bool) -> Callable[[str, str], bool]:
    def allows(match: str, secret: str) -> bool:
        text, lower = match if of_match else secret, secret.lower()
        return any(pattern.search(text) for pattern in patterns) or any(word in lower for word in words)

    return allows


def _compile(engine: Engine, pattern: object, where: str) -> Any:
    if not isinstance(pattern, str):
        raise ConfigError(f"redaction: {where}: a regex must be a text", option="gitleaks")
    try:
        return engine.compile(pattern)
    except ValueError as error:
        raise ConfigError(f"redaction: {where}: its regex is refused: {error}", option="gitleaks") from error


def _entropy(text: str) -> float:
    """Shannon's, in bits a character."""
    if not text:
        return 0.0
    counts = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in counts)
