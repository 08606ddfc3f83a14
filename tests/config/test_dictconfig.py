"""``dictConfig`` from YAML: all or nothing, and every error with its place."""

from __future__ import annotations

import json
import logging
import logging.config
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.config.dictconfig import load_dict_config
from otel_stdlib.config.document import wrap_mapping
from otel_stdlib.config.errors import ConfigFileError
from otel_stdlib.config.references import check_references
from tests.tree import ROOT

GOOD = """
version: 1
disable_existing_loggers: false
formatters:
  otel: {(): otel_stdlib.OTelFormatter, service_name: "${SERVICE:-shop}"}
handlers:
  file:
    class: otel_stdlib.handlers.JSONLFileHandler
    filename: $FOLDER/app.jsonl
  queue:
    (): otel_stdlib.OTelQueueHandler
    formatter: otel
    handlers: [file]
root:
  level: info
  handlers: [queue]
"""


def wrong(folder: Path, text: str) -> list[str]:
    """The problems of a text, without the file's name."""
    path = folder / "logging.yaml"
    path.write_text(text)
    with pytest.raises(ConfigFileError) as caught:
        load_dict_config(path, environ={})
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_it_configures_with_variables_put_in(tmp_path: Path) -> None:
    """A record goes all the way to the file."""
    path = tmp_path / "logging.yaml"
    path.write_text(GOOD)
    load_dict_config(path, environ={"FOLDER": str(tmp_path)})
    logging.getLogger("shop.x").info("hello %s", "there", extra={"n": 1})
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, OTelQueueHandler)
    assert handler.flush(60)
    line = json.loads((tmp_path / "app.jsonl").read_text())
    assert ("hello there", 1, "shop") == (
        line["body"],
        line["attributes"]["n"],
        line["resource"]["service.name"],
    )
    handler.stop()


def test_the_package_s_own_file_has_nothing_wrong() -> None:
    """``logging.yaml`` is checked, not loaded."""
    from otel_stdlib.config.dictconfig import check_dict_config

    assert [] == check_dict_config(Path(ROOT, "logging.yaml"))[1]


