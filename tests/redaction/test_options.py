from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.redaction import Redaction
from otel_stdlib.redaction.gitleaks import gitleaks_rules
from tests.redaction.hostile import SECRETS, M

needs_re2 = pytest.mark.skipif(sys.version_info >= (3, 15), reason="there is no google-re2 for this Python")


@pytest.mark.parametrize("value", [None, False])
def test_off(value: object) -> None:
    """Off."""
    assert Redaction.of(value) is None


def test_on() -> None:
    """On."""
    found = Redaction.of(True)
    assert found is not None
    assert f"pwd={M}" == found.redactor.text("pwd=x1", {})
    assert found is Redaction.of(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("yes", "option 'redaction' must be true, false or a mapping of options, not 'yes'"),
        ({"value": ["default"]}, "redaction: unknown option 'value'; did you mean 'values'?"),
        ({"values": ["githup"]}, "redaction: unknown value rule 'githup'; did you mean 'github'?"),
        ({"values": "default"}, "option 'values' must be a list"),
        ({"keys": [7]}, "an entry of 'keys' must be a word, several, or a pattern with '*', not 7"),
        ({"keep_keys": ["--"]}, "an entry of 'keep_keys'"),
        ({"mask": ""}, "option 'mask' must be a text of 1 to 64 printable characters"),
        ({"hash_key": "short"}, "option 'hash_key' must be a text of 8 characters or more"),
        ({"max_scan": 1}, "option 'max_scan' of 'redaction' must be a whole number from 256 to 1048576"),
        ({"oversize": "cut"}, "option 'oversize' of 'redaction' must be one of mask, ends"),
        ({"engine": "re3"}, "option 'engine' of 'redaction' must be one of auto, re, re2, not 're3'; did you mean"),
        ({"summary": "all"}, "option 'summary' of 'redaction' must be one of none, counts, rules"),
        ({"custom": {"name": "x"}}, "option 'custom' must be a list of rules"),
        ({"custom": [{"name": "x"}]}, "custom[0] must be a mapping with 'name' and 'pattern'"),
        ({"custom": [{"name": "x", "pattern": "y", "hnt": "z"}]}, "unknown option 'hnt'; did you mean 'hint'?"),
        ({"custom": [{"name": "a b", "pattern": "y"}]}, "'name' must be letters, digits"),
        ({"custom": [{"name": "aws", "pattern": "y"}]}, "there is a rule 'aws' already"),
        ({"custom": [{"name": "x", "pattern": "("}], "engine": "re"}, "custom[0] (x): the pattern '(' is refused"),
        ({"custom": [{"name": "x", "pattern": "a*"}]}, "it matches the empty text"),
        ({"gitleaks": 7}, "option 'gitleaks' must be the path of a TOML file"),
    ],
)  # fmt: skip
def test_wrong_options(options: Any, message: str) -> None:
    """Wrong options."""
    with pytest.raises(ConfigError) as caught:
        Redaction.of(options)
    assert message in str(caught.value)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a*)*b", r"(?:\d+,?)+x", "(a|a)+b", "(a|ab)*c", r"\d+\d+x", r"(?:a|b+)*c", r"(\w*\s?)*x", "((ab)*)*c",
     "(?:x|)+y", r"a{1,40}a{1,40}b"],
)  # fmt: skip
def test_a_pattern_that_backtracks_is_refused_with_re(pattern: str) -> None:
    """A pattern that backtracks is refused with re."""
    with pytest.raises(ConfigError, match=r"can take very long with 're'.*'engine: re2'"):
        Redaction(custom=[{"name": "slow", "pattern": pattern}], engine="re")


@needs_re2
def test_the_same_pattern_is_taken_with_re2() -> None:
    """The same pattern is taken with re2."""
    redactor = Redaction(custom=[{"name": "slow", "pattern": "(a+)+b"}], engine="re2").redactor
    assert M == redactor.text("aaab", {})
    assert "a" * 16_000 == redactor.text("a" * 16_000, {})


