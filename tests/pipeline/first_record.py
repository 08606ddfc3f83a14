"""Program of ``test_first_record``: every import statement that the first log calls of a process run."""

from __future__ import annotations

import builtins
import json
import logging
import os
import sys
import threading
from typing import Any

import otel_stdlib
from otel_stdlib.handlers import JSONLFileHandler

seen: list[str] = []
_caller = threading.get_ident()
_import = builtins.__import__


def watch(name: str, *arguments: Any, **options: Any) -> Any:
    """Note what the main thread imports: a module that is loaded already too."""
    if threading.get_ident() == _caller:
        seen.append(f"{name} in {os.path.basename(sys._getframe(1).f_code.co_filename)}")
    return _import(name, *arguments, **options)


class Odd:
    def __repr__(self) -> str:
        return "odd"


def fail() -> None:
    """An error with a cause."""
    try:
        raise KeyError("k")
    except KeyError as error:
        raise ValueError("v") from error


class Keep(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Keep nothing."""


folder = os.environ["FOLDER"]
keep = Keep()
handler = otel_stdlib.OTelQueueHandler(handlers=[JSONLFileHandler(f"{folder}/a.jsonl"), keep])
if "filter" in sys.argv:
    keep.addFilter(lambda record: True)
log = logging.getLogger("program")
log.setLevel(1)
log.addHandler(handler)
builtins.__import__ = watch
log.info("first %s", "x", extra={"user": Odd(), "many": {1, 2}, "when": b"x"})
log.warning({"a": Odd()})
log.info("%d", "no number")
first = list(seen)
try:
    fail()
except ValueError:
    log.exception("fails", stack_info=True)
builtins.__import__ = _import
assert handler.stop(60)
_FORMATTING = (
    " in traceback.py",
    " in linecache.py",
    " in <frozen linecache>",
    " in tokenize.py",
    " in _colorize.py",
    " in <frozen importlib._bootstrap_external>",
)
# To format a traceback the standard library imports, and its own failure there is caught.
others = [each for each in seen if not each.endswith(_FORMATTING)]
print(json.dumps([first, others]))
