"""What the package says of itself: one line on stderr, not often; details on ``debug_logger``.

Never called from inside a log call: writing to stderr can block. Log calls only count.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.threads import Lock

__all__ = ["Diagnostics", "debug_logger", "say"]

#: Off until somebody sets a level and a handler. It does not reach the root's handlers: what
#: the package says of a failing destination must not be sent to that destination.
debug_logger = logging.getLogger("otel_stdlib.debug")
debug_logger.addHandler(logging.NullHandler())
debug_logger.propagate = False

_MAX_KEYS = 500


class Diagnostics:
    """Lines, each kind of them at most once per interval, with what was left out counted.

    Args:
        write: takes one whole line.
        clock: monotonic seconds.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._write = write
        self._clock = clock
        self._lock = Lock()
        self._said: dict[str, tuple[float, int]] = {}

    def say(self, key: str, text: str, *, interval: float = 60.0, force: bool = False) -> bool:
        """Say ``text`` unless ``key`` was said less than ``interval`` seconds ago. Any thread; never raises."""
        now = self._clock()
        debug_logger.debug("%s", text)
        if not self._lock.acquire(timeout=0.5):  # held by a thread that a fork or the end froze
            return False
        try:
            last, suppressed = self._said.get(key, (float("-inf"), 0))
            if now - last < interval and not force:
                self._said[key] = (last, suppressed + 1)
                return False
            if len(self._said) >= _MAX_KEYS:
                self._said.clear()
            self._said[key] = (now, 0)
        finally:
            self._lock.release()
        more = f" ({suppressed} more like it)" if suppressed else ""
        self._write(f"otel_stdlib: {mask_secrets(text)}{more}\n")
        return True

    def after_fork(self) -> None:
        """A fresh lock in a child process."""
        self._lock = Lock()


def _to_stderr(line: str) -> None:
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except Exception:
        # No stderr (pythonw, closed, interpreter's end): there is nobody left to tell.
        return


_own = Diagnostics(_to_stderr)
say = _own.say
after_fork = _own.after_fork
