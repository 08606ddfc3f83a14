"""Formatters and handlers of other packages: they get the exception and the arguments as in a log call."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ecs_logging
import json_log_formatter
import pytest
import structlog
from logstash_async.formatter import LogstashFormatter
from uvicorn.logging import AccessFormatter

from otel_stdlib import OTelFormatter, OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.record.exceptions import exception_attributes
from otel_stdlib.record.limits import Limits
from tests.faults.harness import run

Format = Callable[[logging.Formatter, Callable[[logging.Logger], object]], str]


class OneLine(logging.Formatter):
    """From the cookbook of ``logging``: its own idea of a traceback."""

    def formatException(self, ei: Any) -> str:
        """The standard text, on one line."""
        return repr(super().formatException(ei))


class Own(logging.Formatter):
    """Calls ``formatException`` by itself, as many JSON formatters do."""

    def format(self, record: logging.LogRecord) -> str:
        """The message and the traceback."""
        line = {"message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _in_front(tmp_path: Path, formatter: logging.Formatter) -> tuple[logging.Handler, Any]:
    file = JSONLFileHandler(tmp_path / "a.jsonl")
    file.setFormatter(formatter)
    return file, (tmp_path / "a.jsonl").read_text


def _behind(tmp_path: Path, formatter: logging.Formatter) -> tuple[logging.Handler, Any]:
    file, read = _in_front(tmp_path, formatter)
    return OTelQueueHandler(handlers=[file]), read


def _plain(tmp_path: Path, formatter: logging.Formatter) -> tuple[logging.Handler, Any]:
    stream = logging.StreamHandler(io.StringIO())
    stream.setFormatter(formatter)
    return OTelQueueHandler(handlers=[stream]), stream.stream.getvalue


@pytest.fixture(params=[_in_front, _behind, _plain])
def formatted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Format]:
    """What a formatter makes of a record on our own handler, on one behind the queue, and on a plain one there."""
    logger = logging.getLogger("tests.foreign")
    logger.setLevel(1)
    logger.propagate = False
    made: list[logging.Handler] = []

    def make(formatter: logging.Formatter, log: Callable[[logging.Logger], object]) -> str:
        handler, read = request.param(tmp_path, formatter)
        made.append(handler)
        logger.addHandler(handler)
        log(logger)
        assert handler.stop(30)
        return str(read())

    yield make
    for handler in made:
        logger.removeHandler(handler)


class Failure:
    """Logs an exception with a cause, and keeps its text."""

    text = ""

    def __call__(self, logger: logging.Logger) -> None:
        """Log it."""
        try:
            try:
                {}["k"]
            except KeyError as error:
                raise ValueError("größer: no") from error
        except ValueError as error:
            logger.exception("failed for %s", "x")
            self.text = exception_attributes(error, None, Limits())["exception.stacktrace"]


def test_one_that_calls_format_exception(formatted: Format) -> None:
    """``self.formatException(record.exc_info)`` gives the stored text."""
    failure = Failure()
    found = json.loads(formatted(Own(), failure))
    assert {"message": "failed for x", "exception": failure.text} == found
    assert "direct cause" in failure.text


def test_format_exception_is_asked(formatted: Format) -> None:
    """One that has a ``formatException`` of its own and leaves the rest to the standard library."""
    failure = Failure()
    found = formatted(OneLine("%(message)s"), failure)
    assert repr(failure.text) in found
    assert found.startswith("failed for x")


def test_ecs_logging(formatted: Format) -> None:
    """Type, message and frames."""
    failure = Failure()
    error = json.loads(formatted(ecs_logging.StdlibFormatter(), failure))["error"]
    assert ("ValueError", "größer: no") == (error["type"], error["message"])
    frames = failure.text.rpartition("Traceback (most recent call last):\n")[2].rpartition("\n")[0]
    assert frames == error["stack_trace"].rstrip("\n")


def test_json_log_formatter(formatted: Format) -> None:
    """The stored text."""
    failure = Failure()
    line = json.loads(formatted(json_log_formatter.JSONFormatter(), failure))
    assert (failure.text, "failed for x") == (line["exc_info"], line["message"])


@pytest.mark.parametrize("kind", [ecs_logging.StdlibFormatter, json_log_formatter.JSONFormatter])
def test_a_record_that_came_through_a_socket(formatted: Format, kind: type[logging.Formatter]) -> None:
    """``SocketHandler`` sends ``exc_text`` alone, which these two do not read."""

    def receive(logger: logging.Logger) -> None:
        here = logging.makeLogRecord(
            {"name": logger.name, "levelno": 40, "levelname": "ERROR", "msg": "received"}
        )
        here.exc_text = "Traceback (most recent call last):\n  File \"a.py\", line 2, in f\nKeyError: 'order'"
        logger.handle(here)

    line = json.loads(formatted(kind(), receive))
    assert "KeyError" in str(line.get("error") or line.get("exc_info"))


def test_logstash_async(formatted: Format) -> None:
    """The stored text and the type."""
    failure = Failure()
    line = json.loads(formatted(LogstashFormatter(extra_prefix=None), failure))
    assert failure.text == line["stack_trace"].rstrip("\n")
    assert "ValueError" == line["error_type"]


def test_structlog(formatted: Format) -> None:
    """The stored text, through structlog's own processor."""
    failure = Failure()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    line = json.loads(formatted(formatter, failure))
    assert {"event": "failed for x", "level": "error", "exception": failure.text} == line


