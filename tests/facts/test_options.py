"""The checks of options: one rule and one wording for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_flag, check_seconds, check_whole
from otel_stdlib.handlers import (
    ElasticsearchHandler,
    JSONLFileHandler,
    KafkaHandler,
    OTLPHandler,
    PostgresHandler,
)
from tests.support import needs_kafka

#: What is never a number of seconds.
NO_SECONDS = ("2", None, True, -1, -0.5, math.nan, math.inf, [1])


@pytest.mark.parametrize("value", [*NO_SECONDS, 0, 0.0])
def test_seconds_above_zero(value: object) -> None:
    """The message has the option, the rule and the value."""
    with pytest.raises(ConfigError) as caught:
        check_seconds("x", value)
    assert str(caught.value) == f"option 'x' must be a number of seconds above 0, not {value!r}"
    assert caught.value.option == "x"


@pytest.mark.parametrize("value", NO_SECONDS)
def test_seconds_of_zero_or_more(value: object) -> None:
    """Zero is allowed where the option says so."""
    with pytest.raises(ConfigError) as caught:
        check_seconds("x", value, 0)
    assert str(caught.value) == f"option 'x' must be a number of seconds of 0 or more, not {value!r}"
    assert check_seconds("x", 0, 0) == 0.0


def test_seconds_have_the_limits_that_are_given() -> None:
    """Both limits are allowed values themselves, and an integer becomes a float."""
    assert [check_seconds("x", value, 1, 5) for value in (1, 2.5, 5)] == [1.0, 2.5, 5.0]
    assert type(check_seconds("x", 3)) is float
    with pytest.raises(ConfigError, match=r"of 1 or more and up to 5, not 0\.9"):
        check_seconds("x", 0.9, 1, 5)
    with pytest.raises(ConfigError, match="above 0 and up to 5, not 6"):
        check_seconds("x", 6, high=5)


@pytest.mark.parametrize("value", ["2", None, True, 2.0, 0, 10])
def test_a_whole_number(value: object) -> None:
    """Booleans and floats are none, even where they have the value of one."""
    with pytest.raises(ConfigError) as caught:
        check_whole("spool.x", value, 1, 9)
    assert str(caught.value) == f"option 'x' of 'spool' must be a whole number from 1 to 9, not {value!r}"
    assert caught.value.option == "x"


def test_a_whole_number_without_a_limit() -> None:
    """It still has to fit an offset in a file."""
    check_whole("x", 1 << 62, 1)
    for value in (0, 1 << 63):
        with pytest.raises(ConfigError, match="a whole number of 1 or more"):
            check_whole("x", value, 1)


def test_flags_and_choices() -> None:
    """A choice that is nearly right is asked for."""
    with pytest.raises(ConfigError, match=r"^option 'x' must be true or false, not 1$"):
        check_flag("x", 1)
    with pytest.raises(
        ConfigError, match=r"^option 'x' must be one of on, off, not 'onn'; did you mean 'on'\?$"
    ):
        check_choice("x", "onn", ("on", "off"))


RETRIED = [
    pytest.param(ElasticsearchHandler, {}, id="elasticsearch"),
    pytest.param(KafkaHandler, {}, marks=needs_kafka, id="kafka"),
    pytest.param(OTLPHandler, {}, id="otlp"),
    pytest.param(PostgresHandler, {}, id="postgres"),
]


@pytest.mark.parametrize(("make", "given"), RETRIED)
@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("retry_delay", -1, "a number of seconds of 0 or more, not -1"),
        ("max_retry_delay", "x", "a number of seconds of 0 or more, not 'x'"),
        ("batch_age", None, "a number of seconds of 0 or more, not None"),
        ("shutdown_timeout", -1, "a number of seconds of 0 or more, not -1"),
        ("circuit_breaker_timeout", 0, "a number of seconds above 0, not 0"),
        ("health_check_interval", True, "a number of seconds above 0, not True"),
        ("circuit_breaker_threshold", 0, "a whole number of 1 or more, not 0"),
        ("max_retries", 1.5, "a whole number of 0 or more, not 1.5"),
    ],
)
def test_every_backend_has_one_wording(
    make: Callable[..., Any], given: dict[str, Any], option: str, value: object, rule: str
) -> None:
    """What is wrong reads the same for each of them."""
    with pytest.raises(ConfigError) as caught:
        make(**given, **{option: value})
    assert str(caught.value) == f"option {option!r} must be {rule}"


@pytest.mark.parametrize(
    ("spool", "words"),
    [
        (
            {"sync_interval": 0},
            "option 'sync_interval' of 'spool' must be a number of seconds above 0 and up to 3600",
        ),
        (
            {"max_bytes": "1"},
            "option 'max_bytes' of 'spool' must be a whole number from 262144 to 1125899906842624",
        ),
        ({"overflow": "shedd"}, "not 'shedd'; did you mean 'shed'?"),
    ],
)
def test_the_spool_s_options_too(spool: dict[str, Any], words: str) -> None:
    """The section that holds an option is named."""
    for make in (OTelQueueHandler, lambda spool: JSONLFileHandler("x.jsonl", spool=spool)):
        with pytest.raises(ConfigError) as caught:
            make(spool=spool)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("make", "given"), [*RETRIED, pytest.param(JSONLFileHandler, {"filename": "x"}, id="jsonl")]
)
def test_retries_have_one_set_of_defaults(make: Callable[..., Any], given: dict[str, Any]) -> None:
    """A custom backend or a plain handler behind the queue is retried like every backend of the package."""
    names = (
        "max_retries",
        "retry_delay",
        "max_retry_delay",
        "health_check_interval",
        "circuit_breaker_threshold",
        "circuit_breaker_timeout",
    )
    usual = DeliveryPolicy()
    handler = make(**given)
    try:
        assert [getattr(handler.policy, name) for name in names] == [getattr(usual, name) for name in names]
    finally:
        handler.stop(1)
        handler.close()
