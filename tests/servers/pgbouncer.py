"""A real PgBouncer in transaction mode, in front of a test's PostgreSQL."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from tests.servers.base import Server
from tests.servers.cache import Unavailable
from tests.servers.ports import free_port
from tests.servers.postgres import Database, Postgres, server_user
from tests.servers.process import ServerProcess

SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "pool_mode": "transaction",
    "auth_type": "plain",
    "max_client_conn": "200",
    "default_pool_size": "10",
    # what drivers send at connect and PgBouncer does not track
    "ignore_startup_parameters": "extra_float_digits",
}


def find_pgbouncer() -> Path:
    """The program; Debian puts it where ordinary users' PATH does not look."""
    for candidate in (shutil.which("pgbouncer"), "/usr/sbin/pgbouncer"):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise Unavailable("no pgbouncer: apt-get install pgbouncer, or run .ci/install-servers")


class PgBouncer(Server):
    """A pooler for `server`; `settings` are lines of pgbouncer.ini's main section."""

    name = "pgbouncer"
    stop_signal = signal.SIGTERM

    def __init__(self, server: Postgres, settings: dict[str, str] | None = None) -> None:
        self._program = find_pgbouncer()
        super().__init__(user=server_user())
        self.host, self.port = "127.0.0.1", 0
        self._server = server
        self._settings = {**SETTINGS, **(settings or {})}

    def choose_ports(self) -> None:
        """One port."""
        self.port = free_port()

    def prepare(self) -> None:
        """Writes the configuration: any database of the server, with the server's own user."""
        users = self.directory / "users.txt"
        users.write_text(f'"{self._server.user}" "{self._server.password}"\n')
        lines = {**self._settings, "listen_port": str(self.port), "auth_file": str(users)}
        text = f"[databases]\n* = host={self._server.host} port={self._server.port}\n\n[pgbouncer]\n"
        text += "".join(f"{key} = {value}\n" for key, value in lines.items())
        (self.directory / "pgbouncer.ini").write_text(text)

    def command(self) -> list[str]:
        """In the foreground; it logs to its standard error."""
        return [str(self._program), str(self.directory / "pgbouncer.ini")]

    def ready(self, process: ServerProcess) -> bool:
        """Its own word for it."""
        return "process up" in process.output()

    def through(self, database: Database) -> Database:
        """The same database behind the pooler."""
        return database.through(self.port)
