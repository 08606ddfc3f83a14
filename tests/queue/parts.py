"""Handlers behind a queue handler, and what each of them got."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from tests.queue.test_handler import Keep, lines

__all__ = ["Setup"]


class Setup:
    """A queue handler in front of two files and a plain handler."""

    def __init__(self, folder: Path) -> None:
        self.a = JSONLFileHandler(folder / "a.jsonl")
        self.b = JSONLFileHandler(folder / "b.jsonl")
        self.keep = Keep()
        for name in ("a", "b", "keep"):
            getattr(self, name).name = name
        self.queue = OTelQueueHandler(handlers=[self.a, self.b, self.keep])
        self.logger = logging.getLogger("tests.queue.filters")
        self.logger.setLevel(1)
        self.logger.propagate = False
        self.logger.addHandler(self.queue)
        self._folder = folder

    def bodies(self, name: str) -> list[Any]:
        """The bodies that a file got."""
        assert self.queue.flush(30)
        path = self._folder / f"{name}.jsonl"
        return [line["body"] for line in lines(path)] if path.exists() else []

    def kept(self) -> list[str]:
        """The messages that the plain handler got."""
        assert self.queue.flush(30)
        return [record.getMessage() for record in self.keep.records]

    def counts(self, name: str) -> tuple[int, int]:
        """How many records the filters of a destination dropped, and how many cost an error."""
        report = self.queue.health()["destinations"][name]
        return report["filtered"], report["filter_errors"]
