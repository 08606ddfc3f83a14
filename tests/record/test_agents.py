"""What other packages put on records: messages of their own, event dictionaries, trace ids."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest
import structlog

from otel_stdlib.record.context import SpanContext, attach, detach
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.line import load_line

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Keeping(logging.Handler):
    """Encodes what it gets in the log call."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LineEncoder()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Encode it."""
        encoded = self.encoder.encode(record)
        assert encoded is not None
        self.lines.append(load_line(encoded[0], b"uid", b"{}"))


@pytest.fixture
def kept() -> tuple[logging.Logger, list[dict[str, Any]]]:
    """A logger, and the lines of what it logs."""
    handler = Keeping()
    logger = logging.Logger("agents", logging.DEBUG)
    logger.addHandler(handler)
    return logger, handler.lines


Kept = tuple[logging.Logger, list[dict[str, Any]]]


def test_a_message_of_the_records_own(kept: Kept) -> None:
    """A ``getMessage`` that was set on the record is asked, and is no attribute; nor is another method."""
    logger, lines = kept

    def decorate(record: logging.LogRecord) -> bool:
        def get_message() -> str:
            return f"{record.msg % record.args} NR-LINKING|abc|"

        record.getMessage = get_message  # type: ignore[method-assign]
        record.helper = MethodType(lambda self: None, record)
        return True

    logger.addFilter(decorate)
    logger.info("order %d", 7, extra={"customer": "c-1"})
    logger.info("plain %d", 8)
    assert ["order 7 NR-LINKING|abc|", "plain 8 NR-LINKING|abc|"] == [line["body"] for line in lines]
    assert "c-1" == lines[0]["attributes"]["customer"]
    assert not {"getMessage", "helper"} & {*lines[0]["attributes"], *lines[1]["attributes"]}


def test_a_message_of_its_own_that_fails(kept: Kept) -> None:
    """The template is the body, with a note of the error."""
    logger, lines = kept

    def decorate(record: logging.LogRecord) -> bool:
        record.getMessage = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        return True

    logger.addFilter(decorate)
    logger.info("order")
    assert "order" == lines[0]["body"]
    assert "ZeroDivisionError" in lines[0]["attributes"]["otel_stdlib.format_error"]