@needs_re2
def test_what_re2_does_not_know_is_refused() -> None:
    """What re2 does not know is refused."""
    with pytest.raises(ConfigError, match=r"the pattern .* is refused: invalid perl operator"):
        Redaction(custom=[{"name": "x", "pattern": "(?<=a)b"}], engine="re2")


@pytest.mark.parametrize(
    "pattern",
    [
        "tok_[0-9a-f]{32}",
        r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
        r"\bID-\d+-[A-Z]+\b",
        r"(?:key|tok)_\w+",
        r"(?i)x\s+\d+",
    ],
)
@pytest.mark.parametrize("engine", ["re", "auto"])
def test_ordinary_patterns_are_taken(pattern: str, engine: str) -> None:
    """Ordinary patterns are taken."""
    Redaction(custom=[{"name": "own", "pattern": pattern}], engine=engine)


@pytest.mark.parametrize("engine", ["re", "auto"])
def test_a_rule_of_your_own(engine: str) -> None:
    """A rule of your own."""
    rule = {"name": "internal", "pattern": "tok_[0-9a-f]{8}", "hint": "tok_"}
    redactor = Redaction(custom=[rule], engine=engine, mask="<{rule}>").redactor
    tally: dict[str, int] = {}
    assert "ü <internal> tok_x" == redactor.text("ü tok_deadbeef tok_x", tally)
    assert {"internal": 1} == tally


def test_re2_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Re2 that is not installed is named."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otel_stdlib\[redaction\]'"):
        Redaction(engine="re2")
    with pytest.raises(MissingExtraError, match="option 'gitleaks'"):
        Redaction(gitleaks=str(tmp_path / "x.toml"))
    assert M == Redaction(engine="auto").redactor.text(SECRETS["aws"], {})


_RULES = r"""
title = "a file of rules"
[[rules]]
id = "internal-token"
regex = '''(?i)internal[ =]+(itk_[a-z0-9]{10})\b'''
keywords = ["itk_"]
[[rules.allowlists]]
regexes = ['''itk_0{10}''']
stopwords = ["example"]
[[rules]]
id = "high-entropy"
regex = '''\bkey-([a-z0-9]{16})'''
secretGroup = 1
entropy = 3.0
keywords = ["key-"]
[[rules]]
id = "a-path"
path = '''\.env$'''
"""


@needs_re2
def test_rules_of_gitleaks(tmp_path: Path) -> None:
    """Rules of gitleaks."""
    path = tmp_path / "gitleaks.toml"
    path.write_text(_RULES, encoding="utf-8")
    redactor = Redaction(gitleaks=str(path)).redactor
    tally: dict[str, int] = {}
    assert f"internal {M}" == redactor.text("internal itk_a1b2c3d4e5", tally)
    assert f"key-{M}" == redactor.text("key-a1b2c3d4e5f6g7h8", tally)
    assert {"gitleaks.internal-token": 1, "gitleaks.high-entropy": 1} == tally
    for clean in (
        "internal itk_0000000000",
        "internal itk_example123",
        "key-aaaaaaaaaaaaaaaa",
        "itk_a1b2c3d4e5",
    ):
        assert clean == redactor.text(clean, {})


@needs_re2
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "it is not valid TOML"),
        ("a = 1", r"it has no \[\[rules\]\]"),
        ("[[rules]]\nregex = 'x'", "rule 1: it has no 'id'"),
        ("[[rules]]\nid = 'x'\nregex = '('", r"rule 1 \(x\): its regex is refused"),
        ("[[rules]]\nid = 'x'\nregex = 'a'\nsecretGroup = 2", r"rule 1 \(x\): 'secretGroup' is not a group"),
    ],
)
def test_a_wrong_file_of_gitleaks(tmp_path: Path, text: str, message: str) -> None:
    """A wrong file of gitleaks."""
    path = tmp_path / "gitleaks.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"redaction: .*gitleaks.toml: {message}"):
        gitleaks_rules(path)


@needs_re2
def test_a_file_of_gitleaks_that_is_not_there(tmp_path: Path) -> None:
    """A file of gitleaks that is not there."""
    with pytest.raises(ConfigError, match=r"none\.toml: it cannot be read: No such file"):
        Redaction(gitleaks=str(tmp_path / "none.toml"))
