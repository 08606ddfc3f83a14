"""What ``otel-stdlib check`` finds in a configuration whose options are all right."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from otel_stdlib.cli.check import check
from otel_stdlib.config.dictconfig import load_dict_config

HEAD = "version: 1\nhandlers:\n  file: {class: otel_stdlib.handlers.JSONLFileHandler, filename: a.jsonl}\n"
QUEUE = "  queue: {(): otel_stdlib.OTelQueueHandler, handlers: [file]}\n"


def found(folder: Path, text: str) -> list[str]:
    """The problems of a text, without the file's name."""
    path = folder / "c.yaml"
    path.write_text(text)
    return [str(problem).removeprefix(f"{path}:") for problem in check(str(path))[0]]


@pytest.mark.parametrize(
    ("loggers", "expected"),
    [
        (
            "root: {handlers: [queue, file]}\n",
            "5:26: root.handlers[1]: gives each record to the handler 'file' a second time: root has it already",
        ),
        (
            "root: {handlers: [queue]}\nloggers: {a: {handlers: [file]}}\n",
            "root.handlers[0]: gives each record to the handler 'file' through 'queue' a second time: loggers.a has",
        ),
        (
            "root: {handlers: [queue]}\nloggers: {a.b: {handlers: [queue]}}\n",
            "root.handlers[0]: gives each record to the handler 'queue' a second time: loggers.a.b has",
        ),
        ("root: {handlers: [queue]}\nloggers: {a: {handlers: [file], propagate: false}}\n", None),
        ("root: {handlers: [queue]}\nloggers: {a: {handlers: []}, a.b: {level: INFO}}\n", None),
        ("loggers: {a: {handlers: [queue]}, ab: {handlers: [file]}}\n", None),
    ],
    ids=["one logger", "a logger below", "the queue twice", "not passed on", "none", "two branches"],
)
def test_a_handler_that_gets_a_record_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    loggers: str,
    expected: str | None,
) -> None:
    """``check`` fails; loading reports it and goes on."""
    monkeypatch.chdir(tmp_path)
    problems = found(tmp_path, HEAD + QUEUE + loggers)
    load_dict_config(tmp_path / "c.yaml")
    said = capsys.readouterr().err
    if expected is None:
        assert [] == problems
        assert "" == said
    else:
        assert any(expected in problem for problem in problems), problems
        assert expected in said


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("listener: logging.handlers.QueueListener", "handlers.queue.listener: has no effect"),
        ("queue: queue.Queue", "handlers.queue.queue: has no effect together with 'handlers'"),
    ],
)
def test_an_option_without_effect(tmp_path: Path, option: str, expected: str) -> None:
    """It points at the option."""
    (problem,) = found(tmp_path, HEAD + QUEUE.replace("}", f", {option}}}") + "root: {handlers: [queue]}\n")
    assert expected in problem


def test_the_queue_handler_under_class(tmp_path: Path) -> None:
    """Python 3.12 drops its options; the others do not."""
    text = HEAD + "  queue:\n    class: otel_stdlib.OTelQueueHandler\n    handlers: [file]\n    spool: {}\n"
    problems = found(tmp_path, text + "root: {handlers: [queue]}\n")
    if sys.version_info[:2] == (3, 12):
        assert ["5:5: handlers.queue.class: Python 3.12 drops 'spool' under 'class'"] == [
            p.partition(": write")[0] for p in problems
        ]
    else:
        assert [] == problems


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (
            "{class: otel_stdlib.handlers.OTLPHandler, endpoint: 'http://h:4317'}",
            "endpoint: port 4317 is the one for the protocol 'grpc', and 'protocol' is 'http/protobuf'",
        ),
        (
            "{class: otel_stdlib.handlers.OTLPHandler, endpoint: 'http://h:4318', protocol: grpc}",
            "endpoint: port 4318 is the one for the protocol 'http/protobuf', and 'protocol' is 'grpc'",
        ),
        ("{class: otel_stdlib.handlers.OTLPHandler, endpoint: 'http://h:4318/v1/logs'}", None),
        ("{class: otel_stdlib.handlers.OTLPHandler, endpoint: 'http://h:4317', protocol: grpc}", None),
        (
            "{class: otel_stdlib.handlers.ElasticsearchHandler, hosts: ['https://h:9200'], ca_certs: /no/ca.crt}",
            "ca_certs: there is no file '/no/ca.crt'",
        ),
        (
            "{class: otel_stdlib.handlers.OTLPHandler, endpoint: 'https://h:4318', certificate: /no/ca.crt}",
            "certificate: there is no file '/no/ca.crt'",
        ),
        (
            "{class: otel_stdlib.handlers.JSONLFileHandler, filename: c.yaml/logs/a.jsonl}",
            "c.yaml is not a folder",
        ),
        (
            "{class: otel_stdlib.handlers.JSONLFileHandler, filename: a.jsonl, spool: {directory: c.yaml/spool}}",
            "spool: records would be kept in memory only",
        ),
        ("{class: otel_stdlib.handlers.JSONLFileHandler, filename: new/folder/a.jsonl}", None),
    ],
)
def test_what_a_handler_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: str, expected: str | None
) -> None:
    """Ports, certificates and folders; nothing is made."""
    monkeypatch.chdir(tmp_path)
    problems = found(tmp_path, f"version: 1\nhandlers:\n  it: {handler}\nroot: {{handlers: [it]}}\n")
    assert ["c.yaml"] == os.listdir(tmp_path)
    if expected is None:
        assert [] == problems
    else:
        (problem,) = problems
        assert problem.startswith("3:")
        assert expected in problem


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    """Asked of the system for the user that runs the check."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    text = (
        "logger:\n  service_name: shop\n  spool: {directory: PLACE/spool}\n  backends:\n"
        "    - backend_type: filesystem\n      config: {log_file: PLACE/logs/a.jsonl}\n"
    ).replace("PLACE", str(closed))
    (tmp_path / "c.yaml").write_text(text)
    user = os.geteuid()
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        if user == 0:
            folder.chmod(folder.stat().st_mode | 0o055)
    if user == 0:
        os.seteuid(65534)
    try:
        problems = found_as_it_is(tmp_path)
    finally:
        os.seteuid(user)
    assert 2 == len(problems), problems
    assert (
        f"logger.spool.directory: records would be kept in memory only: no permission to write in {closed}"
        in str(problems)
    )
    assert f"log_file: cannot be written: no permission to write in {closed}" in str(problems)


def found_as_it_is(folder: Path) -> list[str]:
    """The problems of a file that is there already."""
    return [str(problem) for problem in check(str(folder / "c.yaml"))[0]]
