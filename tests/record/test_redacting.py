"""What is encoded holds no secret, and the record is not changed."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_stdlib.redaction import Redaction
from otel_stdlib.redaction.rules import OPT_IN_RULES
from tests.record.redacting import attributes_of, encoder, line_of, made
from tests.redaction.hostile import SECRETS, M


@pytest.mark.parametrize(
    ("record", "body"),
    [
        (made("password=%s", "two words"), f"password={M}"),
        (made("user %s, password: %r!", "joe", "x"), f"user joe, password: {M}!"),
        (made("token: %(t)s of %(u)s", {"t": "abc", "u": "joe"}), f"token: {M} of joe"),
        (made("pin=%d api_key=%d", 1, 2), f"pin=1 api_key={M}"),
        (made("got Bearer %s", "abc"), f"got Bearer {M}"),
        (made('{"secret": "%s"}', "abc"), f'{{"secret": "{M}"}}'),
        (made("using password %s", "abc"), f"using password {M}"),
        (made("token=%s", None), "token=None"),
        (made("100%% of password=%s", "a b"), f"100% of password={M}"),
        (made("token sk-%s", SECRETS["openai"][3:]), f"token {M}"),
        (made("%s%s", "AKIA", "IOSFODNN7EXAMPLE"), M),
        (made("%s=%s", "password", "abc"), f"password={M}"),
        (made("%s: %s", "password", "abc1"), f"password: {M}"),
        (made("password=%s", {"a": "hunter2"}), f"password={M}"),
        (made("%(missing)s", {"password": "abc"}), "%(missing)s"),
        (made("%s", {"password": "abc"}), f"{{'password': '{M}'}}"),
        (made("%s", SECRETS["jwt"]), M),
        (made(f"f-string {SECRETS['aws']}"), f"f-string {M}"),
        (made("Authorization: Bearer"), "Authorization: Bearer"),
        (made("Authorization: Bearer %s", ""), "Authorization: Bearer "),
        (made({"password": "abc", "n": [{"api_key": 1}]}), {"password": M, "n": [{"api_key": M}]}),
        (made("order=%s by=%s", 7, "joe"), "order=7 by=joe"),
        (made("at %s", "10:00:00 k=v"), "at 10:00:00 k=v"),
    ],
)
def test_bodies(record: logging.LogRecord, body: Any) -> None:
    """Whatever way a secret gets into a message."""
    before = dict(record.__dict__)
    assert body == line_of(record)["body"]
    assert before == record.__dict__


class Tells:
    """An object whose text has a secret."""

    def __str__(self) -> str:
        return "pwd=hunter2"


def test_a_message_that_is_an_object() -> None:
    """Its text is scanned, and asked for once."""
    assert f"pwd={M}" == line_of(made(Tells()))["body"]
    assert f"x pwd={M}" == line_of(made("x %s", Tells()))["body"]


def test_extras_at_every_depth() -> None:
    """Keys, values, bytes, lists of headers, and objects by their text."""
    record = made(
        "x",
        user="joe",
        api_key="abc",
        nested={"a": [{"password": "x"}], "headers": [("Cookie", "x")]},
        raw=SECRETS["github"].encode(),
        thing=Tells(),
        url="https://u:p@host/",
        n=3,
    )
    assert {
        "user": "joe",
        "api_key": M,
        "nested": {"a": [{"password": M}], "headers": [["Cookie", M]]},
        "raw": M,
        "thing": f"pwd={M}",
        "url": "https://REDACTED:REDACTED@host/",
        "n": 3,
        "otel_stdlib.redacted": 6,
    } == attributes_of(record)


def test_an_attribute_name_that_is_a_secret() -> None:
    """It is masked, and the value is not."""
    assert {M: 1, "otel_stdlib.redacted": 1} == attributes_of(made("x", **{SECRETS["aws"]: 1}))


def _fail(text: str, *, password: str) -> None:
    raise ValueError(text)


def _raised(text: str) -> Any:
    try:
        _fail(text, password="hunter2")
    except ValueError as error:
        return type(error), error, error.__traceback__


def test_exceptions_and_stacks() -> None:
    """Message, stacktrace, the lines of source in it, ``exc_text`` of another formatter and ``stack_info``."""
    kind, error, trace = _raised("connect to redis://:hunter2@host failed")
    error.__cause__ = KeyError(SECRETS["stripe"])
    record = made("x", exc_info=(kind, error, trace))
    record.exc_text = "another's cache with hunter2"
    record.stack_info = "Stack:\n  login(password='hunter2')"
    found = attributes_of(record)
    assert "connect to redis://REDACTED:REDACTED@host failed" == found["exception.message"]
    assert "ValueError" == found["exception.type"]
    text = found["exception.stacktrace"]
    assert "REDACTED:REDACTED@host" in text
    assert f'password="{M}"' in text
    assert SECRETS["stripe"] not in text
    line = repr(line_of(record))
    assert "hunter2" not in line
    assert "another's cache with hunter2" == record.exc_text
    assert trace is record.exc_info[2]  # type: ignore[index]


@pytest.mark.parametrize("exc_info", [(None, None, None), ("a", "b", "c"), (1, 2), True, "x"])
def test_a_bad_exc_info_does_not_raise(exc_info: Any) -> None:
    """A record made by hand may have anything there."""
    assert f"pwd={M}" == line_of(made("pwd=abc", exc_info=exc_info))["body"]


def test_an_exception_text_of_another_queue() -> None:
    """Also where the exception itself is gone."""
    record = made("x")
    record.exc_text = "Traceback (most recent call last):\nValueError: password=hunter2"
    found = attributes_of(record)
    assert f"password={M}" == found["exception.message"]
    assert "hunter2" not in found["exception.stacktrace"]


def test_arguments_that_cannot_be_formatted() -> None:
    """They are an attribute, and scanned; those of a secret's template are masked completely."""
    found = line_of(made("%s %s", "password: x1"))
    assert "%s %s" == found["body"]
    assert [f"password: {M}"] == found["attributes"]["otel_stdlib.format_args"]
    found = line_of(made("password=%s %s", "hunter2"))
    assert "hunter2" not in repr(found)
    assert M == found["attributes"]["otel_stdlib.format_args"]


