"""The one facade logger and its life."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, final

from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import ConfigFileError, Problem
from otel_stdlib.config.translate import LoggerSettings, load_settings
from otel_stdlib.facade.assembly import Assembly, assemble, structure
from otel_stdlib.facade.health import closed_status, health_status
from otel_stdlib.facade.levels import Levels
from otel_stdlib.facade.methods import LoggingMethods
from otel_stdlib.facade.watch import Watcher
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError, StateError
from otel_stdlib.facts.filestate import FileState, look
from otel_stdlib.facts.threads import RLock

__all__ = ["OTelLogger"]

#: Seconds that ``flush`` waits when it is not told.
_FLUSH_TIMEOUT = 10.0


@final
class OTelLogger(LoggingMethods):
    """What ``configure_logger`` returns: logging methods, and the pipeline behind the root logger.

    NEW or CLOSED, until ``configure`` starts it; then RUNNING, until ``close``. Methods that log never
    fail: without a pipeline, records go where ``logging`` sends them. Any thread.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._assembly: Assembly | None = None
        self._settings = LoggerSettings()
        #: What it is configured with: the file, what stands in place of its options, ``strict``.
        self.source: tuple[str | None, Mapping[str, Any], bool] = (None, {}, False)
        self._problems: list[str] = []
        self._levels = Levels()
        self._watcher: Watcher | None = None
        self._retired: list[Assembly] = []

    # -- configuration ------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether there is a pipeline."""
        return self._assembly is not None

    @property
    def settings(self) -> LoggerSettings:
        """What it was made from."""
        return self._settings

    def configure(
        self, config_file: str | os.PathLike[str] | None, overrides: Mapping[str, Any], *, strict: bool
    ) -> None:
        """Start, or change to another configuration. The same configuration again changes nothing.

        Raises:
            ConfigFileError: ``strict``, and something is wrong; what ran before runs on.
        """
        path = None if config_file is None else os.path.abspath(config_file)
        with self._lock:
            if self.is_running and (
                (path is None and not overrides) or self.source == (path, overrides, strict)
            ):
                return
            self._load(path, overrides, strict, must_be_good=strict)

    def reload(self) -> None:
        """Read the file again. Good: the new pipeline runs before the old one retires. Not good: the old one stays.

        When only levels changed, nothing is connected anew.

        Raises:
            ConfigFileError: something in the file is wrong.
            StateError: there is no pipeline.
        """
        with self._lock:
            if not self.is_running:
                raise StateError("the logger is closed: configure_logger() starts it")
            path, overrides, strict = self.source
            self._load(path, overrides, strict, must_be_good=True)

    def _load(
        self, path: str | None, overrides: Mapping[str, Any], strict: bool, *, must_be_good: bool
    ) -> None:
        # Before it is read: what changes meanwhile is read again.
        files = {} if path is None else {path: look(path)}
        settings, problems, document = self._read(path, overrides, strict, must_be_good)
        current = self._assembly
        is_same = not problems and not self._problems and structure(settings) == structure(self._settings)
        if current is not None and is_same:
            self._adopt(settings, current)
        else:
            fresh = assemble(settings, document)
            if fresh.problems and must_be_good:
                fresh.stop(0)
                raise ConfigFileError([problem for _, problem in fresh.problems])
            self._replace(fresh, settings)
            self._note(problems, fresh.problems)
        self.source = (path, dict(overrides), strict)
        self._watch({**files, **document.read_files})

    def _read(
        self, path: str | None, overrides: Mapping[str, Any], strict: bool, must_be_good: bool
    ) -> tuple[LoggerSettings, list[Problem], Document]:
        source: str | Mapping[str, Any] = {"logger": {}} if path is None else path
        try:
            settings, problems, document = load_settings(source, overrides=overrides, strict=strict)
        except ConfigFileError as error:
            if must_be_good:
                raise
            # A file that is none: what was passed to configure_logger still counts.
            settings, problems, document = load_settings({"logger": {}}, overrides=overrides, strict=False)
            problems = [*error.problems, *problems]
        if problems and must_be_good:
            raise ConfigFileError(problems)
        return settings, problems, document

    def _adopt(self, settings: LoggerSettings, assembly: Assembly) -> None:
        """Take over what needs no new handlers."""
        for handler, spec in zip(assembly.backends.values(), settings.backends, strict=False):
            handler.setLevel(spec.level)
        self._settings = settings
        self._levels.apply(settings.log_level, settings.levels)

    def _replace(self, fresh: Assembly, settings: LoggerSettings) -> None:
        """Put ``fresh`` where the present assembly is, started before it gets its first record."""
        fresh.start()
        root, current = logging.getLogger(), self._assembly
        if current is not None and current.queue in root.handlers:
            # One assignment: every log call sees the old list or the new one, never both or none.
            root.handlers = [
                fresh.queue if handler is current.queue else handler for handler in root.handlers
            ]
        else:
            root.addHandler(fresh.queue)
        self._assembly, self._settings = fresh, settings
        self._levels.apply(settings.log_level, settings.levels)
        if current is not None:
            self._retire(current, fresh)

    def _retire(self, old: Assembly, successor: Assembly) -> None:
        old.retire(successor)
        self._retired = [assembly for assembly in (*self._retired, old) if assembly.is_delivering]

    def _note(self, problems: list[Problem], found: list[tuple[str, Problem]]) -> None:
        """Keep what is wrong for the health report, and say it."""
        self._problems = [str(problem) for problem in (*problems, *(problem for _, problem in found))]
        for problem in problems:
            say(f"config:{problem}", f"{problem}: left out")
        for name, problem in found:
            say(f"config:{problem}", f"{problem}: the back end {name!r} is replaced by a file")

    def _watch(self, files: dict[str, FileState]) -> None:
        settings, watcher = self._settings, self._watcher
        wanted = bool(files) and (settings.watch or settings.reload_signal is not None)
        looked_at = files if settings.watch else {}
        if watcher is not None and wanted and watcher.signal_name == settings.reload_signal:
            watcher.change(looked_at, settings.reload_interval)
            return
        self._watcher = None
        if watcher is not None:
            # Not waited for: it may be in the middle of a reload, which needs the lock held here.
            watcher.stop(wait=False)
        if wanted:
            self._watcher = Watcher(
                looked_at, settings.reload_interval, settings.reload_signal, self._reload_and_say
            )
            self._watcher.start()

    def _reload_and_say(self) -> None:
        try:
            self.reload()
        except StateError:
            return
        except ConfigError as error:
            say(
                "reload", f"the configuration was not loaded again, the former one stays: {error}", force=True
            )

    # -- flush, end, health ----------------------------------------------------------------

    def flush(self, timeout: float | None = _FLUSH_TIMEOUT) -> bool:
        """Wait up to ``timeout`` seconds until every back end has what was logged before; whether it has."""
        assembly = self._assembly
        if assembly is None:
            return True
        return assembly.queue.flush(_FLUSH_TIMEOUT if timeout is None else timeout)

    async def aflush(self, timeout: float | None = _FLUSH_TIMEOUT) -> bool:
        """``flush`` on a thread: the loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(None, self.flush, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Deliver what was logged, until ``timeout`` or else ``shutdown_timeout``, and stop. Idempotent.

        What is left waits on the disk for the next process, and one line on stderr gives the number of records and
        the reason. True when nothing is left. The root logger and all levels are as they were before.
        """
        with self._lock:
            assembly, self._assembly = self._assembly, None
            watcher, self._watcher = self._watcher, None
            retired, self._retired = self._retired, []
            if assembly is not None:
                logging.getLogger().removeHandler(assembly.queue)
                self._levels.restore()
            self._problems = []
        if watcher is not None:
            watcher.stop()
        done = True
        for each in (*retired, *([assembly] if assembly is not None else [])):
            done &= each.stop(timeout)
        return done

    async def aclose(self, timeout: float | None = None) -> bool:
        """``close`` on a thread: the loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(None, self.close, timeout)

    def get_health_status(self) -> dict[str, Any]:
        """The state of every back end: see ``docs/facade.md``. Plain values; it never waits."""
        assembly = self._assembly
        return closed_status() if assembly is None else health_status(assembly, self._problems)

    def __enter__(self) -> OTelLogger:
        """It is running already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> OTelLogger:
        """It is running already."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it, on a thread."""
        await self.aclose()

    def after_fork_in_child(self) -> None:
        """Fresh locks in a forked child; the pipeline sees to itself."""
        self._lock = RLock()
        if self._watcher is not None:
            self._watcher.after_fork_in_child()
