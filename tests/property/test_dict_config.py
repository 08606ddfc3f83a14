"""Whatever ``logging.config.dictConfig`` takes, ``load_dict_config`` takes, with the same result."""

from __future__ import annotations

import collections
import enum
import functools
import logging
import logging.config
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_stdlib.config.dictconfig import load_dict_config

Pair = collections.namedtuple("Pair", "first second")  # noqa: PYI024 - a plain one, as libraries have them


class Colour(str, enum.Enum):
    """Text of a kind of its own."""

    RED = "red"


class Recording(logging.Handler):
    """Keeps what it was made with."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing is logged here."""


class Narrow(logging.Handler):
    """Has one option, and an old name for a stream."""

    def __init__(self, size: object = 1, strm: object = None) -> None:
        super().__init__()
        self.options = {"size": size, "strm": strm}


def make_narrow(**options: Any) -> logging.Handler:
    """A factory that takes anything."""
    return Recording(**options)


class Wanted(logging.Filter):
    """A filter with options."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options


def pick(record: logging.LogRecord) -> bool:
    """A filter that is a function."""
    return True


LEVEL = 15
NAMES = {"plain": "plain"}
HERE = __name__
LIVE = object()

scalars = st.sampled_from(
    [
        None,
        True,
        0,
        7,
        1.5,
        "",
        "text",
        b"bytes",
        Path("/tmp/x"),
        Colour.RED,
        Pair(1, [2]),
        LIVE,
        Recording,
        pick,
        sys.stdout,
        frozenset({1}),
        collections.ChainMap({"a": 1}),
        "ext://sys.stderr",
        f"ext://{HERE}.LEVEL",
        f"ext://{HERE}.LIVE",
        "cfg://shared.size",
        "cfg://shared.items[1]",
        "cfg://shared",
        "http://example.test/x",
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.sampled_from(["a", "password"]), st.integers(0, 3)), inner, max_size=3),
    ),
    max_leaves=5,
)
levels = st.sampled_from(
    [None, 0, 10, 35, "INFO", "Notice", "NOTSET", f"ext://{HERE}.LEVEL", "cfg://shared.level", LEVEL]
)
flags = st.sampled_from([True, False, 0, 1, None])
filters = st.lists(st.sampled_from(["one", "two", pick, Wanted()]), max_size=2, unique_by=id)
filter_lists = st.one_of(st.none(), filters, filters.map(tuple))
formatters = st.fixed_dictionaries(
    {
        "plain": st.sampled_from(
            [
                {"format": "%(message)s", "datefmt": None},
                {"format": "$message", "style": "$"},
                {"class": "logging.Formatter", "fmt": None, "validate": False},
                {"()": "logging.Formatter", "format": "%(name)s"},
                {"()": logging.Formatter, ".": {"converter": LIVE}},
                {"()": f"ext://{HERE}.logging.Formatter"},
                {"format": "cfg://shared.text"},
            ]
        )
    }
)


@st.composite
def handlers(draw: Any) -> Any:
    """One entry of the section."""
    options = draw(st.dictionaries(st.sampled_from(["size", "hosts", "api_key"]), values, max_size=3))
    spelling = draw(
        st.sampled_from(
            [
                {"class": f"{HERE}.Recording"},
                {"()": f"{HERE}.Recording"},
                {"()": f"ext://{HERE}.make_narrow"},
                {"()": Recording},
                {"()": make_narrow},
                {"()": functools.partial(Recording, size=2)},
                {"class": f"{HERE}.Narrow"},
                {"class": "logging.NullHandler"},
                {"class": "logging.StreamHandler", "stream": sys.stdout},
                {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"},
                {"class": f"{HERE}.Narrow", "stream": None},
                "cfg://templates.handler",
                *([{"class": Recording}] if sys.version_info >= (3, 12) else []),
            ]
        )
    )
    if isinstance(spelling, str):
        return spelling
    takes_all = HERE in str(spelling) and "Narrow" not in str(spelling)
    entry = {**spelling, **(options if takes_all else {})}
    for key, drawn in (
        ("level", levels),
        ("formatter", st.sampled_from([None, "", "plain", "cfg://shared.name", f"ext://{HERE}.NAMES"])),
        ("filters", filter_lists),
        (".", st.sampled_from([None, {}, {"terminator": "|", "owner": LIVE}])),
    ):
        if draw(st.booleans()):
            entry[key] = draw(drawn)
    return entry


loggers = st.fixed_dictionaries(
    {},
    optional={
        "level": levels,
        "propagate": flags,
        "filters": filter_lists,
        "handlers": st.sampled_from([None, [], ["a"], ("a",), ["a", "b"]]),
        "comment": st.just("ignored by dictConfig"),
    },
)


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A document that is mostly right."""
    document: dict[str, Any] = {
        "version": draw(st.sampled_from([1, 1, 1.0, "cfg://shared.version"])),
        "disable_existing_loggers": draw(flags),
        "shared": {
            "size": 3,
            "items": [1, 2],
            "level": "ERROR",
            "name": "plain",
            "text": "%(x)s",
            "version": 1,
        },
        "templates": {"handler": {"class": f"{HERE}.Recording", "level": "WARNING", "size": (1, LIVE)}},
        "formatters": draw(formatters),
        "filters": {"one": {"name": "a"}, "two": {"()": Wanted, "any": draw(values)}},
        "handlers": {"a": draw(handlers()), "b": {"()": Recording, "n": draw(values)}},
        "loggers": {"property.one": draw(loggers)},
        "root": draw(st.one_of(st.none(), loggers)),
    }
    if draw(st.integers(0, 9)) == 0:
        document["incremental"] = draw(flags)
        document["handlers"] = {}
    return document


