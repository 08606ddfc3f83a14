"""``OTelFormatter``: the shapes of a line and the options of ``python-json-logger``."""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.config
import pickle
from typing import Any

import orjson
import pytest
from pythonjsonlogger.core import BaseJsonFormatter

from otel_stdlib import ConfigError, OTelFormatter
from otel_stdlib.record.line import close_line

RESOURCE = b'{"service.name":"shop"}'


def record(**fields: Any) -> logging.LogRecord:
    """A record with a fixed time."""
    base = {"msg": "hi %s", "args": ("bob",), "levelno": 20, "levelname": "INFO", "name": "shop.cart"}
    return logging.makeLogRecord({**base, "created": 1_700_000_000.5, **fields})


def written(formatter: OTelFormatter, **fields: Any) -> dict[str, Any]:
    """The line of a record, as a dictionary."""
    line: dict[str, Any] = json.loads(formatter.format(record(**fields)))
    return line


class TestPlain:
    def test_any_handler_gets_the_whole_record(self) -> None:
        """``format`` gives the whole line with a uid and the resource."""
        formatter = OTelFormatter(service_name="shop", service_version="1.2", resource={"team": "a"})
        lines = [written(formatter, user="u") for _ in range(2)]
        assert lines[0]["body"] == "hi bob"
        assert lines[0]["attributes"]["user"] == "u"
        assert {"service.name": "shop", "service.version": "1.2", "team": "a"}.items() <= lines[0][
            "resource"
        ].items()
        assert lines[0]["attributes"]["log.record.uid"] != lines[1]["attributes"]["log.record.uid"]

    def test_rendering_is_concatenation(self) -> None:
        """Without a shaping option the line is the closed payload, byte for byte."""
        formatter = OTelFormatter()
        encoded = formatter.encoder.encode(record())
        assert encoded is not None
        assert formatter.is_plain
        assert formatter.render(encoded[0], b"u-1", RESOURCE) == close_line(encoded[0], b"u-1", RESOURCE)

    def test_the_record_is_not_changed(self) -> None:
        """Another handler sees the record as it was."""
        before = record(user="u", exc_info=(None, None, None))
        fields = dict(before.__dict__)
        OTelFormatter(fmt="%(asctime)s %(message)s").format(before)
        assert before.__dict__ == fields

    def test_what_delivery_threads_log_is_formatted_outside_the_queue(self) -> None:
        """The guard is the queue's: a console shows everything."""
        line = written(OTelFormatter(), threadName="otel-stdlib-jsonl")
        assert line["attributes"]["thread.name"] == "otel-stdlib-jsonl"

    def test_a_record_from_the_spool_keeps_its_uid(self) -> None:
        """A plain handler behind the queue writes the uid that other destinations have."""
        uid = "01M891H8K4024506H6KDTPBNRN-00000100001000"
        line = written(OTelFormatter(), **{"log.record.uid": uid})
        assert line["attributes"]["log.record.uid"] == uid
        assert "otel_stdlib.log.record.uid" not in line["attributes"]

    def test_a_pickled_formatter_works(self) -> None:
        """Options survive ``spawn``; what belongs to a process does not."""
        formatter = OTelFormatter(
            service_name="shop", static_fields={"env": "prod"}, limits={"value_length": 5}
        )
        written(formatter)
        copy = pickle.loads(pickle.dumps(formatter))
        line = written(copy, user="abcdefgh")
        assert (line["env"], line["resource"]["service.name"]) == ("prod", "shop")
        assert line["attributes"]["user"] == "abcd…"


