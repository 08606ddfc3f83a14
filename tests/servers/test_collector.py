from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.servers.collector import OtelCollector
from tests.servers.process import until
from tests.servers.tls import Authority


@pytest.fixture
def uid() -> str:
    """A uid that no other test has."""
    return secrets.token_hex(8)


def logs(uid: str, *bodies: str) -> bytes:
    """One resource's log records as OTLP JSON."""
    records = [
        {
            "timeUnixNano": "1700000000123456789",
            "body": {"stringValue": body},
            "attributes": [{"key": "log.record.uid", "value": {"stringValue": f"{uid}-{n}"}}],
        }
        for n, body in enumerate(bodies)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "tests"}}]}
    scopes = [{"scope": {"name": "a.logger"}, "logRecords": records}]
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": scopes}]}).encode()


def post(collector: OtelCollector, body: bytes, context: ssl.SSLContext | None = None) -> int:
    """Sends OTLP/HTTP; the status."""
    header = {"content-type": "application/json"}
    request = urllib.request.Request(f"{collector.endpoint}/v1/logs", body, header)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def bodies(found: list[Any]) -> list[str]:
    """The bodies of what arrived."""
    return [item.record["body"]["stringValue"] for item in found]


def test_writes_what_it_receives_before_it_answers(otel_collector: OtelCollector, uid: str) -> None:
    """After the answer the records can be read, with resource, scope and exact nanoseconds."""
    assert post(otel_collector, logs(uid, "one", "two")) == 200
    found = otel_collector.arrived(uid)
    assert bodies(found) == ["one", "two"]
    assert found[0].record["timeUnixNano"] == "1700000000123456789"
    assert found[0].scope == {"name": "a.logger"}
    assert found[0].resource["attributes"][0]["value"] == {"stringValue": "tests"}
    assert post(otel_collector, b"not json") == 400


def test_follows_a_file_of_lines(otel_collector: OtelCollector, uid: str) -> None:
    """Lines appended to its file arrive one by one; a bad one is passed over."""
    with otel_collector.lines_in.open("ab") as file:
        file.write(logs(uid, "first") + b"\nbad\n" + logs(uid, "second") + b"\n")
    assert until(lambda: len(otel_collector.arrived_from_lines(uid)) >= 2, 30)
    assert bodies(otel_collector.arrived_from_lines(uid)) == ["first", "second"]


def test_killed_and_restarted_keeps_what_it_answered(otel_collector: OtelCollector, uid: str) -> None:
    """SIGKILL after the answer loses nothing; the ports are the same."""
    ports = otel_collector.http_port, otel_collector.grpc_port
    assert post(otel_collector, logs(uid, "before")) == 200
    otel_collector.kill()
    with pytest.raises(OSError, match="refused"):
        post(otel_collector, logs(uid, "lost"))
    otel_collector.start()
    assert (otel_collector.http_port, otel_collector.grpc_port) == ports
    assert post(otel_collector, logs(uid, "after")) == 200
    assert bodies(otel_collector.arrived(uid)) == ["before", "after"]


def test_grpc(otel_collector: OtelCollector, uid: str) -> None:
    """OTLP/gRPC on the other port."""
    grpc = pytest.importorskip("grpc")
    service = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
    request = service.ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "by grpc"
    record.attributes.add(key="log.record.uid").value.string_value = uid
    with grpc.insecure_channel(f"127.0.0.1:{otel_collector.grpc_port}") as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            request_serializer=service.ExportLogsServiceRequest.SerializeToString,
            response_deserializer=service.ExportLogsServiceResponse.FromString,
        )
        export(request, timeout=30)
    assert bodies(otel_collector.arrived(uid)) == ["by grpc"]


def test_own_collector_with_client_certificates(
    otel_collector_node: Callable[..., OtelCollector], authority: Authority, uid: str
) -> None:
    """A Collector of the test's own can demand client certificates, limit bodies, and batch."""
    node = otel_collector_node(
        authority=authority,
        client_certificates=True,
        processors={"batch": {"timeout": "10ms"}},
        max_request_body_size=2000,
    )
    context = ssl.create_default_context(cafile=str(node.ca_certs))
    with pytest.raises(OSError, match=r"(?i)certificate|reset|pipe|EOF"):
        post(node, logs(uid, "stranger"), context)
    own = authority.issue(node.directory, name="client")
    context.load_cert_chain(own.certificate, own.key)
    assert post(node, logs(uid, "friend"), context) == 200
    assert post(node, logs(uid, "x" * 3000), context) in {400, 413}
    assert until(lambda: bodies(node.arrived(uid)) == ["friend"], 30)
