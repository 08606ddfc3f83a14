"""The option ``redaction`` from the log call to what is behind the spool."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_stdlib
from otel_stdlib import OTelQueueHandler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import JSONLFileHandler
from tests.queue.test_handler import Keep, lines
from tests.redaction.hostile import SECRETS, M
from tests.tree import ROOT


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger without parents, whose handlers are stopped at the end."""
    found = logging.getLogger("tests.queue.redaction")
    found.setLevel(1)
    found.propagate = False
    yield found
    for handler in list(found.handlers):
        found.removeHandler(handler)
        if hasattr(handler, "stop"):
            assert handler.stop(30)


def spooled(folder: Path) -> bytes:
    """Every byte in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_nothing_secret_is_stored_anywhere(logger: logging.Logger, tmp_path: Path) -> None:
    """File, spool, and the records of a plain handler; other handlers of the logger see the original."""
    keep, original = Keep(), Keep()
    keep.setFormatter(logging.Formatter("%(message)s %(args)s"))
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(tmp_path / "out" / "a.jsonl"), keep],
        spool={"directory": str(tmp_path / "spool")},
        redaction=True,
    )
    logger.addHandler(handler)
    logger.addHandler(original)
    logger.info("login %s", "joe", extra={"user": "joe"})
    logger.info("password=%s of %s", "hunter2", "joe", extra={"headers": {"Cookie": "hunter2"}})
    logger.info("%.3s", f"a {SECRETS['github']}")
    logger.info("x", extra={"a": [SECRETS["aws"]]})
    assert handler.flush(30)
    found = lines(tmp_path / "out" / "a.jsonl")
    assert ["login joe", f"password={M} of joe", f"a {SECRETS['github'][:1]}", "x"] == [
        line["body"] for line in found
    ]
    assert {"Cookie": M} == found[1]["attributes"]["headers"]
    assert ["login joe", f"password={M} of joe"] == [record.getMessage() for record in keep.records[:2]]
    assert ("joe",) == keep.records[0].args
    stored = spooled(tmp_path)
    for secret in ("hunter2", SECRETS["github"], SECRETS["aws"]):
        assert secret.encode() not in stored
        assert all(secret not in repr(record.__dict__) for record in keep.records)
    assert ("hunter2", "joe") == original.records[1].args
    assert {"Cookie": "hunter2"} == original.records[1].__dict__["headers"]
    assert {"key_value": 1, "key": 1, "aws": 1} == handler.health()["redaction"]


def test_without_the_option_nothing_changes(logger: logging.Logger, tmp_path: Path) -> None:
    """It is off unless it is asked for."""
    handler = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "a.jsonl")])
    logger.addHandler(handler)
    logger.info("password=%s", "hunter2")
    assert handler.flush(30)
    assert "password=hunter2" == lines(tmp_path / "a.jsonl")[0]["body"]
    assert "redaction" not in handler.health()


def test_a_handler_without_a_queue(logger: logging.Logger, tmp_path: Path) -> None:
    """It has the option too, with all of its options."""
    handler = JSONLFileHandler(tmp_path / "a.jsonl", redaction={"mask": "<{rule}>", "summary": "none"})
    logger.addHandler(handler)
    logger.info("password=%s", "hunter2")
    assert handler.flush(30)
    assert "password=<key_value>" == lines(tmp_path / "a.jsonl")[0]["body"]
    assert {"key_value": 1} == handler.health()["redaction"]


def test_filters_of_destinations_come_before_it(logger: logging.Logger, tmp_path: Path) -> None:
    """What a filter adds is redacted, and a filter sees the record as it is."""
    file = JSONLFileHandler(tmp_path / "a.jsonl")
    seen = []

    def add(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        record.__dict__["api_key"] = "hunter2"
        return True

    file.addFilter(add)
    handler = OTelQueueHandler(handlers=[file, Keep()], redaction=True)
    logger.addHandler(handler)
    logger.info("pwd=abc")
    assert handler.flush(30)
    (line,) = lines(tmp_path / "a.jsonl")
    assert (["pwd=abc"], f"pwd={M}", M) == (seen, line["body"], line["attributes"]["api_key"])


def test_behind_a_queue_handler_it_is_not_used_and_says_so(
    logger: logging.Logger, tmp_path: Path, nothing_said: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """The queue handler encodes."""
    handler = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "a.jsonl", redaction=True)])
    logger.addHandler(handler)
    logger.info("x")
    assert handler.flush(30)
    assert "so its redaction is not used: set it on OTelQueueHandler" in capfd.readouterr().err


def test_a_resource_that_looks_secret_is_reported(
    logger: logging.Logger, tmp_path: Path, nothing_said: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is written as it is."""
    resource = {"attributes": {"api.key": "hunter2"}}
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(tmp_path / "a.jsonl")], redaction=True, resource=resource
    )
    logger.addHandler(handler)
    logger.info("x")
    assert handler.flush(30)
    said = capfd.readouterr().err
    assert "resource attribute 'api.key' looks like a secret (key)" in said
    assert "hunter2" not in said


