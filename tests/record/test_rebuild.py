"""From a line back to a record."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from otel_stdlib import OTelFormatter, SpanContext, attach, detach
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.line import load_line
from otel_stdlib.record.rebuild import rebuild_record

UID = "01M891H8K4024506H6KDTPBNRN-00000100001000"


def there_and_back(record: logging.LogRecord) -> logging.LogRecord:
    """Encode a record and rebuild it."""
    encoded = LineEncoder().encode(record)
    assert encoded is not None
    line = load_line(encoded[0], UID.encode(), b'{"process.pid":4321}')
    return rebuild_record(line, record.levelno, encoded[2])


def original(**more: Any) -> logging.LogRecord:
    """A record as a logger makes it."""
    logger = logging.getLogger("shop.cart")
    error, stack = more.pop("exc_info", None), more.pop("stack_info", None)
    return logger.makeRecord(
        "shop.cart", 30, "/srv/cart.py", 12, "%s items", (3,), error, "add", more or None, sinfo=stack
    )


class TestRebuild:
    def test_its_own_fields(self) -> None:
        """A plain formatter writes what it would have written of the original."""
        record = original(stack_info="Stack")
        again = there_and_back(record)
        style = (
            "%(asctime)s %(levelname)s %(levelno)d %(name)s %(pathname)s %(filename)s %(module)s %(lineno)d "
        )
        style += "%(funcName)s %(thread)d %(threadName)s %(processName)s %(message)s %(msecs)d"
        formatter = logging.Formatter(style)
        assert formatter.format(again) == formatter.format(record)
        assert again.process == 4321
        assert again.args is None
        assert again.created == pytest.approx(record.created, abs=1e-6)

    def test_an_exception_is_its_text(self) -> None:
        """The traceback is printed as it was."""
        try:
            raise KeyError("k")
        except KeyError:
            record = original(exc_info=sys.exc_info())
        formatter = logging.Formatter("%(message)s")
        assert formatter.format(there_and_back(record)) == formatter.format(record)

    def test_extras_and_trace(self) -> None:
        """Extras have their names; the four trace fields are always there."""
        token = attach(SpanContext("a" * 32, "b" * 16, "01", correlation_id="req-1"))
        try:
            again = there_and_back(original(user="ann"))
        finally:
            detach(token)
        text = logging.Formatter("%(user)s %(trace_id)s %(correlation_id)s %(log.record.uid)s").format(again)
        assert text == f"ann {'a' * 32} req-1 {UID}"
        without = there_and_back(original())
        assert (
            logging.Formatter("[%(trace_id)s%(span_id)s%(trace_flags)s%(correlation_id)s]").format(without)
            == "[]"
        )

    def test_a_structured_message(self) -> None:
        """A mapping stays one, also of one member, which a record would take apart."""
        again = there_and_back(logging.makeLogRecord({"msg": {"a": 1}}))
        assert again.msg == {"a": 1}
        assert again.getMessage() == "{'a': 1}"

    def test_otel_formatter_writes_the_same_line(self) -> None:
        """A plain handler behind the queue with an ``OTelFormatter`` loses nothing."""
        try:
            raise ValueError("v")
        except ValueError:
            record = original(user="ann", exc_info=sys.exc_info(), **{"event.name": "cart.add"})
        record.__dict__["otel_stdlib.attributes"] = {"name": "mine", "message": "too"}
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        line = load_line(encoded[0], UID.encode(), b"{}")
        again = json.loads(OTelFormatter().format(rebuild_record(line, 30, encoded[2])))
        assert {**again, "resource": {}} == line

    @pytest.mark.parametrize("value", [None, "x", 1.5, [1], {"a": 1}])
    def test_any_value_under_a_known_name(self, value: Any) -> None:
        """A caller may have put anything there; a record still comes of it."""
        names = (
            "code.line.number",
            "code.file.path",
            "thread.id",
            "thread.name",
            "code.function.name",
            "process.pid",
        )
        line = {"attributes": dict.fromkeys(names, value), "body": value, "scope": value, "resource": value}
        again = rebuild_record(line, 20, 0)
        logging.Formatter("%(asctime)s %(pathname)s %(lineno)d %(message)s").format(again)
