"""A server process under its guard: start, wait until ready, signal, stop, kill."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: Seconds a server may take to answer its first request: the machine of CI is small and shared.
STARTUP_DEADLINE = 120.0
#: Seconds a server may take to end after it was asked to, before it is killed.
STOP_DEADLINE = 30.0

GUARD = Path(__file__).with_name("guard.py")


class ServerError(RuntimeError):
    """A server did not start, or ended by itself; the message ends with the tail of its log."""


def until(condition: Callable[[], bool], deadline: float, pause: float = 0.02) -> bool:
    """Polls `condition` every `pause` seconds for at most `deadline` seconds; says whether it came true."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


class ServerProcess:
    """One run of one server; a restart is a new object.

    Its output goes to `log`, appended. `user` is the user to run as when we are root (servers such as PostgreSQL
    refuse root). All methods may be called from any thread; a signal reaches the server only while its guard
    has not yet reaped it, so no other process can be hit.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        user: str | None = None,
        stop_signal: int = signal.SIGTERM,
        scratch: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.log = log
        self._stop_signal = stop_signal
        self._lock = threading.Lock()
        spec = {
            "user": user,
            "group": grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name if user else None,
            "stop_signal": int(stop_signal),
            "grace": 5.0,
            "scratch": str(scratch) if scratch else None,
        }
        with log.open("ab") as sink:
            self._start = sink.tell()
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), json.dumps(spec), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                start_new_session=True,
                cwd="/",
                env={**os.environ, **env} if env else None,
            )
        assert self._guard.stdout is not None
        words = self._guard.stdout.readline().split()
        if len(words) != 2:
            self.wait(STOP_DEADLINE)
            raise ServerError(f"{command[0]} could not be run:\n{self.tail()}")
        self.pid = int(words[1])

    @property
    def running(self) -> bool:
        """Whether the server has not ended; a stopped (SIGSTOP) one counts as running."""
        return self._guard.poll() is None

    @property
    def status(self) -> int | None:
        """The server's exit status as a shell gives it (128 + signal), None while it runs."""
        return self._guard.poll()

    def output(self) -> str:
        """What this run has written to its log so far."""
        with self.log.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 20) -> str:
        """The last lines of this run's output."""
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_ready(self, ready: Callable[[], bool], deadline: float = STARTUP_DEADLINE) -> None:
        """Waits until `ready()`; raises ServerError, and leaves nothing running, if it ends first or is late."""
        if until(lambda: not self.running or ready(), deadline) and self.running:
            return
        ended = self.status
        self.kill()
        what = f"not ready after {deadline:.0f} s" if ended is None else f"ended with status {ended}"
        raise ServerError(f"{what}; the end of {self.log}:\n{self.tail()}")

    def send(self, number: int, *, group: bool = False) -> None:
        """Sends a signal to the server, or to its process group; nothing happens if it has ended."""
        with self._lock:
            if self._guard.stdin is None or self._guard.stdin.closed:
                return
            try:
                self._guard.stdin.write(b"%d\n" % (-number if group else number))
                self._guard.stdin.flush()
            except BrokenPipeError:
                pass

    def wait(self, deadline: float) -> bool:
        """Waits for the end and frees the pipes; False if it still runs after `deadline` seconds."""
        try:
            self._guard.wait(deadline)
        except subprocess.TimeoutExpired:
            return False
        with self._lock:
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None and not pipe.closed:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass
        return True

    def stop(self, deadline: float = STOP_DEADLINE) -> None:
        """Ends it in an orderly way; kills it if that takes longer than `deadline` seconds."""
        self.send(signal.SIGCONT, group=True)
        self.send(self._stop_signal)
        if not self.wait(deadline):
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the server alone, and waits until it is gone."""
        self.send(signal.SIGKILL)
        if not self.wait(STOP_DEADLINE):
            raise ServerError(f"process {self.pid} did not end after SIGKILL")