def test_a_queue_of_your_own_is_refused() -> None:
    """Records would be put there as they are."""
    with pytest.raises(ConfigError, match="option 'redaction' needs the spool"):
        OTelQueueHandler(queue.Queue(), redaction=True)


def test_an_error_of_a_log_call_shows_nothing(
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    nothing_said: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The standard library prints message and arguments to stderr."""
    handler = OTelQueueHandler(handlers=[Keep()], redaction=True)
    logger.addHandler(handler)

    def fail(record: logging.LogRecord) -> None:
        raise OSError(f"cannot write {record.getMessage()}")

    monkeypatch.setattr(handler.pipeline, "log", fail)
    logger.info("password=%s", "hunter2")
    said = capfd.readouterr().err
    assert "a record could not be stored: OSError" in said
    assert "hunter2" not in said


def test_where_it_is_off_nothing_of_it_is_imported() -> None:
    """Its rules take longer to compile than all the rest takes to load."""
    program = """
import sys, otel_stdlib
otel_stdlib.load_dict_config({
    "version": 1,
    "handlers": {
        "f": {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": "a.jsonl"},
        "q": {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["f"]},
    },
})
print([name for name in sys.modules if "redact" in name])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "[]" == done.stdout.strip()


def test_wrong_options_are_named() -> None:
    """With the nearest name."""
    with pytest.raises(ConfigError, match="unknown value rule 'githb'; did you mean 'github'"):
        OTelQueueHandler(handlers=[], redaction={"values": ["githb"]})


_YAML = """
version: 1
handlers:
  file: {class: otel_stdlib.handlers.JSONLFileHandler, filename: $OUT/a.jsonl}
  queue:
    (): otel_stdlib.OTelQueueHandler
    handlers: [file]
    redaction: $REDACTION
root: {level: INFO, handlers: [queue]}
disable_existing_loggers: false
"""


def test_a_wrong_option_has_its_place_in_the_file(tmp_path: Path) -> None:
    """File, line and option, before anything is changed."""
    path = tmp_path / "logging.yaml"
    redaction = "{custom: [{name: slow, pattern: '(a+)+b'}], engine: re}"
    path.write_text(_YAML.replace("$OUT", str(tmp_path)).replace("$REDACTION", redaction), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"logging\.yaml:8:\d+: handlers\.queue\.redaction.*nested quantifiers"
    ):
        otel_stdlib.load_dict_config(path)
    path.write_text(_YAML.replace("$OUT", str(tmp_path)).replace("$REDACTION", "{maks: x}"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"logging\.yaml:8:\d+: .*unknown option 'maks'; did you mean 'mask'"
    ):
        otel_stdlib.load_dict_config(path)


def test_from_a_file(restored_logging: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key from the environment."""
    monkeypatch.setenv("LOG_HASH_KEY", "a key of the tests")
    path = tmp_path / "logging.yaml"
    redaction = "{hash_key: '${LOG_HASH_KEY}', values: [default, card]}"
    path.write_text(_YAML.replace("$OUT", str(tmp_path)).replace("$REDACTION", redaction), encoding="utf-8")
    otel_stdlib.load_dict_config(path)
    (handler,) = (each for each in logging.getLogger().handlers if isinstance(each, OTelQueueHandler))
    try:
        logging.getLogger("shop").warning("paid with 4111 1111 1111 1111")
        assert handler.flush(30)
        body = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))["body"]
        assert body.startswith("paid with card:")
        assert "key of the tests" not in repr(handler.health())
    finally:
        logging.getLogger().removeHandler(handler)
        assert handler.stop(30)
