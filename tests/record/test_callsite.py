"""What is remembered of a call site depends on nothing that its key lacks."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.line import load_line


def written(encoder: LineEncoder, record: logging.LogRecord) -> dict[str, Any]:
    """The attributes of its line."""
    encoded = encoder.encode(record)
    assert encoded is not None
    found: dict[str, Any] = load_line(encoded[0], b"uid", b"{}")
    return {**found["attributes"], "severity_text": found["severity_text"], "scope": found["scope"]["name"]}


def made(path: str = __file__, line: int = 1, function: str | None = "f", **fields: Any) -> logging.LogRecord:
    """A record that no call on the stack made."""
    record = logging.LogRecord("sites", logging.INFO, path, line, "x", (), None, function)
    record.__dict__.update(fields)
    return record


@pytest.mark.parametrize(
    ("field", "first", "second", "shown"),
    [
        ("processName", "Worker-1", "Worker-2", "multiprocessing.process.name"),
        ("threadName", "T-1", "T-2", "thread.name"),
        ("thread", 1, 2, "thread.id"),
        ("process", 1, 2, "process.pid"),
        ("lineno", 7, 8, "code.line.number"),
        ("funcName", "f", "g", "code.function.name"),
        ("pathname", "/a.py", "/b.py", "code.file.path"),
        ("name", "a", "b", "scope"),
        ("levelname", "INFO", "NOTICE", "severity_text"),
    ],
)
def test_each_field_of_a_record_counts(field: str, first: Any, second: Any, shown: str) -> None:
    """Two records that differ in one field differ in their lines, in either order."""
    encoder = LineEncoder()
    for value in (first, second, first):
        assert value == written(encoder, made(**{field: value}))[shown]


def test_a_record_from_elsewhere_does_not_cost_a_call_its_name() -> None:
    """A record that a queue brought has the bare name; the next call at that place has the full one."""
    encoder = LineEncoder()
    names: list[str] = []

    class Writing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            names.append(written(encoder, record)["code.function.name"])

    logger = logging.Logger("sites")
    logger.addHandler(Writing())

    def log() -> None:
        logger.info("x")

    brought = made(line=log.__code__.co_firstlineno + 1, function="log")
    assert "log" == written(encoder, brought)["code.function.name"]
    assert "log" == written(encoder, brought)["code.function.name"]
    log()
    assert [True] == [name.startswith(f"{__name__}.") and name.endswith("log") for name in names]


def test_a_relative_path_is_meant_as_it_was_first_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory may change between two calls, also between those of two threads."""
    encoder = LineEncoder()
    expected = os.path.abspath("tests-of-sites.py")
    assert expected == written(encoder, made("tests-of-sites.py"))["code.file.path"]
    monkeypatch.chdir(tmp_path)
    assert expected == written(encoder, made("tests-of-sites.py", line=2))["code.file.path"]
    assert expected == written(LineEncoder(), made("tests-of-sites.py"))["code.file.path"]


def test_code_without_a_file_is_not_taken_for_other_code() -> None:
    """Two modules may run code of one name at one line."""
    encoder = LineEncoder()
    names = []

    class Writing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            names.append(written(encoder, record)["code.function.name"])

    logger = logging.Logger("sites")
    logger.addHandler(Writing())
    code = compile("def f(): logger.info('x')\nf()", "<string>", "exec")
    for module in ("first", "second"):
        exec(code, {"__name__": module, "logger": logger})
    assert ["first.f", "second.f"] == names


def test_a_site_in_code_without_a_file_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other: what is typed at a prompt or given to ``timeit`` logs no slower. Equal code is not the same."""
    encoder = LineEncoder()
    found = []
    general = type(encoder.general)
    site = general.site

    def counted(self: Any, record: logging.LogRecord) -> dict[str, Any]:
        found.append(site(self, record))
        return found[-1]

    monkeypatch.setattr(general, "site", counted)

    class Writing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            encoder.encode(record)

    logger = logging.Logger("sites")
    logger.addHandler(Writing())
    for _ in range(2):
        code = compile("def f(): logger.info('x')\nfor _ in range(5): f()", "<string>", "exec")
        exec(code, {"__name__": "here", "logger": logger})
    assert ["here.f", "here.f"] == [attributes["code.function.name"] for attributes in found]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_forgets_what_holds_for_its_parent() -> None:
    """A record of the parent's that comes to the child by a queue is another process's there."""
    encoder = LineEncoder()
    record = made()
    assert "process.pid" not in written(encoder, record)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(written(encoder, record).get("process.pid")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert str(os.getpid()) == os.read(read, 100).decode()
    os.close(read)
    os.close(write)
