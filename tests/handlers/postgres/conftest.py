"""Destinations and workers that end with their test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres import support
from tests.servers.postgres import Database


@pytest.fixture
def make(postgres_database: Database) -> Iterator[Callable[..., PostgresDestination]]:
    """Makes destinations: ``make(**options)``, or ``make(via, **options)`` for another way to the server."""
    with ExitStack() as stack:

        def made(via: Database | None = None, /, **options: Any) -> PostgresDestination:
            target = support.destination(via or postgres_database, **options)
            stack.callback(target.close)
            return target

        yield made


@pytest.fixture
def run() -> Iterator[Callable[..., DestinationWorker]]:
    """Starts a delivery thread: ``run(destination, *sources)``."""
    with ExitStack() as stack:

        def started(
            target: PostgresDestination, *sources: support.ListSource, **more: Any
        ) -> DestinationWorker:
            worker = support.worker(target, **more)
            for source in sources:
                worker.add_source(source)
            worker.start()
            stack.callback(lambda: worker.stop(time.monotonic() + 5))
            return worker

        yield started
