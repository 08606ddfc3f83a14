"""Back ends of somebody else, through the whole pipeline."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from otel_stdlib import (
    BatchBackendInterface,
    ConfigError,
    LogBackendInterface,
    configure_logger,
    log_info,
    register_backend,
)
from otel_stdlib.config import registry
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.handlers.custom import BackendHandler
from tests.support import eventually


class Memory(LogBackendInterface):
    """Keeps what it gets; a body may ask for trouble."""

    entries: ClassVar[list[dict[str, Any]]] = []
    events: ClassVar[list[str]] = []
    fail_next: ClassVar[list[Exception]] = []

    def initialize(self, config: Mapping[str, Any]) -> None:
        """Note it."""
        self.events.append(f"initialize {dict(config)} on {threading.current_thread().name.split('-')[0]}")

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Keep it, or fail as asked."""
        if self.fail_next:
            raise self.fail_next.pop(0)
        if log_entry["body"] == "poison":
            raise ValueError("this one cannot be stored")
        self.entries.append(log_entry)

    def close(self) -> None:
        """Note it."""
        self.events.append("close")


class Asynchronous(Memory):
    """The same with coroutines."""

    loops: ClassVar[list[Any]] = []

    async def initialize(self, config: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Note the loop."""
        self.loops.append(asyncio.get_running_loop())

    async def write_log(self, log_entry: dict[str, Any]) -> None:  # type: ignore[override]
        """Wait, and keep it."""
        await asyncio.sleep(0)
        self.loops.append(asyncio.get_running_loop())
        super().write_log(log_entry)

    async def close(self) -> None:  # type: ignore[override]
        """Note it."""
        self.events.append("close")


class Batches(BatchBackendInterface):
    """Takes batches and answers for each record."""

    def initialize(self, config: Mapping[str, Any]) -> None:
        """Nothing to connect."""

    def write_batch(self, log_entries: Sequence[dict[str, Any]]) -> list[Any]:
        """Refuse the poison, keep the others."""
        Memory.entries.extend(entry for entry in log_entries if entry["body"] != "poison")
        return [PermanentError("poison") if entry["body"] == "poison" else None for entry in log_entries]


class Plain(logging.Handler):
    """A handler of the standard library's kind."""

    def __init__(self, note: str) -> None:
        super().__init__()
        self.note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its message."""
        Memory.events.append(f"{self.note}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with empty hands."""
    monkeypatch.setattr(registry, "_registered", {})
    for kept in (Memory.entries, Memory.events, Memory.fail_next, Asynchronous.loops):
        kept.clear()


def bodies() -> list[Any]:
    """What arrived."""
    return [entry["body"] for entry in Memory.entries]


def run(backend: Any, *messages: str, **config: Any) -> None:
    """Log through one back end, registered as ``mine``, and close."""
    register_backend("mine", backend)
    with configure_logger(strict=True, backends=[{"backend_type": "mine", "config": config}]) as logger:
        for message in messages:
            log_info(message, n=1)
        assert logger.flush(60)


def test_a_registered_back_end() -> None:
    """It is initialized once with its configuration, on a delivery thread, and closed."""
    run(Memory, "a", "b", x=1)
    assert ["a", "b"] == bodies()
    assert ["initialize {'x': 1} on otel", "close"] == Memory.events
    entry = Memory.entries[0]
    assert (1, "INFO") == (entry["attributes"]["n"], entry["severity_text"])
    assert "log.record.uid" in entry["attributes"]
    assert "service.name" in entry["resource"]


def test_coroutines_run_on_one_loop_of_the_delivery_thread() -> None:
    """Also when the application runs in a loop of its own."""

    async def main() -> None:
        register_backend("mine", Asynchronous)
        async with configure_logger(strict=True, backends=[{"backend_type": "mine"}]) as logger:
            await logger.ainfo("a")
            await logger.ainfo("b")
        assert asyncio.get_running_loop() not in Asynchronous.loops

    asyncio.run(main())
    assert ["a", "b"] == bodies()
    assert 1 == len(set(Asynchronous.loops))
    assert ["close"] == Memory.events


def test_a_batch_back_end() -> None:
    """One record at fault does not keep the others."""
    run(Batches, "a", "poison", "b")
    assert ["a", "b"] == bodies()


def test_a_record_that_can_never_be_stored(isolated_environment: Path) -> None:
    """It goes to the dead letters with the reason."""
    run(Memory, "a", "poison", "b")
    assert ["a", "b"] == bodies()
    letters = [
        p.read_text() for p in isolated_environment.rglob("*") if p.is_file() and "dead-letters" in str(p)
    ]
    assert 1 == len(letters)
    assert "this one cannot be stored" in letters[0]


def test_the_status_counts_what_was_retried_and_what_was_refused() -> None:
    """By reason, at the back end that it concerns."""
    Memory.fail_next[:] = [ConnectionError("away")]
    register_backend("mine", Memory)
    with configure_logger(strict=True, backends=[{"backend_type": "mine"}]) as logger:
        for message in ("a", "poison", "b"):
            log_info(message)
        assert logger.flush(30)
        mine = logger.get_health_status()["backends"]["mine"]
        assert {"rejected": 1} == mine["dropped"]
        assert 2 == mine["sent"]
        assert mine["retried"] >= 1


def test_a_failure_is_tried_again_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost or overtaken, and it is initialized anew."""
    Memory.fail_next[:] = [ConnectionError("away")]
    register_backend("mine", Memory)
    handler = BackendHandler(Memory, {})
    assert handler.identity.kind == "custom"
    with configure_logger(strict=True, backends=[{"backend_type": "mine"}]) as logger:
        for i in range(5):
            log_info(f"m{i}")
        eventually(lambda: len(Memory.entries) == 5)
        assert [f"m{i}" for i in range(5)] == bodies()
        assert "ConnectionError: away" in logger.get_health_status()["backends"]["mine"]["last_error"]
    assert 2 == sum(event.startswith("initialize") for event in Memory.events)


def test_by_dotted_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The back end's name in reports is the class's."""
    (tmp_path / "shop_backend.py").write_text(
        "from otel_stdlib import LogBackendInterface\n"
        "import json\n"
        "class ShopBackend(LogBackendInterface):\n"
        "    def initialize(self, config): self.file = open(config['path'], 'a')\n"
        "    def write_log(self, log_entry): self.file.write(json.dumps(log_entry) + '\\n'); self.file.flush()\n"
        "    def close(self): self.file.close()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    backend = {"backend_type": "shop_backend.ShopBackend", "config": {"path": str(tmp_path / "out")}}
    with configure_logger(strict=True, backends=[backend]) as logger:
        log_info("a")
        assert ["ShopBackend"] == list(logger.get_health_status()["backends"])
    assert "a" == json.loads((tmp_path / "out").read_text())["body"]


def test_a_plain_handler_and_levels() -> None:
    """Any ``logging.Handler`` is a back end, with a level of its own."""
    register_backend("plain", Plain)
    backends = [
        {"backend_type": "plain", "config": {"note": "all"}},
        {"backend_type": "plain", "name": "errors", "level": "ERROR", "config": {"note": "errors"}},
    ]
    with configure_logger(strict=True, backends=backends) as logger:
        log_info("a")
        logger.error("b")
        assert {"plain", "errors"} == set(logger.get_health_status()["backends"])
    assert ["all: a", "all: b", "errors: b"] == sorted(Memory.events)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "has no method 'initialize'"),
        ({"initialize": lambda self, config: None}, "has no method 'write_log' or 'write_batch'"),
    ],
)
def test_a_class_that_is_no_back_end(members: dict[str, Any], words: str) -> None:
    """It is refused when it is configured."""
    register_backend("mine", type("Wrong", (), members))
    with pytest.raises(ConfigError, match=words):
        configure_logger(strict=True, backends=[{"backend_type": "mine"}])


def test_a_method_that_is_not_implemented() -> None:
    """The interface says which."""

    class Half(LogBackendInterface):
        def initialize(self, config: Mapping[str, Any]) -> None:
            """Nothing."""

    register_backend("mine", Half)
    with pytest.raises(ConfigError, match="does not implement write_log"):
        configure_logger(strict=True, backends=[{"backend_type": "mine"}])


def test_its_identity_has_no_secret() -> None:
    """Two configurations differ by what is not secret."""
    one, two, other = (
        BackendHandler(Memory, config).identity
        for config in ({"host": "a", "password": "x"}, {"host": "a", "password": "y"}, {"host": "b"})
    )
    assert one == two != other
    assert "x" not in one.key.rpartition("/")[2] or "password" not in one.key
