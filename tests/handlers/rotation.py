"""A secret that is rotated while we run: on the server first, then in the file that the configuration names."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.config.dictconfig import load_dict_config
from tests.support import eventually

__all__ = ["RECORDS", "Rotation", "rotating"]

RECORDS = 20
#: Options that make retries quick.
QUICK: dict[str, Any] = {
    "retry_delay": 0.05,
    "max_retry_delay": 0.3,
    "circuit_breaker_timeout": 0.2,
    "health_check_interval": 0.1,
}


class Rotation:
    """A handler behind a queue handler, loaded once as a configuration file is, and the file of its secret."""

    def __init__(self, file: Path, first: str, handler: OTelQueueHandler) -> None:
        self.file = file
        self.handler = handler
        self._secrets = [first]
        self._logger = logging.getLogger("rotated")

    def write(self, text: str) -> None:
        """Some records."""
        for number in range(RECORDS):
            self._logger.info("%s %d", text, number)

    @property
    def report(self) -> dict[str, Any]:
        """The destination's part of the health."""
        (found,) = self.handler.health()["destinations"].values()
        assert isinstance(found, dict)
        return found

    def survives(
        self,
        change: Callable[[], str],
        stored: Callable[[], Mapping[str, int]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Deliver before, during and after the rotation, everything once, and without a reload.

        Args:
            change: rotates the secret on the server, so that the former one is refused; the new one.
            stored: how often each body is at the server.
            capsys: what is reported must not show a secret.
        """
        self.write("before")
        assert self.handler.flush(60)
        self._secrets.append(change())
        self.write("meanwhile")
        eventually(lambda: self.report["failing"], 60)
        assert not self.handler.flush(0.1)
        error = str(self.report["last_error"])
        assert not any("meanwhile" in body for body in stored())
        put(self.file, self._secrets[-1])
        assert self.handler.flush(90), self.report
        assert not self.report["failing"]
        assert 0 == self.report["rejected"]
        self.write("after")
        assert self.handler.flush(60)
        wanted = {f"{text} {n}": 1 for text in ("before", "meanwhile", "after") for n in range(RECORDS)}
        eventually(lambda: len(stored()) >= len(wanted), 30, 0.1)
        assert wanted == stored()
        assert [self.handler] == self._logger.handlers, "the configuration was not loaded again"
        shown = f"{capsys.readouterr().err} {error} {self.handler.health()!r}"
        assert not any(secret in shown for secret in self._secrets)


def put(file: Path, secret: str) -> None:
    """Write a secret in one step, as a mounted one is changed; with a line end, as editors write it."""
    new = file.with_suffix(".new")
    new.write_text(f"{secret}\n")
    new.replace(file)


@contextmanager
def rotating(
    folder: Path, make: Callable[[str], Mapping[str, Any]], first: str | None = None
) -> Iterator[Rotation]:
    """``make(variable)`` gives a handler's entry; ``variable`` stands for the secret, ``first`` to begin with."""
    file = folder / "secret"
    first = secrets.token_urlsafe(12) if first is None else first
    put(file, first)
    load_dict_config(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "target": {**QUICK, **make(f"${{file:{file}}}")},
                "queue": {
                    "()": "otel_stdlib.OTelQueueHandler",
                    "handlers": ["target"],
                    "spool": {"directory": str(folder / "spool")},
                },
            },
            "loggers": {"rotated": {"level": "INFO", "propagate": False, "handlers": ["queue"]}},
        }
    )
    logger = logging.getLogger("rotated")
    (handler,) = logger.handlers
    assert isinstance(handler, OTelQueueHandler)
    try:
        yield Rotation(file, first, handler)
    finally:
        logger.handlers.clear()
        handler.stop(10.0)


def counted(bodies: Any) -> Counter[str]:
    """How often each body is there."""
    return Counter(map(str, bodies))
