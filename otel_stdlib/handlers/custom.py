"""A back end of somebody else as a handler of this package."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from otel_stdlib.delivery.contract import STORED, Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError, DeliveryError, PermanentError, RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.secrets import mask
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.record.line import load_line
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["BackendHandler"]

_PERMANENT = (PermanentError, ValueError, TypeError)
#: A record at a time takes its time: small batches keep what a crash repeats small.
_BATCH_RECORDS = 100


class BackendHandler(DestinationHandler):
    """Delivers to an object with the methods of ``LogBackendInterface`` or ``BatchBackendInterface``.

    Args:
        backend: its class. One object is made in each process that logs.
        config: what its ``initialize`` gets.
        level: as for every handler.
        spool: see ``DestinationHandler``.
        shutdown_timeout: see ``DestinationHandler``.
        redaction: see ``DestinationHandler``.

    Raises:
        ConfigError: the class lacks a method or cannot be made without arguments.
    """

    kind: ClassVar[str] = "custom"

    def __init__(
        self,
        backend: type[Any],
        config: Mapping[str, Any] | None = None,
        level: int | str = logging.NOTSET,
        *,
        spool: SpoolOptions | Mapping[str, Any] | None = None,
        shutdown_timeout: float = 5.0,
        redaction: bool | Mapping[str, Any] | None = None,
    ) -> None:
        _check(backend)
        self.backend = backend
        self.config = dict(config or {})
        super().__init__(level, spool=spool, shutdown_timeout=shutdown_timeout, redaction=redaction)

    @property
    def identity(self) -> Identity:
        """The class and its configuration, which is hashed without its secrets."""
        text = json.dumps(mask(self.config), sort_keys=True, default=repr)
        digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
        return Identity(self.kind, f"{self.backend.__module__}.{self.backend.__qualname__}/{digest}")

    @property
    def policy(self) -> DeliveryPolicy:
        """The usual one, with small batches."""
        return DeliveryPolicy(batch_records=_BATCH_RECORDS)

    def make_destination(self) -> BackendDestination:
        """A destination that has made no back end yet."""
        return BackendDestination(self.outlet_name, self.identity, self.backend, self.config)


def _check(backend: type[Any]) -> None:
    name = f"{backend.__module__}.{backend.__qualname__}"
    if not callable(getattr(backend, "initialize", None)):
        raise ConfigError(f"the back end {name} has no method 'initialize'", option="backend_type")
    if not any(callable(getattr(backend, method, None)) for method in ("write_log", "write_batch")):
        raise ConfigError(
            f"the back end {name} has no method 'write_log' or 'write_batch'", option="backend_type"
        )
    if inspect.isabstract(backend):
        missing = ", ".join(sorted(backend.__abstractmethods__))
        raise ConfigError(f"the back end {name} does not implement {missing}", option="backend_type")


class BackendDestination:
    """A back end on the delivery thread, with a loop of its own for what is asynchronous."""

    def __init__(self, name: str, identity: Identity, backend: type[Any], config: Mapping[str, Any]) -> None:
        self.name = name
        self.identity = identity
        self._make = backend
        self._config = config
        self._backend: Any = None
        self._ready = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Make it and call its ``initialize``.

        Raises:
            RetryableError: that failed.
        """
        if self._ready:
            return
        try:
            if self._backend is None:
                self._backend = self._make()
            self._wait(self._backend.initialize(dict(self._config)))
        except DeliveryError:
            raise
        except Exception as error:
            raise RetryableError(f"{type(error).__name__}: {error}") from error
        self._ready = True

    def position(self, origin: Origin) -> int | None:
        """It cannot tell."""
        return None

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Hand over the records."""
        resource = batch.origin.resource
        entries = [load_line(f.payload, batch.uid(f).encode("ascii"), resource) for f in batch.frames]
        if hasattr(self._backend, "write_batch"):
            return self._deliver_at_once(entries)
        return self._deliver_each(entries)

    def _deliver_at_once(self, entries: list[dict[str, Any]]) -> Sequence[Outcome] | None:
        try:
            answer = self._wait(self._backend.write_batch(entries))
        except DeliveryError as error:
            self._ready = not isinstance(error, RetryableError)
            raise
        except _PERMANENT as error:
            raise PermanentError(f"{type(error).__name__}: {error}") from error
        except Exception as error:
            self._ready = False
            raise RetryableError(f"{type(error).__name__}: {error}") from error
        if answer is None:
            return None
        outcomes = [_outcome(item) for item in answer]
        if len(outcomes) != len(entries):
            raise RetryableError(f"write_batch answered for {len(outcomes)} of {len(entries)} records")
        return outcomes

    def _deliver_each(self, entries: list[dict[str, Any]]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for entry in entries:
            if not self._ready:
                outcomes.append(Outcome(Verdict.RETRY, "not tried after a failure"))
                continue
            try:
                self._wait(self._backend.write_log(entry))
                outcomes.append(STORED)
            except Exception as error:
                outcome = _outcome(error)
                outcomes.append(outcome)
                # What follows would fail as well, and out of order: it waits for the next open().
                self._ready = outcome.verdict is not Verdict.RETRY
        if not self._ready and all(outcome.verdict is Verdict.RETRY for outcome in outcomes):
            raise RetryableError(outcomes[0].reason)
        return outcomes

    def _wait(self, value: Any) -> Any:
        if not inspect.isawaitable(value):
            return value
        if self._loop is None:
            self._loop = asyncio.new_event_loop()

        async def wait() -> Any:
            return await value

        return self._loop.run_until_complete(wait())

    def probe(self) -> None:
        """Try ``initialize`` again.

        Raises:
            RetryableError: it still fails.
        """
        self.open()

    def forget(self, origin: Origin) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Close the back end and its loop."""
        try:
            if self._backend is not None and hasattr(self._backend, "close"):
                self._wait(self._backend.close())
            if self._loop is not None:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except Exception:
            return
        finally:
            self._ready = False
            if self._loop is not None:
                self._loop.close()
                self._loop = None


def _outcome(answer: object) -> Outcome:
    """What an answer for one record means."""
    if answer is None or answer is True:
        return STORED
    if isinstance(answer, Outcome):
        return answer
    if isinstance(answer, _PERMANENT):
        return Outcome(Verdict.REJECTED, f"{type(answer).__name__}: {answer}")
    if isinstance(answer, BaseException):
        return Outcome(Verdict.RETRY, f"{type(answer).__name__}: {answer}")
    return Outcome(Verdict.RETRY, "the back end answered no")
