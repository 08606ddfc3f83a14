"""The built-in value rules: sharp patterns of known secrets, each with what must be in a text for it to match.

Every pattern takes linear time. A NUL is a boundary for all of them: texts are joined with it where one search
has to answer for several.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_stdlib.redaction.cards import is_card, is_iban, is_phone

__all__ = ["BUILT_IN", "DEFAULT_RULES", "OPT_IN_RULES", "Rule"]

Match = re.Match[str]


@dataclass(frozen=True)
class Rule:
    """One value rule.

    ``hints``: a text without any of these cannot match; empty: any text may. ``trigger``: the same as a regular
    expression that begins with a rare character; "" where there is none. ``group``: what of a match is masked.
    ``check``: the last word on a match.
    """

    name: str
    pattern: Any
    hints: tuple[str, ...] = ()
    trigger: str = ""
    group: int = 0
    check: Callable[[Match], bool] | None = None
    #: Whether the hints are in lower case, and compared with a text in lower case.
    folded: bool = False

    def may_match(self, text: str) -> bool:
        """Whether a hint is in the text."""
        if not self.hints:
            return True
        if self.folded:
            text = text.lower()
        return any(hint in text for hint in self.hints)

    def finds(self, text: str) -> bool:
        """Whether there is anything to mask in a text."""
        if not self.may_match(text):
            return False
        if self.check is None:
            return self.pattern.search(text) is not None
        return any(self.check(found) for found in self.pattern.finditer(text))


def _with_digit(found: Match) -> bool:
    return any(character.isdigit() for character in found[0])


def _is_credential(found: Match) -> bool:
    """Whether behind ``Basic`` or ``Bearer`` is more than a word of prose, as in ``basic authentication``."""
    letters = re.sub(r"[-._~+/=]", "", found[1])
    return not (letters.isalpha() and (letters.islower() or letters.isupper() or letters.istitle()))


def _is_address(found: Match) -> bool:
    try:
        ipaddress.ip_address(found[0])
    except ValueError:
        return False
    return True


def _rule(name: str, pattern: str, hints: str, trigger: str, **more: Any) -> Rule:
    return Rule(name, re.compile(pattern), tuple(hints.split()), trigger, **more)


_START = r"(?<![A-Za-z0-9])"
_RULES = (
    _rule(
        "private_key",
        r"(?s)-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "-----BEGIN",
        r"-(?<=-----)BEGIN ",
    ),
    _rule(
        "aws",
        _START + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        "AKIA ASIA ABIA ACCA",
        "A(?:KIA|SIA|BIA|CCA)",
    ),
    _rule(
        "github",
        _START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"_(?:(?<=gh[pousr]_)|(?<=github_)pat_)",
    ),
    _rule(
        "gitlab",
        _START + r"(?:glpat|gldt|glrt|glcbt|glptt|glft|glimt|gloas|glsoat)-[A-Za-z0-9_-]{20,}",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- gloas- glsoat-",
        r"-(?:(?<=glpat-)|(?<=gldt-)|(?<=glrt-)|(?<=glcbt-)|(?<=glptt-)|(?<=glft-)|(?<=glimt-)|(?<=gloas-)|(?<=glsoat-))",
    ),
    _rule(
        "slack",
        _START + r"(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,})"
        r"|(?<=hooks\.slack\.com/)(?:services|workflows)/[A-Za-z0-9/_-]{20,}",
        "xox xapp- hooks.slack.com/",
        r"-(?:(?<=xox[abeoprs]-)|(?<=xapp-))|\.(?<=hooks\.)slack\.com/",
    ),
    _rule(
        "stripe",
        _START + r"(?:(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{24,}={0,2})",
        "_live_ _test_ whsec_",
        r"_(?:(?<=[sr]k_)(?:live|test)_|(?<=whsec_))",
    ),
    _rule(
        "anthropic",
        r"(?<![A-Za-z0-9_-])sk-ant-[A-Za-z0-9_-]{20,}",
        "sk-ant-",
        r"-(?<=sk-)ant-",
    ),
    _rule(
        "openai",
        r"(?<![A-Za-z0-9_-])sk-(?!ant-)[A-Za-z0-9_-]{20,}",
        "sk-",
        r"-(?<=sk-)[A-Za-z0-9_-]{20}",
        check=_with_digit,
    ),
    _rule(
        "google",
        _START + r"(?:AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{20,})",
        "AIza GOCSPX- ya29.",
        r"A(?:Iza)|-(?<=GOCSPX-)|\.(?<=ya29\.)",
    ),
    _rule("npm", _START + r"npm_[A-Za-z0-9]{36}", "npm_", r"_(?<=npm_)"),
    _rule("pypi", _START + r"pypi-[A-Za-z0-9_-]{50,}", "pypi-", r"-(?<=pypi-)"),
    _rule(
        "sendgrid",
        _START + r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        "SG.",
        r"\.(?<=SG\.)",
    ),
    _rule(
        "jwt",
        _START + r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}",
        "eyJ",
        r"J(?<=eyJ)",
    ),
    _rule(
        "bearer",
        r"(?i)(?<![A-Za-z0-9])(?:bearer|basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{8,})",
        "bearer basic",
        r"B(?i:earer|asic)|b(?i:earer|asic)",
        group=1,
        check=_is_credential,
        folded=True,
    ),
)
_OPT_IN = (
    _rule(
        "card",
        # Digits with at most one separator between two; never a part of a longer identifier.
        r"(?<![A-Za-z0-9_.:+/=-])[0-9](?:[ -]?[0-9]){12,18}(?![A-Za-z0-9_:+/=-]|\.[0-9])",
        "",
        "",
        check=is_card,
    ),
    _rule(
        "email",
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?![A-Za-z0-9-])",
        "@",
        "@",
    ),
    _rule(
        "ip",
        r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{2,39}(?::[0-9]{1,3}(?:\.[0-9]{1,3}){3})?)(?![\w:]|\.[0-9])",
        ". :",
        "",
        check=_is_address,
    ),
    _rule(
        "iban",
        r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])",
        "",
        "",
        check=is_iban,
    ),
    _rule(
        "phone",
        r"(?<![\w+.-])(?:\+|00)[1-9][0-9]{0,2}(?:[ .()/-]{0,2}[0-9]){6,14}(?![\w.-]*[A-Za-z0-9])",
        "",
        "",
        check=is_phone,
    ),
)
#: By name, in the order in which they are applied.
BUILT_IN = {rule.name: rule for rule in (*_RULES, *_OPT_IN)}
#: ``url`` and ``key_value`` look at keys and have files of their own.
DEFAULT_RULES = (*(rule.name for rule in _RULES), "url", "key_value")
OPT_IN_RULES = tuple(rule.name for rule in _OPT_IN)