HEAD = "version: 1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("handlers: {}\n", "1:1: needs the option 'version'"),
        ("version: 2\n", "1:1: version: must be 1, not 2"),
        (HEAD + "handler: {}\n", "2:1: handler: unknown section 'handler'; did you mean 'handlers'?"),
        (HEAD + "handlers: [a]\n", "2:1: handlers: must be a mapping, not a list"),
        (HEAD + "root: {level: LOUD}\n", "2:8: root.level: there is no level 'LOUD'"),
        (
            HEAD + "root: {handlers: [x]}\n",
            "root.handlers[0]: names the handler 'x', which is not configured",
        ),
        (
            HEAD + "root: {handler: [x]}\n",
            "2:8: root.handler: unknown option 'handler'; did you mean 'handlers'?",
        ),
        (HEAD + "loggers: {a.b: {filters: [f]}}\n", "loggers.a.b.filters[0]: names the filter 'f'"),
        (HEAD + "handlers:\n  a: {level: INFO}\n", "3:3: handlers.a: needs a 'class' or '()'"),
        (
            HEAD + "handlers:\n  a: {class: logging.Nothing}\n",
            "3:7: handlers.a.class: cannot import 'logging.Nothing'",
        ),
        (HEAD + "handlers:\n  a: {class: logging.root}\n", "'logging.root' is not a class but RootLogger"),
        (
            HEAD + "handlers:\n  a: {class: logging.NullHandler, formatter: f}\n",
            "handlers.a.formatter: names the formatter 'f'",
        ),
        (
            HEAD + "handlers:\n  a:\n    class: otel_stdlib.handlers.JSONLFileHandler\n    filname: x\n",
            "5:5: handlers.a.filname: unknown option 'filname'; did you mean 'filename'?",
        ),
        (
            HEAD + "handlers:\n  a:\n    class: otel_stdlib.handlers.JSONLFileHandler\n    filename: /tmp/\n",
            "5:5: handlers.a.filename: option 'filename' must be a file and is a directory, not '/tmp/'",
        ),
        (
            HEAD
            + "handlers:\n  a:\n    class: otel_stdlib.handlers.JSONLFileHandler\n    filename: x\n    log_file: y\n",
            "options 'filename' ('x') and 'log_file' ('y') are one and the same",
        ),
        (
            HEAD + "handlers:\n  q:\n    (): otel_stdlib.OTelQueueHandler\n    handlers: [fil]\n"
            "  file: {class: logging.NullHandler}\n",
            "handlers.q.handlers[0]: names the handler 'fil', which is not configured; did you mean 'file'?",
        ),
        (
            HEAD + "handlers:\n  q:\n    (): otel_stdlib.OTelQueueHandler\n    spool: {overflow: drop}\n"
            "    handlers: [n]\n  n: {class: logging.NullHandler}\n",
            "5:13: handlers.q.spool.overflow: must be one of shed, drop_oldest, block, not 'drop'",
        ),
        (
            HEAD + "handlers:\n  q:\n    (): otel_stdlib.OTelQueueHandler\n    handlers: []\n",
            "5:5: handlers.q.handlers: a queue handler needs at least one handler to deliver to",
        ),
        (
            HEAD + "handlers:\n  q:\n    (): otel_stdlib.OTelQueueHandler\n",
            "3:3: handlers.q: a queue handler needs at least one handler to deliver to",
        ),
        (
            HEAD + "formatters:\n  f:\n    (): otel_stdlib.OTelFormatter\n    format: xml\n",
            "5:5: formatters.f.format: option 'format' must be one of",
        ),
        (
            HEAD + "formatters:\n  f:\n    (): otel_stdlib.OTelFormatter\n    sevice_name: xml\n",
            "5:5: formatters.f.sevice_name: unknown option 'sevice_name'",
        ),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_changed(tmp_path: Path, text: str, expected: str) -> None:
    """One problem with its place; the logging tree is as before."""
    before = (logging.getLogger().level, list(logging.getLogger().handlers), dict(logging._handlers))  # type: ignore[attr-defined]
    found = wrong(tmp_path, text)
    assert 1 == len(found), found
    assert expected in found[0]
    assert before == (logging.getLogger().level, list(logging.getLogger().handlers), dict(logging._handlers))  # type: ignore[attr-defined]


def test_a_queue_handler_behind_itself() -> None:
    """It would be handed its own records for ever."""
    queue = {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["queue"]}
    with pytest.raises(ConfigFileError, match=r"handlers\.queue\.handlers\[0\]: names 'queue' itself"):
        load_dict_config({"version": 1, "handlers": {"queue": queue}})


def test_each_known_option_is_named_once() -> None:
    """Where the constructor has what ``dictConfig`` knows of queue handlers too."""
    queue = {"()": "otel_stdlib.OTelQueueHandler", "respect_handlers_level": True}
    document = wrap_mapping({"version": 1, "handlers": {"queue": queue}})
    (found,) = check_references(document)
    known = found.message.partition("(known: ")[2].rstrip(")").split(", ")
    assert sorted(set(known)) == known


def test_a_handler_of_somebody_else_that_fails(tmp_path: Path) -> None:
    """``dictConfig``'s own error gets its place, and the loggers keep what they had."""
    root = logging.getLogger()
    before = list(root.handlers)
    found = wrong(
        tmp_path,
        HEAD
        + f"handlers:\n  a: {{class: logging.FileHandler, filename: '{tmp_path}/no/where'}}\nroot: {{handlers: [a]}}\n",
    )
    assert 1 == len(found)
    assert found[0].startswith("3:3: handlers.a: FileNotFoundError")
    assert before == root.handlers


def test_an_unknown_argument_of_somebody_else_s_handler(tmp_path: Path) -> None:
    """It is found before the standard library sees it."""
    (found,) = wrong(tmp_path, HEAD + "handlers:\n  a: {class: logging.StreamHandler, strem: x}\n")
    assert "3:37: handlers.a.strem: unknown option 'strem'; did you mean 'stream'? (known: stream)" == found


