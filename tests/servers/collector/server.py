"""One OpenTelemetry Collector: upstream's core and OTLP receiver, and an exporter that a test can read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from tests.servers.base import Server
from tests.servers.cache import Unavailable, built, fingerprint, run
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.tls import Authority

SOURCE = Path(__file__).parent / "go"


def find_go() -> Path:
    """The `go` program; its own distribution puts it where PATH may not look."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        raise Unavailable("go is not installed: run .ci/install-servers")
    return Path(go)


def build_collector() -> Path:
    """The Collector's program, built if the cache has none of these sources (a minute the first time)."""
    sources = [path for path in SOURCE.iterdir() if path.is_file()]
    return built("collector", fingerprint(sources), _build) / "collector"


def _build(folder: Path) -> None:
    command = [
        str(find_go()),
        "build",
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
        str(folder / "collector"),
        ".",
    ]
    run(command, cwd=SOURCE, env={"CGO_ENABLED": "0"})


class Arrived(NamedTuple):
    """One log record as the Collector wrote it: OTLP JSON objects, `resource` and `scope` its own."""

    record: dict[str, Any]
    scope: dict[str, Any]
    resource: dict[str, Any]


class OtelCollector(Server):
    """A real Collector with an OTLP receiver over HTTP and gRPC.

    It writes what it receives, as OTLP JSON, before it answers. With `authority` the receivers use TLS, and with
    `client_certificates` they demand a certificate of the authority's from clients. `processors` are processors'
    configurations in their order (upstream's `batch` is built in). With `token_file` requests must bear the token
    that is in that file at the time.
    """

    name = "collector"

    def __init__(
        self,
        *,
        authority: Authority | None = None,
        client_certificates: bool = False,
        processors: dict[str, Any] | None = None,
        max_request_body_size: int | None = None,
        token_file: Path | None = None,
    ) -> None:
        self._program = build_collector()
        super().__init__()
        self.host, self.http_port, self.grpc_port = "127.0.0.1", 0, 0
        self.authority, self._client_certificates = authority, client_certificates
        self._processors = processors or {}
        self._max_body = max_request_body_size
        self._token_file = token_file
        #: Files of OTLP JSON lines: what came over the network, what came from `lines_in`, and the latter itself.
        self.network_out = self.directory / "network.jsonl"
        self.lines_out = self.directory / "lines-out.jsonl"
        self.lines_in = self.directory / "lines-in.jsonl"
        for path in (self.network_out, self.lines_out, self.lines_in):
            path.touch()

    @property
    def endpoint(self) -> str:
        """The base URL of OTLP/HTTP; logs go to /v1/logs below it."""
        return f"{'https' if self.authority else 'http'}://{self.host}:{self.http_port}"

    @property
    def grpc_endpoint(self) -> str:
        """The address of OTLP/gRPC, with a scheme as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
        return f"{'https' if self.authority else 'http'}://{self.host}:{self.grpc_port}"

    @property
    def ca_certs(self) -> Path | None:
        """The certificate authority to trust, where it uses TLS."""
        return self.authority.ca if self.authority else None

    def choose_ports(self) -> None:
        """Two ports."""
        self.http_port, self.grpc_port = free_port(), free_port()

    def prepare(self) -> None:
        """Writes the configuration; JSON is YAML."""
        http: dict[str, Any] = {"endpoint": f"{self.host}:{self.http_port}"}
        grpc: dict[str, Any] = {"endpoint": f"{self.host}:{self.grpc_port}"}
        if self._max_body is not None:
            http["max_request_body_size"] = self._max_body
        if self.authority is not None:
            made = self.authority.issue(self.directory)
            tls = {"cert_file": str(made.certificate), "key_file": str(made.key)}
            if self._client_certificates:
                tls["client_ca_file"] = str(self.authority.ca)
            http["tls"] = grpc["tls"] = tls
        extensions: dict[str, Any] = {}
        if self._token_file is not None:
            extensions["token_file"] = {"path": str(self._token_file)}
            http["auth"] = grpc["auth"] = {"authenticator": "token_file"}
        receivers = {
            "otlp": {"protocols": {"http": http, "grpc": grpc}},
            "otlp_json_lines": {"path": str(self.lines_in)},
        }
        exporters = {
            "otlp_json_lines/network": {"path": str(self.network_out)},
            "otlp_json_lines/lines": {"path": str(self.lines_out)},
        }
        names = list(self._processors)
        pipelines = {
            "logs/network": {
                "receivers": ["otlp"],
                "processors": names,
                "exporters": ["otlp_json_lines/network"],
            },
            "logs/lines": {"receivers": ["otlp_json_lines"], "exporters": ["otlp_json_lines/lines"]},
        }
        config = {
            "extensions": extensions,
            "receivers": receivers,
            "processors": self._processors,
            "exporters": exporters,
        }
        service = {
            "extensions": list(extensions),
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": pipelines,
        }
        (self.directory / "config.yaml").write_text(json.dumps({**config, "service": service}))

    def command(self) -> list[str]:
        """In the foreground; it logs to its standard error."""
        return [str(self._program), "--config", str(self.directory / "config.yaml")]

    def ready(self, process: ServerProcess) -> bool:
        """Its own word for it."""
        return "Everything is ready" in process.output()

    def arrived(self, uid_prefix: str = "") -> list[Arrived]:
        """The records that came over the network, in the order of writing.

        With `uid_prefix` only those whose attribute `log.record.uid` begins so: many tests share a Collector.
        """
        return self._read(self.network_out, uid_prefix)

    def arrived_from_lines(self, uid_prefix: str = "") -> list[Arrived]:
        """The records that it read from `lines_in`; a line takes it some hundredths of a second.

        A restarted Collector reads its file again from the beginning.
        """
        return self._read(self.lines_out, uid_prefix)

    @staticmethod
    def _read(path: Path, uid_prefix: str) -> list[Arrived]:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        return [
            Arrived(record, scope.get("scope", {}), resource.get("resource", {}))
            for line in whole.splitlines()
            for resource in json.loads(line).get("resourceLogs", ())
            for scope in resource.get("scopeLogs", ())
            for record in scope.get("logRecords", ())
            if not uid_prefix or _uid(record).startswith(uid_prefix)
        ]


def _uid(record: dict[str, Any]) -> str:
    for attribute in record.get("attributes", ()):
        if attribute["key"] == "log.record.uid":
            return str(attribute["value"].get("stringValue", ""))
    return ""
