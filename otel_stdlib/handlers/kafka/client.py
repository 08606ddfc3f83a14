"""One librdkafka producer, with its errors and logs kept at this edge."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.diagnostics import debug_logger
from otel_stdlib.facts.errors import ConfigError, MissingExtraError, RetryableError
from otel_stdlib.facts.filestate import look
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.imports import load, load_if_green
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.threads import sleep
from otel_stdlib.handlers.lifetime import Lifetime

__all__ = ["Handle", "check_settings", "error_text", "leave_behind", "require_client"]

#: librdkafka reads these once, when a client is made.
_FILES = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location")
#: It takes others while it lives.
_CREDENTIALS = ("sasl.username", "sasl.password")
_PROBE = "otel.stdlib.end.of.settings"
#: The longest that a look at the cluster takes.
_LOOK = 5.0
#: How long librdkafka may take to find that every connection is refused.
_TURN = 0.5
#: How long a topic may take to appear after the first question made the broker create it.
_CREATION = 2.0

#: What a fork left in a child: threads that do not exist there, so nothing may be closed.
_inherited: list[Any] = []


def require_client() -> None:
    """See that the driver is installed, without importing it; under gevent and eventlet import it.

    Raises:
        MissingExtraError: it is not.
    """
    if find_spec("confluent_kafka") is None:
        raise MissingExtraError("the Kafka handler", "kafka")
    load_if_green("confluent_kafka")


def check_settings(client: Mapping[str, Any]) -> None:
    """Let librdkafka judge names and values, without making a producer: no thread is started.

    Raises:
        ConfigError: one is unknown or wrong.
    """
    if not client:
        return
    from confluent_kafka import KafkaException, Producer

    try:
        # The settings are taken in their order; the last one is always refused.
        Producer({**client, _PROBE: ""})
    except KafkaException as error:
        text = _one_line(error.args[0].str())
        if _PROBE not in text:
            raise ConfigError(f"option 'client': {mask_secrets(text)}", option="client") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"option 'client': {mask_secrets(_one_line(str(error)))}", option="client"
        ) from None


class Handle:
    """A producer that lives until ``discard``. Used by one thread.

    What librdkafka logs goes to the logger ``otel_stdlib.debug``, from the delivery thread. It ends idle
    connections by itself, but has no limit on their age.

    Raises:
        RetryableError: the producer cannot be made.
    """

    def __init__(self, settings: Mapping[str, Any], where: str, max_age: float = 0.0) -> None:
        load("confluent_kafka")
        from confluent_kafka import KafkaException, Producer

        self.where = where
        self._lifetime = Lifetime(max_age)
        #: What librdkafka said last about its connections.
        self.last_error = ""
        self.fatal = False
        self._settings = {**settings}
        self._files = [str(settings[name]) for name in _FILES if settings.get(name)]
        self._read = [look(path) for path in self._files]
        self._outgrown = False
        #: No broker can be reached, by what librdkafka reported last. It reports this once an outage.
        self.is_down = False
        try:
            self.producer: Any = Producer({**settings, "error_cb": self._on_error, "logger": debug_logger})
        except (KafkaException, TypeError, ValueError) as error:
            raise RetryableError(
                f"cannot make a producer for {where} ('client'?): {error_text(error)}"
            ) from error
        _handles.add(self)

    @property
    def is_old(self) -> bool:
        """Whether its connections are older than ``max_age``, by the one that was made first."""
        return self._lifetime.is_over

    @property
    def is_outdated(self) -> bool:
        """Whether the settings, or a certificate's file, are others by now than the client was made with."""
        return self._outgrown or [look(path) for path in self._files] != self._read

    def use(self, settings: Mapping[str, Any]) -> None:
        """Take other settings, as far as a client can: the name and the password of SASL."""
        before, self._settings = self._settings, {**settings}
        changed = {name for name in {*before, *settings} if before.get(name) != settings.get(name)}
        if changed and changed.issubset(_CREDENTIALS) and all(settings.get(name) for name in _CREDENTIALS):
            self.producer.set_sasl_credentials(*(str(settings[name]) for name in _CREDENTIALS))
        elif changed:
            self._outgrown = True

    def _on_error(self, error: Any) -> None:
        self.fatal = self.fatal or error.fatal()
        self.is_down = self.is_down or error.name() == "_ALL_BROKERS_DOWN"
        # "All brokers down" follows the reason and says less.
        if error.name() != "_ALL_BROKERS_DOWN" or not self.last_error:
            self.last_error = f"{error.name()}: {_one_line(error.str())}"

    def look(self, topic: str | None, timeout: float) -> None:
        """Ask a broker for a topic, or for itself.

        Raises:
            RetryableError: none answers, or the topic is not there.
        """
        from confluent_kafka import KafkaException

        limit = min(timeout, _LOOK)
        deadline = monotonic() + min(limit, _CREATION)
        while True:
            self.last_error = ""
            try:
                known = self._topics(topic, limit)
            except KafkaException as error:
                raise self.failure("no broker answers", error) from error
            self.is_down = False
            found = known.topics.get(topic).error if topic and topic in known.topics else None
            if found is None or found.name() not in ("UNKNOWN_TOPIC_OR_PART", "TOPIC_AUTHORIZATION_FAILED"):
                return
            if monotonic() > deadline or found.name() != "UNKNOWN_TOPIC_OR_PART":
                raise RetryableError(f"topic {topic!r} at {self.where}: {_one_line(found.str())}")
            sleep(0.1)

    def _topics(self, topic: str | None, limit: float) -> Any:
        """What brokers answer. With all of them down, not after the limit but after a short wait."""
        from confluent_kafka import KafkaException

        # A slow broker gets most of the time in one piece: each question begins anew.
        for turn in (min(_TURN, limit), limit):
            try:
                return (
                    self.producer.list_topics(topic, turn)
                    if topic
                    else self.producer.list_topics(timeout=turn)
                )
            except KafkaException:
                self.producer.poll(0)  # where librdkafka reports that no broker can be reached
                if self.is_down or turn == limit:
                    raise
        raise AssertionError("the last turn returns or raises")

    def failure(self, what: str, error: BaseException | None = None) -> RetryableError:
        """The error to raise, with the reason that librdkafka gave."""
        self.producer.poll(0)
        reason = self.last_error or (error_text(error) if error is not None else "no reason given")
        return RetryableError(f"{what} at {self.where}: {reason}"[:500])

    def give_away(self) -> None:
        """Leave the producer to a thread that is inside one of its calls: nothing may touch it any more from here.

        It lives until that call returns, and ends on that thread.
        """
        self.producer = None
        _handles.discard(self)

    def discard(self) -> None:
        """Give up what waits and end its threads."""
        producer, self.producer = self.producer, None
        if producer is None:
            return
        _handles.discard(self)
        try:
            producer.purge()
        except Exception as error:
            debug_logger.debug("purging a producer: %s", error)
        del producer


def error_text(error: BaseException) -> str:
    """The words of an exception of the driver's, on one line, without secrets."""
    inner = error.args[0] if error.args else None
    name = getattr(inner, "name", None)
    text = (
        f"{inner.name()}: {inner.str()}"
        if callable(name) and inner is not None
        else f"{type(error).__name__}: {error}"
    )
    return mask_secrets(_one_line(text))[:400]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def leave_behind(client: Any) -> None:
    """In a forked child: never close a client of librdkafka's, whose threads live in the parent."""
    import ctypes

    if client is not None:
        # One reference that nothing ever gives back, not even the interpreter's end.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        _inherited.append(client)


def _leave_producer(handle: Handle) -> None:
    producer, handle.producer = handle.producer, None
    leave_behind(producer)


_handles = ForkRegistry(_leave_producer)