def plain(value: Any) -> Any:
    """Values to compare: standard containers, and other objects by themselves."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in dict.items(value)}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [type(value).__base__ if "Converting" in str(type(value)) else type(value), *map(plain, value)]
    return (type(value), value) if isinstance(value, (Colour, bytes)) else value


def picture_of(filterer: Any) -> Any:
    """A handler or logger as it was configured."""
    found = [
        plain(vars(each)) if isinstance(each, logging.Filter) and type(each) is not Wanted else type(each)
        for each in filterer.filters
    ]
    picture = [type(filterer), filterer.level, found]
    if isinstance(filterer, logging.Handler):
        formatter = filterer.formatter
        shape = formatter and (type(formatter), formatter._fmt, formatter.converter)
        extra = [getattr(filterer, name, None) for name in ("terminator", "owner", "stream")]
        return [*picture, filterer.name, shape, plain(getattr(filterer, "options", None)), extra]
    return [*picture, filterer.propagate, filterer.disabled, [picture_of(each) for each in filterer.handlers]]


def outcome(load: Any, document: dict[str, Any]) -> Any:
    """The tree after loading, or the error."""
    for name in ("property.one", "property.before"):
        logger = logging.getLogger(name)
        logger.setLevel(0)
        logger.propagate, logger.disabled, logger.filters = True, False, []
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.handlers, root.filters = [], []
    try:
        load(document)
    except Exception as error:
        return error
    return [picture_of(logging.getLogger(name)) for name in ("root", "property.one", "property.before")]


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    logging.addLevelName(25, "Notice")
    root = logging.getLogger()
    kept = (root.level, list(root.handlers), list(root.filters))
    yield
    root.setLevel(kept[0])
    root.handlers, root.filters = kept[1], kept[2]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents())
def test_it_takes_what_dict_config_takes(document: dict[str, Any]) -> None:
    """The same handlers, with the same options by identity, levels, filters and switches."""
    expected = outcome(logging.config.dictConfig, document)
    found = outcome(load_dict_config, document)
    if isinstance(expected, Exception):
        return
    assert not isinstance(found, Exception), found
    assert expected == found
