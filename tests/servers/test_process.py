from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.servers.base import Server
from tests.servers.cache import BuildError, Unavailable, fingerprint, run
from tests.servers.ports import accepts, free_port
from tests.servers.process import ServerError, ServerProcess, until
from tests.servers.require import REQUIRE, missing

ROOT = Path(__file__).parents[2]
LISTENER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", flush=True)
while True:
    connection, _ = listener.accept()
    connection.close()
"""


class Listener(Server):
    """The smallest server: it accepts and closes."""

    name = "listener"

    def __init__(self, source: str = LISTENER) -> None:
        super().__init__()
        self.source, self.tried = source, list[int]()

    def choose_ports(self) -> None:
        """One port, and a note of each choice."""
        self.tried.append(free_port())

    def command(self) -> list[str]:
        """Our own Python."""
        return [sys.executable, "-I", "-S", "-c", self.source, str(self.tried[-1])]

    def ready(self, process: ServerProcess) -> bool:
        """It says so."""
        return "up" in process.output()


def gone(pid: int) -> bool:
    """Whether no such process is left, or only its entry."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class TestServer:
    def test_lives_through_stop_kill_and_pause(self) -> None:
        """Each end is an end, each start is on the same port, and nothing is left at the close."""
        with Listener() as server:
            port = server.tried[-1]
            for end in (server.stop, server.kill):
                pid = server.pid
                assert accepts(port)
                end()
                assert not server.running
                assert gone(pid)
                assert not accepts(port)
                with pytest.raises(ServerError, match="does not run"):
                    _ = server.pid
                server.start()
            server.pause()
            assert until(lambda: Path(f"/proc/{server.pid}/stat").read_text().split()[2] == "T", 10)
            server.ensure_running()
            assert accepts(port)
            server.kill()
            server.ensure_running()
            assert accepts(port)
            pid = server.pid
        assert server.tried == [port]
        assert gone(pid)
        assert not server.directory.exists()
        server.close()

    def test_outlives_the_thread_that_started_it(self) -> None:
        """The start may come from a thread that ends."""
        with Listener() as server:
            server.stop()
            thread = threading.Thread(target=server.start)
            thread.start()
            thread.join()
            assert accepts(server.tried[-1])

    def test_a_taken_port_is_not_the_end(self) -> None:
        """A first start that fails is tried again on other ports."""
        server = Listener()
        with socket.create_server(("127.0.0.1", 0)) as thief:
            choose = server.choose_ports

            def choose_badly_once() -> None:
                choose()
                if len(server.tried) == 1:
                    server.tried[0] = thief.getsockname()[1]

            server.choose_ports = choose_badly_once  # type: ignore[method-assign]
            with server:
                assert len(server.tried) == 2
                assert accepts(server.tried[1])

    def test_a_failed_start_shows_the_log(self) -> None:
        """The error has the server's last words and its status; nothing is left running."""
        server = Listener("import sys; sys.exit('no such luck')")
        with pytest.raises(ServerError, match=r"status 1(.|\n)*no such luck"), server:
            raise AssertionError("it has started")
        assert not server.running
        assert len(server.tried) == 3
        assert not server.directory.exists()

    def test_a_late_start_is_ended(self, tmp_path: Path) -> None:
        """A server that is not ready in time is killed."""
        late = ServerProcess([sys.executable, "-I", "-c", "import time; time.sleep(600)"], tmp_path / "log")
        with pytest.raises(ServerError, match="not ready after 0 s"):
            late.wait_ready(lambda: False, 0.1)
        assert gone(late.pid)
        assert late.status == 128 + signal.SIGKILL

    def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        """What cannot be executed is an error at once."""
        with pytest.raises(ServerError, match="no-such-program"):
            ServerProcess(["/no-such-program"], tmp_path / "log")

    def test_dies_with_a_killed_test_run(self) -> None:
        """SIGKILL to the test run ends its servers and removes their folders."""
        script = (
            "from tests.servers.test_process import Listener\n"
            "server = Listener(); server.start()\n"
            "print(server.pid, server.directory, flush=True)\n"
            "input()\n"
        )
        command = [sys.executable, "-c", script]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            pid, directory = run.stdout.readline().split()
            assert not gone(int(pid))
            run.kill()
        assert until(lambda: gone(int(pid)), 30)
        assert until(lambda: not Path(directory).exists(), 30)


class TestPorts:
    def test_never_twice_and_free(self) -> None:
        """Ports differ, nothing listens on them, and the kernel does not give them to clients."""
        ports = [free_port() for _ in range(50)]
        assert len(set(ports)) == 50
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        assert all(port < low for port in ports)
        assert not any(accepts(port) for port in ports[:5])


class TestMissing:
    def test_skips_with_the_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the demand a missing server is a skip that names what is missing."""
        monkeypatch.delenv(REQUIRE, raising=False)
        with pytest.raises(pytest.skip.Exception, match="Kafka cannot be had: no java"):
            missing("Kafka", Unavailable("no java"))

    def test_fails_where_servers_are_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With it, a failure."""
        monkeypatch.setenv(REQUIRE, "1")
        with pytest.raises(pytest.fail.Exception, match="no java"):
            missing("Kafka", Unavailable("no java"))


class TestBuilds:
    BUILD = (
        "import sys, time; from tests.servers.cache import built\n"
        "def build(folder):\n"
        "    time.sleep(0.2); (folder / 'made').write_text('x'); print('built')\n"
        "print(built('thing', 'key', build))\n"
    )

    def test_two_runs_build_once(self, tmp_path: Path) -> None:
        """Of two runs at once one builds and the other waits for it."""
        env = {**os.environ, "OTEL_STDLIB_SERVER_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", self.BUILD]
        runs = [
            subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        said = [run.communicate(timeout=60)[0].split() for run in runs]
        place = str(tmp_path / "thing-key")
        assert sorted(said, key=len) == [[place], ["built", place]]
        assert (tmp_path / "thing-key" / "made").read_text() == "x"

    def test_a_failed_build_leaves_nothing(self, tmp_path: Path) -> None:
        """What is half built is never found by the next run."""
        env = {**os.environ, "OTEL_STDLIB_SERVER_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", self.BUILD.replace("print('built')", "raise OSError")]
        assert subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False).returncode == 1
        assert [path.name for path in tmp_path.iterdir()] == ["thing.lock"]

    def test_a_failed_step_shows_its_output(self) -> None:
        """The error names the command and shows the end of what it printed."""
        with pytest.raises(BuildError, match=r"status 3(.|\n)*the reason"):
            run(["sh", "-c", "echo the reason >&2; exit 3"])
        with pytest.raises(BuildError, match="no-such-program"):
            run(["no-such-program"])

    def test_fingerprint_follows_content_and_name(self, tmp_path: Path) -> None:
        """A changed source makes another build, the order of files does not."""
        one, two = tmp_path / "one", tmp_path / "two"
        one.write_text("1")
        two.write_text("2")
        first = fingerprint([one, two])
        assert first == fingerprint([two, one])
        two.write_text("3")
        assert first != fingerprint([one, two])