class TestShapes:
    def test_ecs(self) -> None:
        """``format: ecs`` writes ECS documents."""
        line = written(OTelFormatter(format="ecs"))
        assert (line["message"], line["log"]["level"]) == ("hi bob", "info")

    def test_otlp(self) -> None:
        """``format: otlp`` writes one ``LogsData`` object a line."""
        line = written(OTelFormatter(format="otlp"))
        logs = line["resourceLogs"][0]["scopeLogs"][0]
        assert logs["scope"] == {"name": "shop.cart"}
        assert logs["logRecords"][0]["body"] == {"stringValue": "hi bob"}

    @pytest.mark.parametrize("key", ["()", "class"])
    def test_from_dictconfig(self, key: str) -> None:
        """Both spellings of ``dictConfig`` make one, and both can say the shape."""
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {key: "otel_stdlib.OTelFormatter", "format": "ecs"}},
            "handlers": {"null": {"class": "logging.NullHandler", "formatter": "json"}},
            "loggers": {"tests.formatter": {"handlers": ["null"]}},
        }
        logging.config.dictConfig(config)
        logger = logging.getLogger("tests.formatter")
        handler = logger.handlers[0]
        logger.removeHandler(handler)
        assert isinstance(handler.formatter, OTelFormatter)
        assert "message" in written(handler.formatter)


class TestOptions:
    def test_rename_fields(self) -> None:
        """Fields of the top level are renamed, by their own name or by a record's."""
        line = written(
            OTelFormatter(rename_fields={"severity_number": "n", "levelname": "level", "message": "msg"})
        )
        assert (line["n"], line["level"], line["msg"]) == (9, "INFO", "hi bob")
        assert not {"severity_text", "severity_number", "body"} & set(line)

    def test_rename_fields_keep_missing(self) -> None:
        """A field that is not there is there as null, when asked."""
        names = {"trace_id": "trace"}
        assert "trace" not in written(OTelFormatter(rename_fields=names))
        assert written(OTelFormatter(rename_fields=names, rename_fields_keep_missing=True))["trace"] is None

    def test_static_fields_and_defaults(self) -> None:
        """Static fields win, defaults lose."""
        line = written(
            OTelFormatter(static_fields={"env": "prod", "body": "static"}, defaults={"scope": 1, "a": 2})
        )
        assert (line["env"], line["body"], line["a"]) == ("prod", "static", 2)
        assert line["scope"] == {"name": "shop.cart"}

    @pytest.mark.parametrize("shape", ["otel", "ecs", "otlp"])
    def test_timestamp(self, shape: str) -> None:
        """One more field holds the record's own time, in every shape."""
        assert written(OTelFormatter(format=shape, timestamp="@t"))["@t"] == "2023-11-14T22:13:20.500000Z"
        assert (
            written(OTelFormatter(format=shape, timestamp=True))["timestamp"] == "2023-11-14T22:13:20.500000Z"
        )

    def test_prefix(self) -> None:
        """The prefix stands before the object."""
        assert OTelFormatter(prefix="@cee: ").format(record()).startswith('@cee: {"timestamp"')

    def test_json_default(self) -> None:
        """Types that are not known are asked about; what fails is text."""

        class Money:
            def __init__(self, cents: int) -> None:
                self.cents = cents

            def __str__(self) -> str:
                return "money"

        formatter = OTelFormatter(json_default=lambda value: {"cents": value.cents})
        line = written(formatter, price=Money(5), other=object)
        assert line["attributes"]["price"] == {"cents": 5}
        assert line["attributes"]["other"] == "<class 'object'>"

    def test_reserved_attrs(self) -> None:
        """Reserved names stay out; a record's own attribute that is not reserved comes in."""
        line = written(OTelFormatter(reserved_attrs=["secret", "msg", "args", "exc_info"]), secret=1, user=2)
        assert "secret" not in line["attributes"]
        assert (line["attributes"]["user"], line["attributes"]["processName"]) == (2, "MainProcess")

    def test_static_attributes_and_severity_text(self) -> None:
        """Attributes of every record, which a record's own override; short severity names."""
        formatter = OTelFormatter(static_attributes={"env": "prod", "zone": "a"}, severity_text="short")
        line = written(formatter, levelno=30, levelname="WARNING", zone="b")
        assert (line["attributes"]["env"], line["attributes"]["zone"]) == ("prod", "b")
        assert line["severity_text"] == "WARN"

    @pytest.mark.parametrize("shape", ["otel", "ecs"])
    def test_stacks_as_arrays(self, shape: str) -> None:
        """Stacks can be lists of their lines."""
        formatter = OTelFormatter(format=shape, exc_info_as_array=True, stack_info_as_array=True)
        line = written(formatter, exc_text="Traceback\n  one\nTwo: three", stack_info="Stack\n  here")
        if shape == "otel":
            assert line["attributes"]["exception.stacktrace"] == ["Traceback", "  one", "Two: three"]
            assert line["attributes"]["code.stacktrace"] == ["Stack", "  here"]
        else:
            assert line["error"]["stack_trace"] == ["Traceback", "  one", "Two: three"]


