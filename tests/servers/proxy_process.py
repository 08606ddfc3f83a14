"""The process behind `proxy.Proxy`: forwards TCP, or misbehaves as told.

`proxy_process.py HOST PORT OWN_PORT` prints its own port, then answers each JSON line on its input (one command) with a
JSON line on its output (the counters), after the command has taken effect. It ends with its input. A process of
its own, so that forks of the test run do not hold its sockets (a copy would keep "closed" ports and connections
alive) and that it takes no time from the code under test. It imports the standard library only.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import sys
import threading
from typing import Any

CHUNK = 1 << 18
NOISE = random.Random(7).randbytes(512)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


class Pair:
    """One client's connection and the one to the server that belongs to it (absent until it is made)."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.tail = b""  # the last bytes of the client, where a pattern may have begun
        self.armed = False  # the next answer on this connection is to be lost
        self.forgotten = False  # nothing passes any more, whatever the mode
        self.spoiled = False  # part of an answer was lost: of no more use to a client

    def close(self, loop: asyncio.AbstractEventLoop, *, reset: bool) -> None:
        """Ends both connections; with `reset` each peer sees ECONNRESET, not an end of file."""
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for sock in (self.client, self.server):
            if sock is not None:
                # at once: the cancelled task would do it later, when the number may be another socket's
                loop.remove_reader(sock.fileno())
                loop.remove_writer(sock.fileno())
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                sock.close()


