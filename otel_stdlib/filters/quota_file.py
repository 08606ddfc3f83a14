"""The file in which the processes of a service keep what they have used of a quota."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import orjson

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.descriptor import Descriptor
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.filelock import try_lock, unlock
from otel_stdlib.facts.threads import sleep
from otel_stdlib.spool.segment import SAFE_OPEN

__all__ = ["QuotaFile", "Usage"]

_VERSION = 1
_LOOK = 0.005
_MOST_BYTES = 64 << 20


class Usage:
    """What was used in one period: by key, as text."""

    def __init__(self, period: int, used: dict[str, int], warned: set[str]) -> None:
        self.period = period
        self.used = used
        #: Keys that were warned of.
        self.warned = warned


class QuotaFile:
    """One quota's file, next to the spool. It is replaced, never changed, under the lock of a file beside it.

    Args:
        rule: of the filter. Filters with the same rule share a file.
        seconds: of a period.
    """

    def __init__(self, rule: str, seconds: int) -> None:
        self.name = f"quota-{hashlib.sha256(rule.encode()).hexdigest()[:10]}.json"
        self._seconds = seconds

    def check(self, folder: str | os.PathLike[str]) -> None:
        """Look at the file at load.

        Raises:
            ConfigError: it cannot be read, or is of another version.
        """
        path = os.path.join(folder, self.name)
        try:
            with open(path, "rb") as file:
                self._parse(file.read(_MOST_BYTES))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"option 'directory': the quota's file {path} cannot be used: {reason}; delete it to begin anew",
                option="directory",
            ) from error

    def add(
        self, root: Descriptor, usage: Usage, share: float, limits: Any, patience: float
    ) -> tuple[Usage, list[str]]:
        """Add what this process has used, and answer with what all have, and the keys that are to be warned of.

        Args:
            root: the folder.
            usage: what this process has used since the last time.
            share: of a limit, from which on its key is warned of, once in a period and service.
            limits: answers with the limit of a key.
            patience: seconds to wait for the lock.

        Raises:
            OSError: the file cannot be read or written, or another process holds its lock for too long.
            ValueError: it is not a quota's file, or is of another version.
        """
        lock = self._lock(root, patience)
        try:
            known = self._read(root)
            if known.period < usage.period:
                known = Usage(usage.period, {}, set())
            fresh: list[str] = []
            if known.period == usage.period:
                for key, amount in usage.used.items():
                    known.used[key] = total = known.used.get(key, 0) + amount
                    if key not in known.warned and total >= share * limits(key):
                        known.warned.add(key)
                        fresh.append(key)
                if usage.used:
                    self._write(root, known)
            return known, fresh
        finally:
            unlock(lock.fd)  # a child that was forked meanwhile has it too
            lock.close()

    def _lock(self, root: Descriptor, patience: float) -> Descriptor:
        flags = os.O_RDWR | os.O_CREAT | SAFE_OPEN
        lock = Descriptor(os.open(f"{self.name}.lock", flags, 0o600, dir_fd=root.fd))
        deadline = monotonic() + patience
        while not try_lock(lock.fd):
            if monotonic() > deadline:
                raise OSError("another process holds its lock")
            sleep(_LOOK)
        return lock

    def _read(self, root: Descriptor) -> Usage:
        try:
            fd = os.open(self.name, os.O_RDONLY | SAFE_OPEN, dir_fd=root.fd)
        except FileNotFoundError:
            return Usage(-1, {}, set())
        try:
            data = b""
            while part := os.read(fd, 1 << 20):
                data += part
        finally:
            os.close(fd)
        return self._parse(data)

    def _parse(self, data: bytes) -> Usage:
        found = orjson.loads(data)
        if not isinstance(found, dict) or "version" not in found:
            raise ValueError("it is not a quota's file")
        if found["version"] != _VERSION:
            raise ValueError(
                f"it is of version {found['version']!r}, and this package writes version {_VERSION}"
            )
        used, warned, period = found.get("used"), found.get("warned"), found.get("period")
        if not isinstance(used, dict) or not isinstance(warned, list) or not isinstance(period, int):
            raise ValueError("it is damaged")
        if not all(isinstance(amount, int) for amount in used.values()):
            raise ValueError("it is damaged")
        if found.get("seconds") != self._seconds:
            return Usage(-1, {}, set())  # the period was changed: a new one begins
        return Usage(period, used, set(map(str, warned)))

    def _write(self, root: Descriptor, usage: Usage) -> None:
        data = orjson.dumps(
            {
                "version": _VERSION,
                "seconds": self._seconds,
                "period": usage.period,
                "used": usage.used,
                "warned": sorted(usage.warned),
            }
        )
        born = f"{self.name}.new"  # under the lock: no other process writes one
        fd = os.open(born, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | SAFE_OPEN, 0o600, dir_fd=root.fd)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        os.rename(born, self.name, src_dir_fd=root.fd, dst_dir_fd=root.fd)
