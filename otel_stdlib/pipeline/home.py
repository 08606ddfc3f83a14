"""What filters that log something themselves know of the pipeline that they are in front of."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_stdlib.pipeline.encoders import Encoders
    from otel_stdlib.spool.segment import Descriptor

__all__ = ["Home"]


class Home:
    """A place for a filter's own records, held weakly: a filter may live longer than its handlers.

    Args:
        pipeline: what the filter is in front of.
        log: a bound method that takes its records.
    """

    def __init__(self, pipeline: Encoders, log: Callable[[Any], object]) -> None:
        self._pipeline = weakref.ref(pipeline)
        self._log = weakref.WeakMethod(log)

    def log(self, record: logging.LogRecord) -> None:
        """Log one."""
        log = self._log()
        if log is not None:
            log(record)

    def start(self) -> None:
        """Begin, as the first record does."""
        pipeline = self._pipeline()
        if pipeline is not None:
            pipeline.start()

    def line(self, record: logging.LogRecord) -> bytes:
        """A record as it would be stored, with what is secret in it masked; nothing while nothing runs."""
        pipeline = self._pipeline()
        generation = None if pipeline is None else pipeline.generation
        if generation is None or generation.sieve is None:
            return b""
        found = generation.sieve.encode(record)
        return b"" if found is None else found[0]

    def root(self) -> Descriptor | None:
        """The folder of spools; None where records are only in memory, or nothing runs."""
        pipeline = self._pipeline()
        generation = None if pipeline is None else pipeline.generation
        directory = None if generation is None else generation.spool.directory
        return None if directory is None else directory.root
