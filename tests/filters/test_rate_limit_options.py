"""Options of rate limits: what becomes of the excess, and what is refused."""

from __future__ import annotations

import logging
import logging.config
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.config.dictconfig import check_dict_config
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.filters import RateLimitFilter
from tests.filters.parts import Kept, lines, logged, record


@pytest.mark.parametrize("named", [True, False])
def test_excess_goes_to_another_handler(tmp_path: Path, named: bool) -> None:
    """By object or by name, with its level; the count stays."""
    other = Kept()
    other.name = "overflow"
    with logged(tmp_path, RateLimitFilter(0.001, burst=1, excess="overflow" if named else other)) as made:
        for number in range(3):
            made.logger.info("x", extra={"number": number})
        made.logger.debug("x")
        other.setLevel(logging.ERROR)
        made.logger.info("x")
        assert [getattr(entry, "number", None) for entry in other.records] == [1, 2, None]
        assert made.suppressed() == {"rate_limit": {"DEBUG": 1, "INFO": 3}}


def test_in_a_document(tmp_path: Path) -> None:
    """A handler that no logger has is reached by ``cfg://``; dictConfig would let go of it otherwise."""
    config = {
        "version": 1,
        "filters": {
            "limit": {
                "()": "otel_stdlib.filters.RateLimitFilter",
                "rate": 0.001,
                "burst": 1,
                "report": 0,
                "excess": "cfg://handlers.overflow",
            }
        },
        "handlers": {
            "overflow": {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(tmp_path / "over.jsonl"),
            },
            "file": {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(tmp_path / "out.jsonl"),
            },
            "queue": {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["file"], "filters": ["limit"]},
        },
        "loggers": {"tests.excess": {"level": "INFO", "handlers": ["queue"], "propagate": False}},
    }
    assert check_dict_config(config)[1] == []
    logging.config.dictConfig(config)
    logger = logging.getLogger("tests.excess")
    for number in range(3):
        logger.info("x", extra={"number": number})
    (queue,) = logger.handlers
    over = queue.filters[0]._excess.find()  # type: ignore[union-attr]
    for handler in (queue, over):
        assert handler.stop(30)  # type: ignore[union-attr]
    assert [line["attributes"]["number"] for line in lines(tmp_path / "out.jsonl")] == [0]
    assert [line["attributes"]["number"] for line in lines(tmp_path / "over.jsonl")] == [1, 2]


def test_a_handler_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    """Counted and reported; the call sees nothing."""
    each = RateLimitFilter(0.001, burst=1, report=0, excess="nowhere")
    assert [bool(each.filter(record())) for _ in range(3)] == [True, False, False]
    assert "there is no handler 'nowhere' for 'excess'" in capfd.readouterr().err


def test_excess_that_comes_back() -> None:
    """To a handler that has the same filter: it ends there."""
    other = Kept()
    each = RateLimitFilter(0.001, burst=1, report=0, excess=other)
    other.addFilter(each)
    assert [bool(other.handle(record())) for _ in range(3)] == [True, False, False]
    assert len(other.records) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": -1}, "option 'rate' must be a number above 0, not -1"),
        ({"rate": 0}, "option 'rate' must be a number above 0"),
        ({"rate": "fast"}, "option 'rate' must be a number above 0"),
        ({"rate": float("inf")}, "option 'rate' must be a number above 0"),
        ({"rate": float("nan")}, "option 'rate' must be a number above 0"),
        ({"burst": 0}, "option 'burst' must be a number above 0"),
        ({"unit": "byte"}, "option 'unit' must be one of records, bytes, not 'byte'; did you mean 'bytes'"),
        ({"by": "loger"}, "option 'by' must have names .* did you mean 'logger'"),
        ({"by": []}, "option 'by' must be a name or a list of names"),
        ({"by": ["none", "logger"]}, "option 'by' must have 'none' alone"),
        ({"by": ["attribute:"]}, "option 'by' must have names"),
        ({"max_keys": 0}, "option 'max_keys' must be a whole number of 1 or more"),
        ({"report": -1}, "option 'report' must be a number of seconds of 0 or more"),
        (
            {"excess": 3},
            "option 'excess' must be drop, a handler, the name of one, or cfg://handlers.NAME, not 3",
        ),
        ({"overrides": [1]}, "option 'overrides' must be a mapping of mappings"),
        (
            {"overrides": {"acme": {"rat": 1}}},
            "unknown option 'rat' of 'overrides.acme'; did you mean 'rate'",
        ),
        ({"overrides": {"acme": {"rate": -1}}}, "option 'rate' of 'overrides.acme' must be a number above 0"),
        ({"up_to": "HIGH"}, "option 'up_to': there is no level 'HIGH'"),
        ({"rates": 1}, "unknown option 'rates' of RateLimitFilter; did you mean 'rate'"),
    ],
)
def test_an_error_names_the_option(options: dict[str, Any], message: str) -> None:
    """What is wrong, what is allowed, and the nearest name."""
    with pytest.raises(ConfigError, match=message):
        RateLimitFilter(**options)


class _Hostile:
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


def test_records_that_raise_pass() -> None:
    """A key or a size that cannot be had is no reason to lose the record."""
    by_value = RateLimitFilter(0.001, burst=1, by="attribute:x")
    by_size = RateLimitFilter(0.001, burst=1, unit="bytes")
    for _ in range(3):
        assert by_value.filter(record(x=_Hostile())) is True
        assert by_size.filter(record("%d", args=("x",))) is True
        assert by_size.filter(record(levelno=None)) is True
