from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.servers.process import until
from tests.servers.proxy import Proxy


class Echo:
    """A server that answers each piece with the same bytes and keeps all that it got."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = b""
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        """Takes connections until the listener is shut down."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection: socket.socket) -> None:
        """Answers one client until it has gone."""
        with connection:
            try:
                while data := connection.recv(65536):
                    with self.lock:
                        self.got += data
                    connection.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        """Ends the listener and waits for every connection's thread."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """An echo server."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def door(echo: Echo, proxy: Callable[[str, int], Proxy]) -> Iterator[Proxy]:
    """A proxy in front of the echo server."""
    made = proxy("127.0.0.1", echo.port)
    yield made
    made.close()  # before the echo server, whose threads end with their connections


def dial(door: Proxy) -> socket.socket:
    """A connection through the proxy."""
    return socket.create_connection((door.host, door.port), timeout=20)


def ask(client: socket.socket, data: bytes) -> bytes:
    """Sends and reads as many bytes back."""
    client.sendall(data)
    return read(client, len(data))


def read(client: socket.socket, size: int) -> bytes:
    """Reads `size` bytes, fewer only at the end of the stream."""
    got = b""
    while len(got) < size:
        piece = client.recv(size - len(got))
        if not piece:
            break
        got += piece
    return got


