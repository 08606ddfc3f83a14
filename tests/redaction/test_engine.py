from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from otel_stdlib.redaction import Redaction, Redactor
from otel_stdlib.redaction.masks import FAILED
from otel_stdlib.redaction.options import OPTIONS
from otel_stdlib.redaction.rules import BUILT_IN, OPT_IN_RULES, Rule
from tests.redaction.hostile import CLEAN_TEXTS, KEYS, MASKED_TEXTS, OPT_IN, SECRETS, M

DEFAULT = Redaction().redactor
EVERYTHING = Redaction(values=["default", *OPT_IN_RULES]).redactor
HASHED = Redaction(hash_key="a key of the tests").redactor
NAMED = Redaction(mask="<{rule}>").redactor


@pytest.mark.parametrize(("text", "expected", "rule"), MASKED_TEXTS)
def test_a_secret_in_a_text_is_masked(text: str, expected: str, rule: str) -> None:
    """A secret in a text is masked."""
    tally: dict[str, int] = {}
    assert expected == DEFAULT.text(text, tally)
    assert {rule: 1} == tally


@pytest.mark.parametrize("text", CLEAN_TEXTS)
def test_a_text_without_a_secret_is_left_alone(text: str) -> None:
    """A text without a secret is left alone."""
    tally: dict[str, int] = {}
    assert text == DEFAULT.text(text, tally)
    assert {} == tally
    assert not DEFAULT.finds(text)


@pytest.mark.parametrize(("key", "secret"), KEYS.items())
def test_keys_are_compared_by_words(key: str, secret: bool) -> None:
    """Keys are compared by words."""
    assert secret is DEFAULT.is_secret_key(key)


@pytest.mark.parametrize(("rule", "text", "expected"), OPT_IN)
def test_rules_to_opt_in(rule: str, text: str, expected: str | None) -> None:
    """Rules to opt in."""
    redactor = Redaction(values=[rule]).redactor
    assert (text if expected is None else expected) == redactor.text(text, {})
    assert text == Redaction(values=[]).redactor.text(text, {})


def test_a_card_is_masked_as_a_number_too() -> None:
    """Among other numbers, of any length."""
    tally: dict[str, int] = {}
    given = {"paid_with": 4111111111111111, "order": 7, "epoch_ms": 1700000000006, "huge": 10**5000}
    assert {**given, "paid_with": M} == EVERYTHING.value(given, tally)
    assert {"card": 1} == tally


def test_values_of_any_depth() -> None:
    """Values of any depth."""
    deep: Any = "password=x"
    for _ in range(30):
        deep = {"a": [deep]}
    found = DEFAULT.value(deep, {})
    for _ in range(30):
        found = found["a"][0]
    assert f"password={M}" == found
    for _ in range(200):
        deep = [deep]
    assert "password=x" not in repr(DEFAULT.value(deep, {}))


def test_a_secret_key_masks_whatever_its_value_is() -> None:
    """A secret key masks whatever its value is."""
    given = {"password": 17, "api_key": ["a"], "token": {"a": 1}, "secret": None, "pwd": True, "passwd": ""}
    expected = {"password": M, "api_key": M, "token": M, "secret": None, "pwd": True, "passwd": ""}
    tally: dict[str, int] = {}
    assert expected == DEFAULT.value(given, tally)
    assert {"key": 3} == tally


def test_keys_themselves_are_scanned() -> None:
    """Keys themselves are scanned."""
    found = DEFAULT.value({SECRETS["aws"]: 1, SECRETS["github"]: 2, "x": 3}, {})
    assert {M: 1, f"{M}#2": 2, "x": 3} == found


def test_lists_of_headers() -> None:
    """Lists of headers."""
    headers = [("Host", "x"), ("Authorization", "abc"), (b"cookie", b"abc")]
    assert [("Host", "x"), ["Authorization", M], [b"cookie", M]] == DEFAULT.value(headers, {})
    assert ["token", "secret"] == DEFAULT.value(["token", "secret"], {})


def test_bytes() -> None:
    """Bytes."""
    secret = SECRETS["github"].encode()
    assert M == DEFAULT.value(b"\xff" + b" " + secret, {})
    assert M == DEFAULT.value(base64.b64encode(secret), {})
    assert b"\xff\x00" == DEFAULT.value(b"\xff\x00", {})


def test_what_is_clean_is_the_same_object() -> None:
    """What is clean is the same object."""
    given = {"a": [1, {"b": "c"}, (1, 2)], "d": None}
    assert given is DEFAULT.value(given, {})


def test_keep_keys_win_and_are_still_scanned() -> None:
    """Keep keys win and are still scanned."""
    redactor = Redaction(keep_keys=["token", "customer.*"]).redactor
    given = {"token": "abc", "access_token": "abc", "customer": {"password": "x", "note": "pwd=x"}}
    expected = {"token": "abc", "access_token": M, "customer": {"password": "x", "note": f"pwd={M}"}}
    assert expected == redactor.value(given, {})


def test_words_and_patterns_of_your_own() -> None:
    """Words and patterns of your own."""
    redactor = Redaction(keys=["iban", "tax number", "customer.*"]).redactor
    given = {"customerIban": 1, "tax-number": 2, "customer": {"name": 3}, "customer.age": 4, "password": 5}
    expected = {"customerIban": M, "tax-number": M, "customer": {"name": M}, "customer.age": M, "password": 5}
    assert expected == redactor.value(given, {})


def test_a_hash_tells_equal_secrets_without_telling_them() -> None:
    """A hash tells equal secrets without telling them."""
    one, two = HASHED.text("password=hunter2", {}), HASHED.text("password=hunter3", {})
    assert one == HASHED.text("password=hunter2", {})
    assert one != two
    assert one.startswith("password=key_value:")
    assert one != Redaction(hash_key="another key").redactor.text("password=hunter2", {})


