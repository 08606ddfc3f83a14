"""What every server of the tests can do: start, stop, be killed, hang, and come back with its data."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar

from tests.servers.process import ServerError, ServerProcess

if TYPE_CHECKING:
    from typing_extensions import Self


class Server:
    """One server with its own folder and ports, all on 127.0.0.1; ports and data outlive a stop or kill.

    Made cold: nothing runs before `start()`. A server that has been started once keeps its ports, so a client
    finds it again. All methods may be called from any thread, one at a time. `close()` ends it for good and
    removes its folder; so does the end of a `with` block.
    """

    #: For messages and folder names.
    name: ClassVar[str] = "server"
    #: The signal that ends it in an orderly way.
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self, *, user: str | None = None) -> None:
        self._user = user
        self._lock = threading.RLock()
        self._process: ServerProcess | None = None
        self._started_once = False
        self._paused = False
        self.directory = Path(tempfile.mkdtemp(prefix=f"otel_stdlib-{self.name}-"))
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.log = self.directory / f"{self.name}.log"

    # What a kind of server fills in.

    def choose_ports(self) -> None:
        """Picks the ports; again after a first start that failed, as another process may have taken one."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Writes what a start needs, data included if there is none yet; called before every start."""

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Environment variables beside the test run's own."""
        return {}

    def ready(self, process: ServerProcess) -> bool:
        """Whether it answers requests; asked again and again while it starts, must not raise."""
        raise NotImplementedError

    def after_death(self) -> None:
        """Waits for what a dead server may leave behind for a moment."""

    # What tests call.

    @property
    def running(self) -> bool:
        """Whether its process lives, hung or not."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """The main process's id while it runs."""
        if self._process is None or not self._process.running:
            raise ServerError(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Starts it, on the data and ports that it had, and returns once it answers; nothing if it runs."""
        with self._lock:
            if self.running:
                return
            self._reap()
            for attempt in range(3):
                if not self._started_once:
                    self.choose_ports()
                self.prepare()
                try:
                    self._start_process()
                    return
                except ServerError:
                    if self._started_once or attempt == 2:
                        raise

    def _start_process(self) -> None:
        process = ServerProcess(
            self.command(),
            self.log,
            user=self._user,
            stop_signal=self.stop_signal,
            scratch=self.directory,
            env=self.environment(),
        )
        process.wait_ready(lambda: self.ready(process))
        self._process, self._started_once = process, True

    def stop(self) -> None:
        """Ends it in an orderly way and waits until it is gone."""
        with self._lock:
            if self._process is not None:
                self._process.stop()
                self._reap()

    def kill(self) -> None:
        """SIGKILL, as by the kernel when memory runs out; waits until it is gone."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._reap()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections, and the kernel accepts new ones, but nothing answers."""
        with self._lock:
            self._paused = True
            self.signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause()`."""
        with self._lock:
            self._paused = False
            self.signal_all(signal.SIGCONT)

    def signal_all(self, number: int) -> None:
        """Sends a signal to all of its processes."""
        if self._process is not None:
            self._process.send(number, group=True)

    def ensure_running(self) -> None:
        """Puts it back to work, whatever a test did to it."""
        with self._lock:
            if self._paused:
                self.resume()
            self.start()

    def close(self) -> None:
        """Ends it and removes its folder; idempotent."""
        with self._lock:
            self.stop()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(0)
            self._process, self._paused = None, False
            self.after_death()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