def test_what_is_never_touched() -> None:
    """Ids, severity, scope, ``code.*`` and ``thread.*``, whatever they look like."""
    redaction = Redaction(values=["default", *OPT_IN_RULES], keys=["default", "code.*", "scope", "thread"])
    record = made(
        "pwd=abc",
        trace_id="4111111111111111" * 2,
        span_id="4111111111111111",
        correlation_id="card 4111111111111111",
    )
    record.name = record.threadName = "password=abc"
    found = line_of(record, encoder(redaction))
    assert ("4111111111111111" * 2, "4111111111111111") == (found["trace_id"], found["span_id"])
    assert "card 4111111111111111" == found["attributes"]["correlation_id"]
    assert "password=abc" == found["scope"]["name"] == found["attributes"]["thread.name"]
    assert f"pwd={M}" == found["body"]
    bad = attributes_of(made("x", trace_id="pwd=abc"))
    assert f"pwd={M}" == bad["trace_id"]


def test_limits_cut_no_secret_in_halves() -> None:
    """A limit of the line's may go through the middle of a secret."""
    for length in range(10, 60):
        with_ = encoder(limits={"value_length": length, "body_length": length})
        text = "some words and " + SECRETS["aws"]
        found = repr(line_of(made(text, extra=text, nested=[text]), with_))
        assert SECRETS["aws"][:5] not in found, length


def test_long_values() -> None:
    """Past ``max_scan`` a value is masked; a stacktrace is scanned to its end."""
    assert M == attributes_of(made("x", a="y" * 10_000_000))["a"]
    kind, error, trace = _raised("y " * 12_000 + "password=abc")
    found = attributes_of(made("x", exc_info=(kind, error, trace)))
    assert M == found["exception.message"]
    assert found["exception.stacktrace"].endswith(f"password={M}")


def test_the_summary() -> None:
    """A count, the rules, or nothing."""
    record = made("pwd=abc", api_key=1)
    assert 2 == attributes_of(record)["otel_stdlib.redacted"]
    rules = encoder(Redaction(summary="rules"))
    assert ["key", "key_value"] == attributes_of(record, rules)["otel_stdlib.redacted"]
    assert "otel_stdlib.redacted" not in attributes_of(record, encoder(Redaction(summary="none")))


class Breaks:
    """A redactor that raises."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError


def test_a_redactor_that_breaks_leaves_nothing_unredacted() -> None:
    """The line says that it failed, and nothing of the record's texts."""
    with_ = encoder()
    with_._lines._redactor = Breaks()  # type: ignore[assignment]
    found = line_of(made("pwd=abc", a="hunter2"), with_)
    assert "[REDACTION FAILED]" == found["body"]
    assert "abc" not in repr(found)
    assert "hunter2" not in repr(found)
    assert 9 == found["severity_number"]


def test_a_full_stack_leaves_nothing_unredacted() -> None:
    """Where nothing may be called any more."""
    with_ = encoder()
    record = made("password=%s", "hunter2", a={"password": "hunter2"})

    def deeper() -> list[Any]:
        try:
            return [*deeper(), with_.encode(record)]
        except RecursionError:
            return [with_.encode(record)]

    found = deeper()
    assert found
    assert b"hunter2" not in b"".join(each[0] for each in found)
