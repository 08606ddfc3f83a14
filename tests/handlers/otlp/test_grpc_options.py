"""The options of OTLP/gRPC."""

from __future__ import annotations

from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.handlers import OTLPHandler
from otel_stdlib.handlers.otlp import OTLPOptions

GENERAL, LOGS = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_LOGS_"


@pytest.mark.parametrize(
    ("given", "url", "name", "secure"),
    [
        ({}, "http://localhost:4317", "localhost:4317", False),
        ({"endpoint": "http://c:1/v1/logs"}, "http://c:1", "c:1", False),
        ({"endpoint": "https://c", "insecure": True}, "https://c", "c:443", True),
        ({"endpoint": "http://[::1]:4317"}, "http://[::1]:4317", "[::1]:4317", False),
        ({"endpoint": "c:4317"}, "https://c:4317", "c:4317", True),
        ({"endpoint": "c:4317", "insecure": True}, "http://c:4317", "c:4317", False),
        ({"endpoint": "unix:/run/c.sock", "insecure": True}, "unix:/run/c.sock", "unix:/run/c.sock", False),
    ],
)
def test_where_it_goes(given: dict[str, Any], url: str, name: str, secure: bool) -> None:
    """A scheme says whether there is TLS, and where there is none, ``insecure``."""
    options = OTLPOptions.of({"protocol": "grpc", **given})
    assert (url, name, secure) == (options.url, options.target, options.is_secure)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({GENERAL + "PROTOCOL": "grpc"}, "http://localhost:4317"),
        ({GENERAL + "PROTOCOL": "grpc", GENERAL + "ENDPOINT": "http://c:4317/"}, "http://c:4317"),
        ({GENERAL + "PROTOCOL": "grpc", GENERAL + "ENDPOINT": "c:1", GENERAL + "INSECURE": "TRUE"}, "http://c:1"),
        ({GENERAL + "PROTOCOL": "grpc", LOGS + "ENDPOINT": "c:1", LOGS + "INSECURE": "1"}, "https://c:1"),
        ({GENERAL + "PROTOCOL": "grpc", LOGS + "PROTOCOL": "http/json"}, "http://localhost:4318/v1/logs"),
        ({GENERAL + "ENDPOINT": "http://c:1", GENERAL + "INSECURE": "true"}, "http://c:1/v1/logs"),
    ],
)  # fmt: skip
def test_the_environment(environ: dict[str, str], url: str) -> None:
    """OpenTelemetry's variables, with a general endpoint that gets no path."""
    assert url == OTLPOptions.of({}, environ).url


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("endpoint", "c"),
        ("endpoint", "ftp://c"),
        ("endpoint", "http://joe:hunter2@c"),
        ("endpoint", "http://c:hunter2"),
        ("insecure", "yes"),
        ("compression", "deflate"),
        ("headers", {"grpc-timeout": "hunter2"}),
        ("headers", {"a-bin": "hunter2"}),
        ("headers", {"a": "hunter2 ż".encode().decode("latin-1")}),
        ("retry_statuses", [401]),
        ("retry_statuses", ["NO_SUCH"]),
    ],
)
def test_a_wrong_value_is_refused_by_name(option: str, value: Any) -> None:
    """Every check quotes its option, and no secret."""
    with pytest.raises(ConfigError) as caught:
        OTLPOptions.of({"protocol": "grpc", option: value})
    assert option == caught.value.option
    assert repr(option) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_wrong_variable_is_named() -> None:
    """Without its text."""
    with pytest.raises(ConfigError, match=GENERAL + "ENDPOINT") as caught:
        OTLPOptions.of({"protocol": "grpc"}, {GENERAL + "ENDPOINT": "http://joe:hunter2@c"})
    assert "hunter2" not in str(caught.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the line for pip."""
    monkeypatch.setattr("otel_stdlib.handlers.otlp.channel.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"otel_stdlib\[otlp-grpc\]"):
        OTLPHandler(protocol="grpc")
    OTLPHandler()