class Proxy:
    """All state; touched on the event loop's thread only."""

    def __init__(self, target: tuple[str, int], loop: asyncio.AbstractEventLoop) -> None:
        self.target, self.loop = target, loop
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening = False
        self.acceptor: asyncio.Task[None] | None = None
        self.pairs: set[Pair] = set()
        self.mode = "pass"
        self.rate: float | None = None
        self.delay = 0.0
        self.garbage, self.hang_up = NOISE, True
        self.pattern: bytes | None = None
        self.losses = 0
        self.budget: int | None = None  # client bytes that may still pass before a cut
        self.changed = asyncio.Event()
        names = ("connections", "bytes_to_server", "bytes_to_client", "lost_answers", "cuts")
        self.counts = dict.fromkeys(names, 0)

    # Commands. Each has taken effect when it returns.

    def do_listen(self) -> None:
        """Accepts connections on the one port; it stays bound, so nobody else can take it meanwhile."""
        if not self.listening:
            self.listener.listen(128)
            self.listener.setblocking(False)
            self.listening = True
            self.acceptor = self.loop.create_task(self.accept())

    def do_refuse(self) -> None:
        """Resets what is in the accept queue and refuses new connections; the port remains bound."""
        if self.listening and self.acceptor is not None:
            self.acceptor.cancel()
            self.loop.remove_reader(self.listener.fileno())
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listening = False

    def do_cut(self) -> None:
        """Resets every connection."""
        self.counts["cuts"] += len(self.pairs)
        for pair in list(self.pairs):
            self.end(pair, reset=True)

    def do_mode(self, mode: str, **options: Any) -> None:
        """Changes what happens to bytes; what an earlier mode had set is forgotten."""
        self.mode = mode
        self.rate, self.delay = options.get("rate"), options.get("delay", 0.0)
        self.garbage = bytes.fromhex(options["data"]) if "data" in options else NOISE
        self.hang_up = options.get("hang_up", True)
        self.pattern = bytes.fromhex(options["pattern"]) if "pattern" in options else None
        self.losses = options.get("times", 0)
        self.budget = options.get("budget")
        for pair in list(self.pairs):
            pair.armed = self.pattern == b""
            if pair.spoiled:
                self.end(pair, reset=True)
        self.changed.set()
        self.changed = asyncio.Event()

    def do_forget(self) -> None:
        """Lets nothing through on the connections that are open now."""
        for pair in self.pairs:
            pair.forgotten = True

    def do_target(self, host: str, port: int) -> None:
        """Where new connections go."""
        self.target = (host, port)

    def do_stats(self) -> None:
        """Only the counters."""

    def stats(self) -> dict[str, int]:
        """The counters since the start, and the connections that are open now."""
        return {**self.counts, "open": len(self.pairs)}

    # Traffic.

    async def accept(self) -> None:
        """Takes connections until cancelled."""
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair(client)
            self.counts["connections"] += 1
            self.pairs.add(pair)
            pair.tasks.append(self.loop.create_task(self.serve(pair)))

    def end(self, pair: Pair, *, reset: bool) -> None:
        """Closes a pair, once."""
        if pair in self.pairs:
            self.pairs.remove(pair)
            pair.close(self.loop, reset=reset)

    async def serve(self, pair: Pair) -> None:
        """One connection's life; the answers run in a task beside."""
        try:
            while self.mode == "deaf":
                await self.changed.wait()
            if self.mode != "garbage":
                await self.connect(pair)
            await self.requests(pair)
        except OSError:
            self.end(pair, reset=True)

    async def connect(self, pair: Pair) -> None:
        """Makes the server's side; a refusal there is the client's reset."""
        pair.server = socket.socket()
        pair.server.setblocking(False)
        pair.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self.loop.sock_connect(pair.server, self.target)
        pair.tasks.append(self.loop.create_task(self.answers(pair)))

    async def requests(self, pair: Pair) -> None:
        """Client to server."""
        while True:
            data = await self.loop.sock_recv(pair.client, CHUNK)
            while self.mode == "deaf":
                await self.changed.wait()
            if pair.forgotten:
                if not data:
                    self.end(pair, reset=False)
                    return
                continue
            if self.mode == "garbage" and data:
                await self.loop.sock_sendall(pair.client, self.garbage)
                if self.hang_up:
                    self.end(pair, reset=False)
                    return
                continue
            if pair.server is None:
                if not data:
                    self.end(pair, reset=False)
                    return
                await self.connect(pair)
            assert pair.server is not None
            if not data:
                pair.server.shutdown(socket.SHUT_WR)
                return
            data, last = self.within_budget(data)
            self.look_for_pattern(pair, data)
            self.counts["bytes_to_server"] += len(data)
            await self.send(pair.server, data)
            if last:
                self.budget = None
                self.do_cut()
                return

    def within_budget(self, data: bytes) -> tuple[bytes, bool]:
        """What of the client's bytes may pass, and whether that is all before the cut."""
        if self.budget is None:
            return data, False
        allowed = data[: self.budget]
        self.budget -= len(allowed)
        return allowed, self.budget == 0

    def look_for_pattern(self, pair: Pair, data: bytes) -> None:
        """Arms the pair if the client's stream holds the pattern; before the bytes go to the server."""
        if self.pattern is None or self.losses <= 0:
            return
        if self.pattern in pair.tail + data:
            pair.armed, pair.tail = True, b""
        elif len(self.pattern) > 1:
            pair.tail = (pair.tail + data)[-(len(self.pattern) - 1) :]

    async def send(self, sock: socket.socket, data: bytes) -> None:
        """Sends at the set delay and rate."""
        if self.delay:
            await asyncio.sleep(self.delay)
        while self.rate and data:
            piece, data = data[: max(1, int(self.rate / 20))], data[max(1, int(self.rate / 20)) :]
            await asyncio.sleep(len(piece) / self.rate)
            await self.loop.sock_sendall(sock, piece)
        if data:
            await self.loop.sock_sendall(sock, data)

    async def answers(self, pair: Pair) -> None:
        """Server to client."""
        assert pair.server is not None
        try:
            while True:
                data = await self.loop.sock_recv(pair.server, CHUNK)
                while self.mode == "deaf":
                    await self.changed.wait()
                if pair.forgotten:
                    if not data:
                        return
                    continue
                if data and pair.armed and self.losses > 0:
                    self.losses -= 1
                    self.counts["lost_answers"] += 1
                    self.end(pair, reset=True)
                    return
                if self.mode == "swallow":
                    if data:
                        pair.spoiled = True
                        self.counts["lost_answers"] += 1
                        continue
                    pair.spoiled = True  # the end of the stream is an answer too
                    return
                if not data:
                    break
                self.counts["bytes_to_client"] += len(data)
                await self.send(pair.client, data)
            pair.client.shutdown(socket.SHUT_WR)
            await asyncio.wait([pair.tasks[0]])
            self.end(pair, reset=False)
        except OSError:
            self.end(pair, reset=True)


def obey(proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
    """Reads commands and has each carried out on the loop's thread; ends the loop with the input."""

    async def carry_out(command: dict[str, Any]) -> dict[str, int]:
        getattr(proxy, "do_" + command.pop("do"))(**command)
        return proxy.stats()

    for line in sys.stdin:
        counters = asyncio.run_coroutine_threadsafe(carry_out(json.loads(line)), loop).result()
        print(json.dumps(counters), flush=True)
    loop.call_soon_threadsafe(loop.stop)


def main() -> None:
    """Runs until the input ends."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    proxy = Proxy((sys.argv[1], int(sys.argv[2])), loop)
    proxy.listener.bind(("127.0.0.1", int(sys.argv[3])))
    proxy.do_listen()
    print(proxy.listener.getsockname()[1], flush=True)
    threading.Thread(target=obey, args=(proxy, loop), daemon=True).start()
    loop.run_forever()
    os._exit(0)  # connections end with the process; tasks that still run are of no interest


if __name__ == "__main__":
    main()