@pytest.fixture
def bridged(kept: Kept) -> Any:
    """A structlog logger over the standard library's, as its documentation sets it up."""
    processors = [structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    return lambda *more: structlog.wrap_logger(
        kept[0], processors=[*more, *processors], wrapper_class=structlog.stdlib.BoundLogger
    )


def test_structlogs_event_dictionary(kept: Kept, bridged: Callable[..., Any]) -> None:
    """The event is the body, the rest are attributes, and the bridge leaves nothing behind."""
    bridged(structlog.stdlib.add_log_level).bind(customer="c-1").info("order placed", cart=3)
    (line,) = kept[1]
    assert "order placed" == line["body"]
    found = line["attributes"]
    assert ("c-1", 3, "info") == (found["customer"], found["cart"], found["level"])
    assert not {"event", "_logger", "_name", "exc_info"} & found.keys()


@pytest.mark.parametrize("more", [(), (structlog.processors.format_exc_info,)], ids=["raw", "formatted"])
def test_structlogs_exception_keeps_its_traceback(
    kept: Kept, bridged: Callable[..., Any], more: tuple[Any, ...]
) -> None:
    """Whether a processor has rendered it or not."""
    try:
        raise ValueError("no stock")
    except ValueError:
        bridged(*more).exception("order failed", order=7)
    (line,) = kept[1]
    assert "order failed" == line["body"]
    found = line["attributes"]
    assert ("ValueError", "no stock", 7) == (
        found["exception.type"],
        found["exception.message"],
        found["order"],
    )
    assert 'raise ValueError("no stock")' in found["exception.stacktrace"]
    assert not {"exc_info", "exception"} & found.keys()


def test_a_dictionary_that_is_not_structlogs_stays_a_body(kept: Kept) -> None:
    """An ``event`` in a structured message, or an attribute ``_name``, is the application's own."""
    logger, lines = kept
    logger.info({"event": "placed", "order": 7}, extra={"_name": "x"})
    assert {"event": "placed", "order": 7} == lines[0]["body"]
    assert "x" == lines[0]["attributes"]["_name"]


@pytest.mark.parametrize(
    ("extra", "trace", "span"),
    [
        ({"dd.trace_id": TRACE, "dd.span_id": "12345678901234567890"}, TRACE, f"{12345678901234567890:016x}"),
        (
            {"dd.trace_id": "1234567890123456789", "dd.span_id": "42"},
            f"{1234567890123456789:032x}",
            f"{42:016x}",
        ),
        ({"dd.trace_id": 77, "dd.span_id": 42}, f"{77:032x}", f"{42:016x}"),
        (
            {"elasticapm_trace_id": TRACE, "elasticapm_transaction_id": SPAN, "elasticapm_span_id": None},
            TRACE,
            SPAN,
        ),
        (
            {"elasticapm_trace_id": TRACE, "elasticapm_span_id": SPAN, "elasticapm_transaction_id": "1" * 16},
            TRACE,
            SPAN,
        ),
    ],
)
def test_an_agents_trace(kept: Kept, extra: dict[str, Any], trace: str, span: str) -> None:
    """It is the record's where there is no other, and is no attribute any more."""
    logger, lines = kept
    logger.info("x", extra=extra)
    assert (trace, span) == (lines[0]["trace_id"], lines[0]["span_id"])
    assert not extra.keys() & lines[0]["attributes"].keys()


def test_another_trace_wins_over_an_agents(kept: Kept) -> None:
    """The current context's; the agent's ids then stay attributes."""
    logger, lines = kept
    token = attach(SpanContext(TRACE, SPAN))
    try:
        logger.info("x", extra={"dd.trace_id": "7", "dd.span_id": "8"})
    finally:
        detach(token)
    assert (TRACE, SPAN) == (lines[0]["trace_id"], lines[0]["span_id"])
    assert ("7", "8") == (lines[0]["attributes"]["dd.trace_id"], lines[0]["attributes"]["dd.span_id"])


def test_what_agents_leave_empty_vanishes(kept: Kept) -> None:
    """They set their names on every record, with or without a trace."""
    logger, lines = kept
    empty = {"dd.trace_id": "0", "dd.span_id": "0", "dd.service": "shop", "dd.env": "", "dd.version": ""}
    logger.info("x", extra=empty)
    logger.info(
        "x", extra={"elasticapm_trace_id": None, "elasticapm_transaction_id": None, "elasticapm_labels": {}}
    )
    assert "trace_id" not in lines[0]
    assert {"dd.service"} == {key for key in lines[0]["attributes"] if key.startswith("dd.")}
    assert not [key for key in lines[1]["attributes"] if key.startswith("elasticapm")]


@pytest.mark.parametrize("value", ["x", "12345678901234567890123", "0x7", "-1", 1.5, "18446744073709551616"])
def test_what_is_not_an_id_stays_an_attribute(kept: Kept, value: Any) -> None:
    """Nothing that cannot be read is lost."""
    logger, lines = kept
    logger.info("x", extra={"dd.trace_id": value})
    assert value == lines[0]["attributes"]["dd.trace_id"]
    assert "trace_id" not in lines[0]


def test_a_method_alone(kept: Kept) -> None:
    """The line is whole though nothing is left of the extras, and no dropped attribute is counted."""
    logger, lines = kept
    logger.info("x", extra={"helper": logger.info})
    logger.info("x", extra={"helper": logger.info, **{f"a{number}": number for number in range(128)}})
    assert ["x", "x"] == [line["body"] for line in lines]
    assert not [
        line for line in lines if "helper" in line["attributes"] or "otel.dropped_attributes_count" in line
    ]
