"""The quick look and the careful one agree, whatever is logged."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_stdlib.redaction import Redaction
from otel_stdlib.redaction.rules import OPT_IN_RULES
from tests.record.redacting import encoder, made
from tests.redaction.hostile import CLEAN_TEXTS, MASKED_TEXTS, OPT_IN, SECRETS

_TEXTS = [
    *SECRETS.values(), *(text for text, _, _ in MASKED_TEXTS), *CLEAN_TEXTS, *(text for _, text, _ in OPT_IN),
    "password", "token", "Bearer", "=", ": ", " ", '"', "\n", "é", "sk-", "AKIA", "://", "joe", "…",
]  # fmt: skip
_TEXT = st.lists(st.sampled_from(_TEXTS), max_size=3).map("".join)
_HOLE = st.sampled_from(["%s", "%r", "%d", "%.5s", "%(a)s", "%%", "%5s", "%-3d", "%*d", "%x", "% "])
_TEMPLATE = st.lists(st.one_of(_TEXT, _HOLE, st.sampled_from([" ", "=", ":"])), max_size=6).map("".join)
_VALUE = st.one_of(
    _TEXT,
    st.integers(),
    st.none(),
    st.booleans(),
    st.floats(),
    st.lists(_TEXT, max_size=2),
    st.just(4111111111111111),
)
_WORD = st.one_of(st.sampled_from(_TEXTS), _HOLE)
_KEY = st.one_of(
    st.sampled_from(["user", "api_key", "token", "a", "trace_id", "event.name", "message"]), _TEXT
)
_ENCODERS = [
    encoder(),
    encoder(Redaction(values=["default", *OPT_IN_RULES], custom=[{"name": "x", "pattern": "^joe$"}])),
]


@settings(max_examples=400, deadline=None)
@given(_TEMPLATE, st.lists(_VALUE, max_size=3), st.booleans(), st.dictionaries(_KEY, _VALUE, max_size=3))
def test_the_quick_look_misses_nothing_that_the_careful_one_finds(
    template: str, values: list[Any], named: bool, extras: dict[str, Any]
) -> None:
    """Both give the same line."""
    args = ({"a": values[0]},) if named and values else tuple(values)
    for with_ in _ENCODERS:
        record = made(template, *args, **extras)
        careful = with_._encode_carefully(record)
        # Twice: what is compiled knows a message only when Python has met it.
        assert [careful, careful] == [with_.encode(record), with_.encode(record)]


@settings(max_examples=200, deadline=None)
@given(st.lists(_WORD, max_size=4).map(" ".join), st.lists(_WORD, max_size=3))
def test_a_template_that_travels_holds_no_secret(template: str, values: list[Any]) -> None:
    """For formatters behind the queue that read ``record.args``."""
    with_ = encoder()
    found = with_.template(made(template, *values))
    for secret in SECRETS.values():
        assert secret.encode() not in found
