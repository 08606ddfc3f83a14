"""A TCP proxy on loopback that a test can cut, slow down, make deaf, or let lie.

A server behind it cannot tell; a client sees every way in which a network fails. Control is exact: when a method
returns, the change holds for every byte that the client sends from then on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tests.servers.ports import free_port
from tests.servers.process import ServerError, until

if TYPE_CHECKING:
    from typing_extensions import Self

PROCESS = Path(__file__).with_name("proxy_process.py")


@dataclass(frozen=True)
class Traffic:
    """What has passed through a proxy since it was made."""

    #: Connections accepted from clients, and how many of them are open now.
    connections: int
    open: int
    #: Bytes passed on in each direction; what was swallowed, lost or withheld is not among them.
    bytes_to_server: int
    bytes_to_client: int
    #: Pieces of answers (as received, about a packet train each) that the server sent and no client got.
    lost_answers: int
    #: Connections reset by `cut` and its like.
    cuts: int


class Proxy:
    """Listens on `host`:`port` and forwards to the target, from construction to `close()`.

    Methods may be called from any thread. Each of `pass_through`, `deaf`, `slow`, `swallow_answers`,
    `lose_answer`, `cut_after` and `garbage` replaces the one before; none touches whether it listens.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self.host = "127.0.0.1"
        self._lock = threading.Lock()
        for _ in range(5):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PROCESS), target_host, str(target_port), str(free_port())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                cwd="/",
            )
            assert self._process.stdout is not None
            port = self._process.stdout.readline()
            if port:
                break
            self.close()
        else:
            raise ServerError("the proxy found no port")
        self.port = int(port)

    def _do(self, what: str, **arguments: Any) -> Traffic:
        with self._lock:
            pipes = self._process.stdin, self._process.stdout
            assert pipes[0] is not None
            assert pipes[1] is not None
            pipes[0].write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            pipes[0].flush()
            answer = pipes[1].readline()
        if not answer:
            raise ServerError("the proxy has ended")
        return Traffic(**json.loads(answer))

    @property
    def traffic(self) -> Traffic:
        """The counters now."""
        return self._do("stats")

    def wait_for(self, condition: Callable[[Traffic], bool], deadline: float = 30.0) -> Traffic:
        """Polls the counters until `condition` holds; AssertionError after `deadline` seconds."""
        seen = [self.traffic]

        def holds() -> bool:
            seen[0] = self.traffic
            return condition(seen[0])

        assert until(holds, deadline, pause=0.005), f"not so within {deadline} s: {seen[0]}"
        return seen[0]

    def target(self, host: str, port: int) -> None:
        """Sends new connections elsewhere; open ones stay."""
        self._do("target", host=host, port=port)

    def pass_through(self) -> None:
        """Forwards everything. Bytes withheld by `deaf` go on; connections with a lost answer are reset."""
        self._do("mode", mode="pass")

    def refuse(self) -> None:
        """New connections are refused; open ones live on. The port remains ours."""
        self._do("refuse")

    def listen(self) -> None:
        """Ends `refuse`."""
        self._do("listen")

    def stop(self) -> None:
        """As a server's machine that goes away: refuses, and resets every open connection."""
        self._do("refuse")
        self._do("cut")

    def start(self) -> None:
        """Back on the same port, forwarding everything."""
        self.pass_through()
        self.listen()

    def cut(self) -> None:
        """Resets every open connection; new ones are welcome."""
        self._do("cut")

    def deaf(self) -> None:
        """Accepts connections and reads, but nothing gets through in either direction, on old connections too."""
        self._do("mode", mode="deaf")

    def forget_connections(self) -> None:
        """As a load balancer that drops idle connections without a word: those open now get nothing any more, ever.

        New ones pass. A client's end of a connection still closes it.
        """
        self._do("forget")

    def slow(self, *, bytes_per_second: float | None = None, delay: float = 0.0) -> None:
        """Holds each piece back `delay` seconds, and each connection and direction down to a rate."""
        self._do("mode", mode="pass", rate=bytes_per_second, delay=delay)

    def swallow_answers(self) -> None:
        """Requests reach the server, its answers reach nobody, connections stay open: until another mode."""
        self._do("mode", mode="swallow")

    def lose_answer(self, to: bytes = b"", times: int = 1) -> None:
        """Throws the server's next answer away and resets that connection: the server did it, the client can't know.

        With `to`, the next answer on a connection whose client has sent these bytes since (b"COMMIT",
        b"/_bulk"; plain text only). After `times` losses everything passes again. `Traffic.lost_answers` counts.
        """
        self._do("mode", mode="pass", pattern=to.hex(), times=times)

    def cut_after(self, client_bytes: int) -> None:
        """Forwards this many more bytes from clients, all connections together, then resets all: a torn request.

        Everything passes again afterwards.
        """
        self._do("mode", mode="pass", budget=client_bytes)

    def garbage(self, data: bytes | None = None, *, hang_up: bool = True) -> None:
        """Answers whatever a client sends with `data` (noise if None) and tells the server nothing.

        With `hang_up` the connection ends in an orderly way after that.
        """
        options = {} if data is None else {"data": data.hex()}
        self._do("mode", mode="garbage", hang_up=hang_up, **options)

    def close(self) -> None:
        """Ends the proxy and its connections; idempotent."""
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None and not pipe.closed:
                    pipe.close()
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