def test_a_mapping_and_live_objects(tmp_path: Path) -> None:
    """What Python code passes may hold objects; the caller's own mapping is not changed."""
    handler = logging.NullHandler()
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"n": {"()": lambda: handler, "level": "warn"}},
        "root": {"handlers": ["n"]},
    }
    load_dict_config(config)
    assert [handler] == logging.getLogger().handlers
    assert "()" in config["handlers"]["n"]


def test_incremental(tmp_path: Path) -> None:
    """Levels alone can be changed; names are not needed then."""
    load_dict_config({"version": 1, "incremental": True, "root": {"level": "ERROR"}})
    assert logging.ERROR == logging.getLogger().level


def test_everything_that_is_wrong_comes_at_once(tmp_path: Path) -> None:
    """Unknown options, names, levels, classes, values and unset variables of one file, in its order."""
    found = wrong(
        tmp_path,
        """version: 1
formatters:
  otel: {(): otel_stdlib.OTelFormatter, sevice_name: x}
handlers:
  file:
    class: otel_stdlib.handlers.JSONLFileHandler
    filename: $NOT_SET
    max_byte: 5
    backup_count: -1
    when: never
  queue:
    (): otel_stdlib.OTelQueueHandler
    handlers: [fil]
    shutdown_timeout: soon
  other: {class: logging.StreamHander}
loggers:
  a: {level: LOUD}
root:
  handlers: [queu]
""",
    )
    expected = [
        "3:41: formatters.otel.sevice_name",
        "7:5: handlers.file.filename: the environment variable NOT_SET",
        "8:5: handlers.file.max_byte: unknown option",
        "9:5: handlers.file.backup_count",
        "10:5: handlers.file.when",
        "13:16: handlers.queue.handlers[0]: names the handler 'fil'",
        "14:5: handlers.queue.shutdown_timeout",
        "15:11: handlers.other.class: cannot import",
        "17:7: loggers.a.level: there is no level 'LOUD'",
        "19:14: root.handlers[0]: names the handler 'queu'",
    ]
    assert len(expected) == len(found), found
    for start, line in zip(expected, found, strict=True):
        assert line.startswith(start), found


def test_plain_dict_config_with_variables_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each option that holds one, once; what was loaded with variables is silent."""
    file = {
        "class": "otel_stdlib.handlers.JSONLFileHandler",
        "filename": f"{tmp_path}/${{APP}}.jsonl",
        "spool": {"directory": f"{tmp_path}/${{APP:-secret-default}}"},
    }
    formatter = {"()": "otel_stdlib.OTelFormatter", "service_name": "${SERVICE}"}
    queue = {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["file"], "spool": {"directory": "/x/${APP}"}}
    document = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"otel": formatter},
        "handlers": {"file": file, "queue": queue},
    }
    for _ in range(2):
        logging.config.dictConfig(document)
    lines = capsys.readouterr().err.splitlines()
    assert 4 == len(lines), lines
    for start, line in zip(
        (
            "option 'service_name' of OTelFormatter is the literal text ${SERVICE}",
            "option 'filename' of JSONLFileHandler is the literal text ${APP}",
            "option 'spool' of JSONLFileHandler is the literal text ${APP}",
            "option 'spool' of OTelQueueHandler is the literal text ${APP}",
        ),
        lines,
        strict=True,
    ):
        assert line.startswith(f"otel_stdlib: {start}"), lines
        assert line.endswith("Load the file with otel_stdlib.load_dict_config")
    file["filename"] = f"{tmp_path}/$${{APP}}.jsonl"
    load_dict_config(document, environ={"APP": "x", "SERVICE": "shop"})
    assert "" == capsys.readouterr().err
    found = (
        logging.getHandlerByName("file")
        if hasattr(logging, "getHandlerByName")
        else logging._handlers["file"]
    )  # type: ignore[attr-defined]
    assert str(found.identity.key).endswith("/${APP}.jsonl")
