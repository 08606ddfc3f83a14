from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import OTLPHandler
from otel_stdlib.handlers.otlp import OTLPOptions
from otel_stdlib.handlers.otlp.destination import identity_of

GENERAL, LOGS = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_LOGS_"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:4318/v1/logs"),
        ({GENERAL + "ENDPOINT": "http://c:4318"}, "http://c:4318/v1/logs"),
        ({GENERAL + "ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/logs"),
        ({GENERAL + "ENDPOINT": "https://c/otlp/"}, "https://c/otlp/v1/logs"),
        ({LOGS + "ENDPOINT": "http://c:4318"}, "http://c:4318/"),
        ({LOGS + "ENDPOINT": "http://c/in/logs/"}, "http://c/in/logs/"),
        ({LOGS + "ENDPOINT": "http://l/x", GENERAL + "ENDPOINT": "http://g"}, "http://l/x"),
        ({LOGS + "ENDPOINT": " ", GENERAL + "ENDPOINT": "http://g"}, "http://g/v1/logs"),
    ],
)
def test_the_endpoint_of_the_environment(environ: dict[str, str], url: str) -> None:
    """The general one is a base, that of logs is used as it stands; an empty one is none."""
    assert url == OTLPOptions.of({}, environ).url


def test_the_endpoint_option() -> None:
    """An option wins over the environment; without a path it is a base, with one it is used as it stands."""
    environ = {LOGS + "ENDPOINT": "http://env/x"}
    assert "http://c:4318/v1/logs" == OTLPOptions.of({"endpoint": "http://c:4318"}, environ).url
    assert "http://c:4318/" == OTLPOptions.of({"endpoint": "http://c:4318/"}, environ).url
    assert "http://[::1]:4318/x" == OTLPOptions(endpoint="http://[::1]:4318/x").url


def test_every_variable() -> None:
    """Each has its option, and that of logs wins."""
    names = {
        "PROTOCOL": "http/json",
        "HEADERS": "api-key=a%20b,X-Scope-OrgID=acme, ,broken",
        "TIMEOUT": "3",
        "COMPRESSION": "gzip",
        "CERTIFICATE": "/ca.pem",
        "CLIENT_CERTIFICATE": "/client.pem",
        "CLIENT_KEY": "/client.key",
    }
    for prefix in (GENERAL, LOGS):
        environ = {prefix + name: value for name, value in names.items()}
        if prefix == LOGS:
            environ |= {GENERAL + name: "not used" for name in names}
        options = OTLPOptions.of({}, environ)
        assert ("http/json", 3.0, "gzip") == (options.protocol, options.timeout, options.compression)
        assert {"api-key": "a b", "x-scope-orgid": "acme"} == options.sent_headers
        assert ("/ca.pem", "/client.pem", "/client.key") == (
            options.certificate,
            options.client_certificate,
            options.client_key,
        )


@pytest.mark.parametrize(("text", "seconds"), [("10", 10.0), ("0.5", 0.5), ("10000", 10.0), ("1000", 1.0)])
def test_timeouts_in_seconds_or_milliseconds(text: str, seconds: float) -> None:
    """The Python SDK's seconds, and the specification's milliseconds where they can be nothing else."""
    assert seconds == OTLPOptions.of({}, {GENERAL + "TIMEOUT": text}).timeout


@pytest.mark.parametrize(
    ("name", "value"),
    [("ENDPOINT", "collector:4318"), ("PROTOCOL", "http/xml"), ("TIMEOUT", "soon"), ("COMPRESSION", "zstd")],
)
def test_a_wrong_variable_is_an_error(name: str, value: str) -> None:
    """It shows where the handler is made."""
    with pytest.raises(ConfigError) as caught:
        OTLPOptions.of({}, {GENERAL + name: value})
    assert name.lower() == caught.value.option


def test_the_handler_reads_the_environment_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an SDK's exporter does."""
    monkeypatch.setenv(GENERAL + "ENDPOINT", "http://collector:4318")
    handler = OTLPHandler()
    assert ("otlp", "http://collector:4318/v1/logs") == handler.identity


def test_secrets_stay_out() -> None:
    """Neither headers nor credentials in the URL are shown; they are sent."""
    options = OTLPOptions(endpoint="https://joe:hunter2@c/v1/logs", headers={"api-key": "hunter3"})
    assert "https://c/v1/logs" == options.url
    assert {"api-key": "hunter3", "authorization": "Basic am9lOmh1bnRlcjI="} == options.sent_headers
    assert "hunter" not in f"{options!r} {identity_of(options)!r}"


def test_a_tenants_header_makes_another_destination() -> None:
    """Two handlers for two tenants of one server do not share a cursor."""
    keys = [identity_of(OTLPOptions(headers={"X-Scope-OrgID": name})).key for name in ("a", "b")]
    assert ["http://localhost:4318/v1/logs#a", "http://localhost:4318/v1/logs#b"] == keys


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("endpoint", "localhost:4318"),
        ("endpoint", "ftp://hunter2@c"),
        ("endpoint", "http://c:hunter2"),
        ("protocol", "http/xml"),
        ("headers", ["a"]),
        ("headers", {"a b": "x"}),
        ("headers", {"a": "hunter2\r\nb: c"}),
        ("headers", {"Content-Type": "x"}),
        ("compression", "zstd"),
        ("timeout", 0),
        ("timeout", "10"),
        ("certificate", ""),
        ("client_key", "/k"),
        ("retry_statuses", [200]),
        ("retry_statuses", [413]),
        ("batch_records", 0),
        ("max_request_bytes", (64 << 20) + 1),
        ("retry_delay", -1),
    ],
)
def test_a_wrong_value_is_refused_by_name(option: str, value: Any) -> None:
    """Every check quotes its option, and no secret."""
    with pytest.raises(ConfigError) as caught:
        OTLPOptions.of({option: value})
    assert option == caught.value.option
    assert repr(option) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_option_names_the_nearest() -> None:
    """The message has the option that was meant."""
    with pytest.raises(ConfigError, match=r"unknown option 'endpont'.*'endpoint'"):
        OTLPHandler(endpont="http://x")


def test_the_documentation_names_every_option() -> None:
    """``docs/otlp.md`` has every option."""
    text = (Path(__file__).parents[3] / "docs" / "otlp.md").read_text(encoding="utf-8")
    for item in fields(OTLPOptions):
        if item.init:
            assert f"`{item.name}`" in text, item.name
