from __future__ import annotations

import orjson
import pytest

from otel_stdlib.handlers.kafka.naming import TopicPattern, safe_part
from tests.handlers.elasticsearch.helpers import RESOURCE, make_frame

ATTRIBUTES = orjson.loads(RESOURCE)


def test_a_fixed_topic_needs_no_record() -> None:
    """Without a placeholder every record has the one topic."""
    pattern = TopicPattern("logs")
    assert (pattern.fixed, pattern.name(make_frame(1), {})) == ("logs", "logs")


@pytest.mark.parametrize(
    ("extra", "topic"),
    [
        ({"tenant": "acme"}, "logs.acme"),
        ({"tenant": "Acme"}, "logs.Acme"),
        ({"tenant": 7}, "logs.7"),
        ({}, "logs.unknown"),
        ({"tenant": ""}, "logs.unknown"),
        ({"tenant": {"a": 1}}, "logs.unknown"),
    ],
)
def test_attributes_name_the_topic(extra: dict[str, object], topic: str) -> None:
    """``{attribute}`` is the record's value, or ``unknown``."""
    assert TopicPattern("logs.{tenant}").name(make_frame(1, **extra), ATTRIBUTES) == topic


def test_the_resource_names_it_too() -> None:
    """What the record does not have is looked for in the resource, then in the record's own fields."""
    name = TopicPattern("{service.name}-{severity_text}").name(make_frame(1), ATTRIBUTES)
    assert name == "shop-INFO"


def test_illegal_characters_are_replaced_and_tenants_stay_apart() -> None:
    """What a topic's name cannot hold is replaced, and a hash keeps two values from sharing a topic."""
    parts = [safe_part(value) for value in ("a/b", "a:b", "a b", "ü", "../x", "x" * 200, "x" * 201)]
    assert len(set(parts)) == len(parts)
    assert all(set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for part in parts)
    assert all(len(part) <= 90 for part in parts)


def test_long_and_reserved_names_become_legal() -> None:
    """A name made of several long values fits, and ``..`` is no topic."""
    long = TopicPattern("{a}{b}{c}{d}").name(
        make_frame(1, a="a" * 80, b="b" * 80, c="c" * 80, d="d" * 80), {}
    )
    assert len(long) == 249
    assert TopicPattern("{a}").name(make_frame(1, a=".."), {}) not in (".", "..")