def test_our_own_writes_the_same_line_again(formatted: Format) -> None:
    """``OTelFormatter`` on any of them: the stored type, message and traceback, once."""
    failure = Failure()
    attributes = json.loads(formatted(OTelFormatter(), failure))["attributes"]
    assert ("ValueError", "größer: no", failure.text) == tuple(
        attributes[f"exception.{name}"] for name in ("type", "message", "stacktrace")
    )
    assert not [name for name in attributes if "template" in name]


def test_uvicorns_access_formatter(formatted: Format) -> None:
    """It takes a record's ``args`` apart."""
    found = formatted(
        AccessFormatter("%(client_addr)s %(request_line)s %(status_code)s", use_colors=False),
        lambda logger: logger.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", "/", "1.1", 200),
    )
    assert "127.0.0.1:1 GET / HTTP/1.1 200 OK" == found.strip()


class Args(logging.Formatter):
    """Shows what a record holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, its template and its arguments."""
        return json.dumps([record.getMessage(), record.msg, repr(record.args)])


@pytest.mark.parametrize(
    ("message", "args", "kept"),
    [
        ("%s %d %.1f %s %s", ("x", 1, 2.5, True, None), "('x', 1, 2.5, True, None)"),
        ("%(a)s", ({"a": "x"},), "{'a': 'x'}"),
        ("%s", (object,), "None"),
        ("%s", (float("nan"),), "None"),
        ("%s", ([1],), "None"),
        ("%s", ("\udcff",), "None"),
        ("%d", (1 << 70,), "None"),
        ("%s", ("x" * 10_000,), "None"),
        ("100%", (), "None"),
    ],
)
def test_arguments_travel_where_they_are_plain(
    formatted: Format, message: str, args: tuple[Any, ...], kept: str
) -> None:
    """Other ones do not: then the message is final."""
    shown, template, found = json.loads(formatted(Args(), lambda logger: logger.info(message, *args)))
    assert kept == found
    assert template == (message if kept != "None" else shown)
    expected = message % (args[0] if args and isinstance(args[0], dict) else args) if args else message
    assert expected.encode("utf-8", "replace").replace(b"?", b"") in shown.replace("\\udcff", "").encode()


_DJANGO = """
import warnings
import django
from django.conf import settings
from django.core import mail
# Deprecated in Django 6.1; older versions do not know what replaces them.
warnings.filterwarnings("ignore", message=".*(EMAIL_BACKEND|ADMINS) setting is deprecated")
settings.configure(
    ADMINS=[("a", "a@example.org")], EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    SECRET_KEY="x", SERVER_EMAIL="s@example.org",
)
django.setup(set_prefix=False)
mail.outbox = []
from django.utils.log import AdminEmailHandler
import otel_stdlib
queue = otel_stdlib.OTelQueueHandler(handlers=[AdminEmailHandler()])
log.addHandler(queue)

def divide(number):
    return number / 0

try:
    divide(1)
except ZeroDivisionError:
    log.exception("it %s", "failed")
assert queue.stop(60)
[sent] = mail.outbox
print(sent.subject)
print(sent.body)
"""


def test_djangos_mails(tmp_path: Path) -> None:
    """``AdminEmailHandler`` reports the type, the message and the frames."""
    script = tmp_path / "program.py"
    script.write_text(_DJANGO)
    start = f"import runpy; runpy.run_path({str(script)!r}, globals())"
    done = run(tmp_path, start, PYTHONWARNINGS="default")  # a later Django deprecates these settings
    assert "ERROR: it failed" in done.stdout
    assert "Exception Type: ZeroDivisionError" in done.stdout
    assert "Exception Value: division by zero" in done.stdout
    for function, line in (("<module>", "    divide(1)"), ("divide", "    return number / 0")):
        number = _DJANGO.splitlines().index(line) + 1
        assert f'File "{script}", line {number}, in {function}\n{line}' in done.stdout
