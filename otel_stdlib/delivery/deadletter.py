"""Records that a destination refused for good: kept in a file with the reason, to be sent again."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from otel_stdlib.delivery.contract import Origin, make_uid
from otel_stdlib.delivery.letterfile import append, hold
from otel_stdlib.facts.clock import wall_ns
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.threads import Lock
from otel_stdlib.record.line import close_line
from otel_stdlib.spool.frame import Frame

__all__ = ["DeadLetterFile"]

#: Bytes of letters that are kept in memory where there is no disk.
_MEMORY = 8 << 20
#: Beside the spools.
_FOLDER = "dead-letters"
_SEVERITY = re.compile(rb'"severity_number":(\d+)')


class DeadLetterFile:
    """An append-only JSONL file, mode 0600, of one destination, shared by the processes that deliver to it.

    Each line: ``time_ns`` of the refusal, ``destination``, ``reason``, ``uid``, the record's
    ``event_time_ns``, ``level`` and ``severity_number``, and the whole ``record``. A kill between
    the write and the cursor writes a letter again with the same uid; ``read`` gives each uid once.

    Args:
        path: the file; None keeps letters in memory, for a spool in memory.
        identity: the destination.
        max_bytes: beyond this the file becomes ``….1`` and a former one of that name goes. In
            memory the oldest letters go.
        on_evicted: gets, by severity number, how many letters went that way.
    """

    #: False: what is written here waits elsewhere, so no outage is waited out for it.
    kept = True

    def __init__(
        self,
        path: Path | None,
        identity: Identity,
        max_bytes: int = 64 << 20,
        on_evicted: Callable[[Counter[int]], None] | None = None,
    ) -> None:
        self.path = path
        self._identity = identity
        self._max_bytes = max_bytes
        self._on_evicted = on_evicted
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._lock = Lock()

    @classmethod
    def for_target(
        cls,
        root: Path | None,
        identity: Identity,
        on_evicted: Callable[[Counter[int]], None] | None = None,
    ) -> DeadLetterFile:
        """The file of a destination in a spool root; None: in memory."""
        if root is None:
            return cls(None, identity, _MEMORY, on_evicted)
        name = f"{identity.kind}-{identity.hash}.jsonl"
        return cls(root / _FOLDER / name.replace(os.sep, "_"), identity, on_evicted=on_evicted)

    def write(self, origin: Origin, letters: Sequence[tuple[Frame, str]]) -> None:
        """Append letters; they are in the file when this returns.

        Raises:
            OSError: they could not be written; the file ends as it did before.
        """
        lines = [self._line(origin, frame, reason) for frame, reason in letters]
        with self._lock:
            if self.path is None:
                self._remember(lines)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            block = b"".join(lines)
            while True:
                with hold(self.path) as fd:
                    if os.fstat(fd).st_size < self._max_bytes:
                        append(fd, block)
                        return
                    self._turn_over(self.path)

    def _remember(self, lines: Sequence[bytes]) -> None:
        self._memory += lines
        self._memory_bytes += sum(map(len, lines))
        gone = []
        while self._memory_bytes > self._max_bytes and len(self._memory) > 1:
            gone.append(self._memory.popleft())
            self._memory_bytes -= len(gone[-1])
        self._tell_evicted(_severities(gone))

    def _turn_over(self, path: Path) -> None:
        former = Path(f"{path}.1")
        try:
            with open(former, "rb") as file:
                gone = _severities(file)
        except FileNotFoundError:
            gone = Counter()
        os.replace(path, former)
        self._tell_evicted(gone)

    def _tell_evicted(self, gone: Counter[int]) -> None:
        if gone and self._on_evicted is not None:
            self._on_evicted(gone)

    def _line(self, origin: Origin, frame: Frame, reason: str) -> bytes:
        uid = make_uid(origin.spool_id, frame.lsn)
        head = {
            "time_ns": wall_ns(),
            "destination": {"kind": self._identity.kind, "key": self._identity.key},
            "reason": mask_secrets(reason)[:4096].encode("utf-8", "replace").decode("utf-8"),
            "uid": uid,
            "event_time_ns": frame.time_ns,
            "level": frame.level,
            "severity_number": frame.severity,
        }
        record = close_line(frame.payload, uid.encode("ascii"), origin.resource)
        return orjson.dumps(head)[:-1] + b',"record":' + record + b"}\n"

    def read(self) -> Iterator[dict[str, Any]]:
        """The letters, oldest first, each uid once; a torn line is left out."""
        seen: set[str] = set()
        for line in self._lines():
            try:
                letter = orjson.loads(line)
                uid = letter["uid"]
            except (ValueError, KeyError, TypeError):
                continue
            if uid not in seen:
                seen.add(uid)
                yield letter

    def _lines(self) -> Iterator[bytes]:
        if self.path is None:
            yield from list(self._memory)
            return
        for path in (Path(f"{self.path}.1"), self.path):
            try:
                with open(path, "rb") as file:
                    yield from file
            except FileNotFoundError:
                continue


def _severities(lines: Iterable[bytes]) -> Counter[int]:
    """How many letters there are of each severity number, without reading whole records."""
    found: Counter[int] = Counter()
    for line in lines:
        head = line.partition(b'"record":')[0]
        match = _SEVERITY.findall(head)
        if match:  # the last one: a reason before it may quote anything
            found[int(match[-1])] += 1
    return found