class TestPass:
    def test_forwards_both_ways_and_counts(self, door: Proxy) -> None:
        """Bytes arrive unchanged, and the counters say how many and on how many connections."""
        data = bytes(range(256)) * 4096
        with dial(door) as one, dial(door) as two:
            sender = threading.Thread(target=one.sendall, args=(data,))
            sender.start()
            assert read(one, len(data)) == data
            sender.join()
            assert ask(two, b"hello") == b"hello"
            traffic = door.traffic
        assert (traffic.connections, traffic.open) == (2, 2)
        assert traffic.bytes_to_server == traffic.bytes_to_client == len(data) + 5
        door.wait_for(lambda t: t.open == 0)

    def test_passes_a_half_close_on(self, door: Proxy) -> None:
        """A client that has shut down its sending side still gets its answer and then the end."""
        with dial(door) as client:
            client.sendall(b"last words")
            client.shutdown(socket.SHUT_WR)
            assert read(client, 100) == b"last words"

    def test_a_dead_target_is_a_reset(self, door: Proxy, echo: Echo) -> None:
        """A target that refuses shows as a connection that is accepted and then, maybe at once, reset."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            door.target("127.0.0.1", free.getsockname()[1])
        with pytest.raises(ConnectionResetError), dial(door) as client:
            client.recv(1)
        door.target("127.0.0.1", echo.port)
        with dial(door) as client:
            assert ask(client, b"back") == b"back"


class TestRefuse:
    def test_refuses_new_and_keeps_old(self, door: Proxy) -> None:
        """While it refuses, an open connection works and a new one is refused; then the port is back."""
        with dial(door) as old:
            assert ask(old, b"a") == b"a"
            door.refuse()
            with pytest.raises(ConnectionRefusedError):
                dial(door)
            assert ask(old, b"b") == b"b"
        door.listen()
        with dial(door) as client:
            assert ask(client, b"c") == b"c"

    def test_stop_and_start_keep_the_port(self, door: Proxy) -> None:
        """A stopped proxy resets and refuses; its port is still its own, ten times over."""
        for _ in range(10):
            client = dial(door)
            assert ask(client, b"x") == b"x"
            door.stop()
            with client, pytest.raises(ConnectionResetError):
                client.recv(1)
            with pytest.raises(ConnectionRefusedError):
                dial(door)
            with socket.socket() as thief, pytest.raises(OSError, match="in use"):
                thief.bind((door.host, door.port))
            door.start()


class TestCut:
    def test_resets_all(self, door: Proxy) -> None:
        """Every open connection sees a reset, not an end of file; a new one is welcome."""
        clients = [dial(door) for _ in range(5)]
        for client in clients:
            assert ask(client, b"x") == b"x"
        door.cut()
        for client in clients:
            with client, pytest.raises(ConnectionResetError):
                client.recv(1)
        assert door.traffic.cuts == 5
        with dial(door) as client:
            assert ask(client, b"y") == b"y"

    def test_after_some_bytes(self, door: Proxy, echo: Echo) -> None:
        """The server gets exactly the bytes that were allowed, then all is reset once."""
        door.cut_after(3)
        with dial(door) as client, pytest.raises(ConnectionResetError):
            ask(client, b"abcdef")
        assert until(lambda: echo.got == b"abc", 20)
        with dial(door) as client:
            assert ask(client, b"again") == b"again"
        assert echo.got == b"abcagain"


class TestDeaf:
    def test_withholds_and_lets_go(self, door: Proxy, echo: Echo) -> None:
        """Nothing gets through on old or new connections; all of it does when the proxy hears again."""
        with dial(door) as old:
            assert ask(old, b"1") == b"1"
            door.deaf()
            with dial(door) as new:
                for client in (old, new):
                    client.sendall(b"2")
                    client.settimeout(0.1)
                    with pytest.raises(TimeoutError):
                        client.recv(1)
                    client.settimeout(20)
                assert echo.got == b"1"
                door.pass_through()
                assert (read(old, 1), read(new, 1)) == (b"2", b"2")


class TestSlow:
    def test_rate_and_delay_are_lower_bounds(self, door: Proxy) -> None:
        """A slowed answer is not there at once, and is complete in the end."""
        with dial(door) as client:
            for options in ({"bytes_per_second": 10_000.0}, {"delay": 0.2}):
                door.slow(**options)
                client.sendall(b"z" * 2000)
                client.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(20)
                assert read(client, 2000) == b"z" * 2000

    def test_passing_again_frees_what_was_held(self, door: Proxy) -> None:
        """A piece that would take hours at the old rate goes on when the rate is lifted."""
        with dial(door) as client:
            door.slow(bytes_per_second=100)
            client.sendall(b"z" * 100_000)
            door.wait_for(lambda t: t.bytes_to_server > 0)
            door.pass_through()
            assert read(client, 100_000) == b"z" * 100_000


class TestLostAnswers:
    def test_swallow_keeps_the_connection_open(self, door: Proxy, echo: Echo) -> None:
        """The server gets the request, the client gets nothing, and is reset when the mode ends."""
        with dial(door) as client:
            assert ask(client, b"a") == b"a"
            door.swallow_answers()
            client.sendall(b"b")
            door.wait_for(lambda t: t.lost_answers >= 1)
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(1)
            assert echo.got == b"ab"
            client.settimeout(20)
            door.pass_through()
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    @pytest.mark.parametrize("fresh", [False, True])
    def test_loses_the_next_answer_once(self, door: Proxy, echo: Echo, fresh: bool) -> None:
        """The server has the request, the client a reset instead of the answer; the next one passes."""
        client = dial(door)
        if not fresh:
            assert ask(client, b"0") == b"0"
        door.lose_answer()
        with client, pytest.raises(ConnectionResetError):
            ask(client, b"1")
        assert echo.got.endswith(b"1")
        assert door.traffic.lost_answers == 1
        with dial(door) as client:
            assert ask(client, b"2") == b"2"

    def test_loses_the_answer_to_one_request(self, door: Proxy, echo: Echo) -> None:
        """Only the answer after the pattern is lost, though the pattern comes in two pieces."""
        door.lose_answer(to=b"COMMIT")
        with dial(door) as other, dial(door) as client:
            assert ask(other, b"BEGIN") == b"BEGIN"
            assert ask(client, b"INSERT; COM") == b"INSERT; COM"
            with pytest.raises(ConnectionResetError):
                ask(client, b"MIT")
            assert ask(other, b"COMMIT") == b"COMMIT"
        assert b"COMMIT" in echo.got


class TestGarbage:
    def test_noise_and_the_end(self, door: Proxy, echo: Echo) -> None:
        """The client gets noise and the end of the stream; the server hears nothing."""
        door.garbage()
        with dial(door) as client:
            client.sendall(b"question")
            noise = read(client, 1000)
        assert len(noise) == 512
        assert echo.got == b""

    def test_given_bytes_on_an_open_connection(self, door: Proxy, echo: Echo) -> None:
        """The test's own bytes answer each piece, and the connection stays."""
        with dial(door) as client:
            assert ask(client, b"first") == b"first"
            door.garbage(b"HTTP/1.1 200 OK\r\n\r\n", hang_up=False)
            for _ in range(2):
                client.sendall(b"x")
                assert read(client, 19) == b"HTTP/1.1 200 OK\r\n\r\n"
        assert echo.got == b"first"


def test_close_is_idempotent_and_final(echo: Echo) -> None:
    """After close() the port refuses and nothing is left to stop."""
    with Proxy("127.0.0.1", echo.port) as door:
        with dial(door) as client:
            assert ask(client, b"x") == b"x"
        door.close()
        with pytest.raises(ConnectionRefusedError):
            dial(door)