def test_the_mask_can_name_the_rule() -> None:
    """The mask can name the rule."""
    assert "password=<key_value> <aws>" == NAMED.text(f"password=hunter2 {SECRETS['aws']}", {})


def test_long_texts() -> None:
    """Long texts."""
    text = "clean " * 5_000
    tally: dict[str, int] = {}
    assert M == DEFAULT.text(text, tally)
    assert {"oversize": 1} == tally
    assert text == DEFAULT.text(text, {}, bounded=False)
    ends = Redaction(oversize="ends", max_scan=1_000).redactor
    found = ends.text(f"password=hunter2 {text}{SECRETS['aws']}", {})
    assert found.startswith(f"password={M} clean")
    assert found.endswith(f"clean {M}")
    assert len(found) < 1_200


@pytest.mark.parametrize("size", range(30))
def test_a_cut_leaves_no_half_of_a_secret(size: int) -> None:
    """A cut leaves no half of a secret."""
    redactor = Redaction(oversize="ends", max_scan=256).redactor
    secret = SECRETS["aws"]
    middle = "x " * 300
    for text in (
        "a" * (108 + size % 20) + " " + secret + middle,
        middle + secret + " " + "b" * (108 + size % 20),
    ):
        found = redactor.text(text, {})
        assert all(secret[start : start + 6] not in found for start in range(len(secret) - 5))


def test_ten_megabytes() -> None:
    """Ten megabytes."""
    for text in ("a" * 10_000_000, "password=" * 1_000_000, "eyJ" * 3_000_000):
        assert M == DEFAULT.text(text, {})


@pytest.mark.parametrize(
    "text",
    ["a" * 16_000, "a." * 8_000, "a=" * 8_000, "'" * 16_000, "-----BEGIN PRIVATE KEY-----" * 600, "://" * 5_000,
     "a://b:" * 2_600, "eyJ." * 4_000, "1 " * 8_000, "1" * 16_000, "a@" * 8_000, "1.1." * 4_000, "?a=" * 5_000,
     "bearer " * 2_000, "password: " * 1_600, "cookie: a" * 1_700, "+1" * 8_000, "DE11" * 4_000, "a:" * 8_000],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    """The suite's own time limit fails what is worse than linear by far."""
    for _ in range(20):
        EVERYTHING.text(text, {})


def _raises(*_: object) -> bool:
    raise ZeroDivisionError


def test_a_rule_that_raises_costs_the_field_and_nothing_else() -> None:
    """A rule that raises costs the field and nothing else."""
    broken = Rule("broken", BUILT_IN["aws"].pattern, ("AKIA",), check=_raises)
    redactor = Redactor(DEFAULT.keys, [broken], DEFAULT.masks)
    tally: dict[str, int] = {}
    assert {"a": FAILED, "b": "fine"} == redactor.value({"a": f"x {SECRETS['aws']}", "b": "fine"}, tally)
    assert {"failed": 1} == tally
    assert redactor.finds(SECRETS["aws"])


_FRAGMENTS = [
    *SECRETS.values(), *(text for text, _, _ in MASKED_TEXTS), *CLEAN_TEXTS, *(text for _, text, _ in OPT_IN),
    "password", "=", ":", " ", '"', "'", "\\", "\n", "\0", "%s", "[", "]", "(", ")", "@", "://", "&", "?",
    "é", M, FAILED, "Bearer ", "REDACTED", "token", "key_value:0123456789abcdef", "…", "-----BEGIN PRIVATE KEY-----",
]  # fmt: skip
_TEXTS = st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.text(max_size=5)), max_size=6).map("".join)
_VALUES = st.recursive(
    st.one_of(_TEXTS, st.integers(), st.none(), st.booleans(), st.binary(max_size=40), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(_TEXTS)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    """Redacting twice changes nothing more."""
    for redactor in (DEFAULT, HASHED, EVERYTHING):
        once = redactor.text(text, {})
        assert once == redactor.text(once, {})


@settings(max_examples=200, deadline=None)
@given(_TEXTS)
def test_finding_is_the_same_as_changing(text: str) -> None:
    """Finding is the same as changing."""
    assert (EVERYTHING.text(text, {}) != text) is EVERYTHING.finds(text)


@settings(max_examples=200, deadline=None)
@given(_TEXTS, _TEXTS)
def test_finding_in_texts_that_are_joined_misses_none(one: str, two: str) -> None:
    """Finding in texts that are joined misses none."""
    if EVERYTHING.finds(one) or EVERYTHING.finds(two):
        assert EVERYTHING.finds(f"{one}\0{two}")


@settings(max_examples=200, deadline=None)
@given(_VALUES)
def test_no_value_raises(value: Any) -> None:
    """No value raises."""
    tally: dict[str, int] = {}
    found = EVERYTHING.value(value, tally)
    assert "failed" not in tally
    assert repr(found) == repr(EVERYTHING.value(found, {}))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SECRETS)), _TEXTS, st.sampled_from([" ", "\n", '"', "'", ",", "\0"]))
def test_no_output_holds_a_secret(rule: str, text: str, mark: str) -> None:
    """No output holds a secret."""
    assume(
        SECRETS[rule] not in text
    )  # there it may be a part of a longer token, which is no secret of that kind
    given = f"{text}{mark}{SECRETS[rule]}{mark}"
    for redactor in (DEFAULT, HASHED, NAMED):
        assert SECRETS[rule] not in redactor.text(given, {})


def test_every_option_has_a_name() -> None:
    """Every option has a name."""
    assert "hash_key" in OPTIONS
    assert len(OPTIONS) == 11
