"""What a document in Python may hold that no file can, around this package's own handlers."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelFormatter, OTelQueueHandler
from otel_stdlib.config.dictconfig import load_dict_config
from otel_stdlib.config.errors import ConfigFileError
from otel_stdlib.handlers import JSONLFileHandler

FILENAME = ""


def load(handlers: dict[str, Any], **more: Any) -> logging.Handler:
    """The first handler of the root after loading."""
    load_dict_config({"version": 1, "handlers": handlers, "root": {"handlers": ["it"]}, **more})
    return logging.getLogger().handlers[0]


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(
            lambda path: {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": path}, id="path"
        ),
        pytest.param(lambda path: {"()": JSONLFileHandler, "filename": str(path)}, id="class object"),
        pytest.param(lambda path: {"()": lambda: JSONLFileHandler(path)}, id="function"),
        pytest.param(
            lambda path: {
                "()": "ext://otel_stdlib.handlers.JSONLFileHandler",
                "filename": f"ext://{__name__}.FILENAME",
            },
            id="ext",
        ),
        pytest.param(
            lambda path: {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": "cfg://place",
                "max_bytes": "cfg://sizes.small",
            },
            id="cfg",
        ),
        pytest.param(
            lambda path: {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": path,
                "level": None,
                "formatter": None,
                "filters": None,
                "spool": None,
                ".": {"owner": sys.stderr},
            },
            id="null",
        ),
        pytest.param(lambda path: "cfg://templates.file", id="cfg entry"),
    ],
)
def test_a_file_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: Any) -> None:
    """Each spelling that ``dictConfig`` takes makes the same handler."""
    path = tmp_path / "a.jsonl"
    monkeypatch.setitem(globals(), "FILENAME", str(path))
    handler = load(
        {"it": spelling(path)},
        place=path,
        sizes={"small": 100_000},
        templates={"file": {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": path}},
    )
    assert isinstance(handler, JSONLFileHandler)
    assert str(path) == handler.identity.key


@pytest.mark.parametrize(
    "handlers", [["file"], ("file",), "cfg://lists.behind"], ids=["list", "tuple", "cfg"]
)
def test_a_queue_handler(tmp_path: Path, handlers: Any) -> None:
    """The names behind it may come in any sequence."""
    queue = load(
        {
            "file": {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": tmp_path / "a.jsonl"},
            "it": {
                "()": OTelQueueHandler,
                "handlers": handlers,
                "formatter": "otel",
                "level": "ext://logging.INFO",
            },
        },
        formatters={"otel": {"()": OTelFormatter, "service_name": "shop"}},
        lists={"behind": ["file"]},
    )
    assert isinstance(queue, OTelQueueHandler)
    assert logging.INFO == queue.level
    assert ["file"] == [handler.name for handler in queue.handlers]


@pytest.mark.parametrize("propagate", [0, 1, False, None])
def test_propagate(propagate: object) -> None:
    """A number is a switch too, as in the standard library's own examples."""
    load_dict_config(
        {"version": 1, "loggers": {"live.x": {"propagate": propagate, "comment": "of the user's"}}}
    )
    assert (True if propagate is None else bool(propagate)) is bool(logging.getLogger("live.x").propagate)


def test_the_mapping_is_left_alone(tmp_path: Path) -> None:
    """Its containers are copied; the objects in it are not."""
    stream = sys.stdout
    entry = {"class": "logging.StreamHandler", "stream": stream, "level": "warning"}
    assert stream is load({"it": entry}).stream  # type: ignore[attr-defined]
    assert {"class": "logging.StreamHandler", "stream": stream, "level": "warning"} == entry


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="dictConfig takes a class from 3.12 on")
def test_a_class_object_before_3_12() -> None:
    """The error names the spelling that works."""
    with pytest.raises(
        ConfigFileError, match=r"handlers\.it\.class: must be a dotted path before Python 3\.12"
    ):
        load({"it": {"class": logging.StreamHandler}})


def test_a_reference_that_leads_nowhere() -> None:
    """Its place and the reason, beside what else is wrong."""
    with pytest.raises(ConfigFileError) as caught:
        load(
            {"it": {"class": "logging.StreamHandler", "stream": "ext://sys.stdot", "level": "cfg://no.such"}},
            loggers={"x": {"level": "LOUD"}},
        )
    text = str(caught.value)
    assert "handlers.it.level: cannot resolve 'cfg://no.such': there is no 'no'" in text
    assert "loggers.x.level: there is no level 'LOUD'" in text


def test_an_incremental_one_names_a_handler_that_exists() -> None:
    """Another name is an error before any level is changed."""
    before = logging.getLogger().level
    with pytest.raises(ConfigFileError, match=r"handlers\.consol: there is no handler 'consol'"):
        load_dict_config(
            {"version": 1, "incremental": True, "handlers": {"consol": {"level": 1}}, "root": {"level": 7}}
        )
    assert before == logging.getLogger().level
