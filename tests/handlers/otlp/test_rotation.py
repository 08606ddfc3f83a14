"""A token that is rotated at a Collector and in its file, over HTTP and gRPC."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers.otlp import OTLPDestination, OTLPOptions
from otel_stdlib.handlers.otlp.options import GRPC
from tests.handlers.otlp.parts import Gateway, make_batch, numbered
from tests.handlers.otlp.test_faults import arrived
from tests.handlers.rotation import counted, put, rotating
from tests.servers.collector import OtelCollector


@pytest.mark.parametrize("protocol", ["http/protobuf", GRPC])
def test_a_rotated_token_is_read_again(
    otel_collector_node: Callable[..., OtelCollector],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    protocol: str,
) -> None:
    """401 and UNAUTHENTICATED until the file has the new one; then everything that waited is taken."""
    first = secrets.token_urlsafe(12)
    wanted = tmp_path / "wanted"
    put(wanted, first)
    node = otel_collector_node(token_file=wanted)

    def handler(variable: str) -> dict[str, Any]:
        return {
            "class": "otel_stdlib.handlers.OTLPHandler",
            "endpoint": node.grpc_endpoint if protocol == GRPC else node.endpoint,
            "protocol": protocol,
            "headers": {"authorization": f"Bearer {variable}"},
        }

    def change() -> str:
        token = secrets.token_urlsafe(12)
        put(wanted, token)
        return token

    with rotating(tmp_path, handler, first) as rotation:
        rotation.survives(change, lambda: counted(body for body, _ in arrived(node, "")), capsys)


def test_renewed_variables_are_read_again(server: Gateway) -> None:
    """``OTEL_EXPORTER_OTLP_HEADERS`` of now, when a destination is opened again; the endpoint stays."""
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer one"}
    target = OTLPDestination(OTLPOptions.of({"endpoint": server.url}, environ))
    sent = []
    for token in ("one", "two"):
        environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer {token}"
        target.open()
        assert target.deliver(make_batch(numbered(1))) is None
        sent.append(server.requests[-1].headers["authorization"])
    target.close()
    assert ["Bearer one", "Bearer two"] == sent
