"""One Elasticsearch node in a JVM of its own."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from tests.servers.base import Server
from tests.servers.elasticsearch.build import JAVA, build_elasticsearch
from tests.servers.java import SMALL_JVM, class_archive, find_java
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.tls import Authority

SETTINGS = {
    "cluster.name": "test",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}

JVM = (
    *SMALL_JVM,
    "--enable-native-access=ALL-UNNAMED",
    "-Des.distribution.type=tar",
    "-Dfile.encoding=UTF-8",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    # the native vector library is not among the published jars
    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
)

LOG4J = """\
status = error
appender.f.type = File
appender.f.name = f
appender.f.fileName = {log}
appender.f.layout.type = PatternLayout
appender.f.layout.pattern = [%d{{ISO8601}}][%-5p][%c{{1.}}] %m%n
rootLogger.level = info
rootLogger.appenderRef.f.ref = f
"""


class Answer(NamedTuple):
    """What the server said: the HTTP status and the JSON body (None if there is none)."""

    status: int
    body: Any


def _properties(values: dict[str, str]) -> str:
    return "".join("{}={}\n".format(key, value.replace("\\", "\\\\")) for key, value in values.items())


class Elasticsearch(Server):
    """A real single-node Elasticsearch.

    `settings` are any node settings, as in elasticsearch.yml (`http.max_content_length: 64kb`). With `password`
    security is on, and that is the password of the superuser `elastic`; with `authority` as well it speaks
    HTTPS, with a certificate that has `expired` if asked. `jvm` replaces the options that make the start quick.
    """

    name = "elasticsearch"

    def __init__(
        self,
        settings: dict[str, str] | None = None,
        *,
        password: str | None = None,
        authority: Authority | None = None,
        expired: bool = False,
        heap: str = "512m",
        jvm: list[str] | None = None,
    ) -> None:
        if authority is not None and password is None:
            raise ValueError("authority needs password: without security there is no TLS")
        self._java = find_java(JAVA)
        self._home = build_elasticsearch()
        self._jvm = class_archive(self.name, self._java, self._home, _rehearse) if jvm is None else jvm
        super().__init__()
        self.host, self.port, self.user, self.password = "127.0.0.1", 0, "elastic", password
        self._settings = {**SETTINGS, **(settings or {})}
        self.authority, self._heap = authority, heap
        #: Whether the certificate from the next start on is one that ended yesterday.
        self.expired_certificate = expired

    @property
    def url(self) -> str:
        """Where it listens, without credentials."""
        return f"{'https' if self.authority else 'http'}://{self.host}:{self.port}"

    @property
    def ca_certs(self) -> Path | None:
        """The certificate authority to trust, where it speaks HTTPS."""
        return self.authority.ca if self.authority else None

    def choose_ports(self) -> None:
        """One port for HTTP; the transport port takes part in nothing and is the kernel's choice."""
        self.port = free_port()

    def prepare(self) -> None:
        """Writes the node's configuration."""
        config = self.directory / "config"
        config.mkdir(exist_ok=True)
        (self.directory / "ready").unlink(missing_ok=True)
        settings = {**self._settings, "http.port": str(self.port)}
        settings["xpack.security.enabled"] = "true" if self.password else "false"
        if self.authority is not None:
            made = self.authority.issue(config, name="http", expired=self.expired_certificate)
            settings["xpack.security.http.ssl.enabled"] = "true"
            settings["xpack.security.http.ssl.certificate"] = str(made.certificate)
            settings["xpack.security.http.ssl.key"] = str(made.key)
        secrets = {"bootstrap.password": self.password} if self.password else {}
        (config / "node.properties").write_text(_properties(settings))
        (config / "secrets.properties").write_text(_properties(secrets))
        (config / "log4j2.properties").write_text(LOG4J.format(log=self.log))

    def command(self) -> list[str]:
        """The JVM with the launcher."""
        heap = [f"-Xms{self._heap}", f"-Xmx{self._heap}"]
        classpath = ["-cp", f"{self._home}/lib/*", f"-Des.path.home={self._home}"]
        return [
            str(self._java),
            *heap,
            *JVM,
            *self._jvm,
            *classpath,
            "TestNode",
            str(self._home),
            str(self.directory),
        ]

    def ready(self, process: ServerProcess) -> bool:
        """The launcher leaves a file when the node's state is recovered and security can log users in."""
        return (self.directory / "ready").exists()

    def request(
        self, method: str, path: str, body: Any = None, *, timeout: float = 60.0, user: str | None = None
    ) -> Answer:
        """One request, as the superuser where security is on, over a connection of its own.

        `body` is sent as JSON; bytes as they are, as NDJSON. `user` is "name:password" of somebody else. Raises
        OSError if the server cannot be reached. Logs nothing, unlike the official client.
        """
        connection = self._connection(timeout)
        headers = {"content-type": "application/json"}
        if isinstance(body, bytes):
            headers["content-type"] = "application/x-ndjson"
        elif body is not None:
            body = json.dumps(body).encode()
        if self.password:
            credentials = user or f"{self.user}:{self.password}"
            headers["authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        is_json = "json" in response.headers.get("content-type", "")
        return Answer(response.status, json.loads(data) if data and is_json else data.decode() or None)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self.authority is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        if self.expired_certificate:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def hits(self, index: str, size: int = 10_000) -> list[dict[str, Any]]:
        """All documents of an index or pattern (at most `size`), after a refresh: `_index`, `_id`, `_source`."""
        self.request("POST", f"/{index}/_refresh")
        answer = self.request("POST", f"/{index}/_search", {"size": size, "query": {"match_all": {}}})
        if answer.status == 404:
            return []
        found: list[dict[str, Any]] = answer.body["hits"]["hits"]
        return found

    def count(self, index: str) -> int:
        """How many documents an index or pattern has, after a refresh; 0 if there is no such index."""
        self.request("POST", f"/{index}/_refresh")
        answer = self.request("GET", f"/{index}/_count")
        return int(answer.body["count"]) if answer.status == 200 else 0


def _rehearse(option: str) -> None:
    """One short life, so that the JVM records which classes a node loads."""
    with Elasticsearch(jvm=[option]) as node:
        lines: list[dict[str, Any]] = [{"create": {"_index": "rehearsal"}}, {"text": "words"}]
        node.request("POST", "/_bulk", b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        node.hits("rehearsal")
        node.stop()


def prepare_elasticsearch() -> Path:
    """Builds all that a start needs, so that the first test need not wait; the home folder."""
    node = Elasticsearch()
    node.close()
    return build_elasticsearch()