class TestFieldsInAFormat:
    def test_the_line_is_that_of_python_json_logger(self) -> None:
        """With ``fmt`` the fields are those of any ``python-json-logger`` formatter, and ours besides."""

        class Peer(BaseJsonFormatter):
            def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
                return orjson.dumps(log_data).decode()

        options: dict[str, Any] = {
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
            "datefmt": "%Y",
            "rename_fields": {"levelname": "level"},
            "static_fields": {"env": "prod"},
            "timestamp": "t",
        }
        fields = {"user": "u", "exc_text": "Traceback\nE: x", "exc_info": None}
        theirs = json.loads(Peer(**options).format(record(**fields)))
        ours = written(OTelFormatter(**options), **fields)
        assert theirs.items() <= ours.items()
        assert (ours["asctime"], ours["level"], ours["env"], ours["user"]) == ("2023", "INFO", "prod", "u")

    def test_members_of_the_record(self) -> None:
        """Names of the OpenTelemetry record can be asked for as well, in any style."""
        line = written(OTelFormatter(fmt="{timestamp} {severity_number} {body}", style="{"), exc_text="a\nb")
        assert (line["timestamp"], line["severity_number"], line["body"]) == (
            "2023-11-14T22:13:20.500000Z",
            9,
            "hi bob",
        )
        assert written(OTelFormatter(fmt=["body"]))["body"] == "hi bob"

    def test_a_structured_message_and_stacks_as_arrays(self) -> None:
        """A mapping as message gives its fields; stacks can be lists there, too."""
        formatter = OTelFormatter(fmt="%(levelname)s", exc_info_as_array=True)
        line = written(formatter, msg={"event": "login"}, args=None, exc_text="a\nb")
        assert (line["event"], line["exc_info"]) == ("login", ["a", "b"])


class TestWrongOptions:
    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"format": "xml"}, "format"),
            ({"colour": True}, "colour"),
            ({"rename_fields": ["a"]}, "rename_fields"),
            ({"rename_fields": {"a": 1}}, "rename_fields"),
            ({"static_fields": 1}, "static_fields"),
            ({"prefix": 1}, "prefix"),
            ({"timestamp": 1.5}, "timestamp"),
            ({"service_name": 1}, "service_name"),
            ({"resource": "a=b"}, "resource"),
            ({"fmt": "%(x"}, "fmt"),
            ({"fmt": "x", "style": "!"}, "style"),
            ({"limits": {"size": 1}}, "size"),
            ({"limits": {"depth": 0}}, "depth"),
            ({"limits": 5}, "limits"),
            ({"severity_text": "long"}, "severity_text"),
            ({"reserved_attrs": "name"}, "reserved_attrs"),
            ({"json_default": "str"}, "json_default"),
        ],
    )
    def test_each_is_named(self, options: dict[str, Any], name: str) -> None:
        """A wrong option is a ``ConfigError`` that quotes it."""
        with pytest.raises(ConfigError, match=f"'{name}'") as caught:
            OTelFormatter(**options)
        assert caught.value.option == name


def test_time_is_utc() -> None:
    """The line's time does not depend on the machine's zone."""
    stamp = dt.datetime.fromisoformat(written(OTelFormatter())["timestamp"].replace("Z", "+00:00"))
    assert stamp == dt.datetime(2023, 11, 14, 22, 13, 20, 500000, dt.timezone.utc)
