from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.elasticsearch import ElasticsearchDestination, ElasticsearchOptions


def test_defaults() -> None:
    """The documented defaults are the defaults."""
    options = ElasticsearchOptions()
    assert {
        "hosts": ("http://localhost:9200",),
        "index_pattern": "otel-logs-%Y.%m.%d",
        "data_stream": None,
        "basic_auth": None,
        "api_key": None,
        "ca_certs": None,
        "verify_certs": True,
        "timeout": 30.0,
        "max_retries": 3,
        "retry_delay": 1.0,
        "max_retry_delay": 60.0,
        "health_check_interval": 30.0,
        "circuit_breaker_threshold": 5,
        "circuit_breaker_timeout": 60.0,
        "tcp_keepalive": 30.0,
        "connection_max_idle": 50.0,
        "connection_max_age": 1800.0,
        "max_workers": 4,
        "batch_records": 1000,
        "batch_bytes": 4 << 20,
        "batch_age": 0.2,
        "mapping": "otel",
        "attributes": "dotted",
        "gzip": False,
        "logsdb": False,
        "template": True,
    } == {item.name: getattr(options, item.name) for item in fields(options) if item.init}


def test_takes_the_configuration_of_the_first_description() -> None:
    """Every option that users know by name is taken, and reaches the policy."""
    options = ElasticsearchOptions.of(
        {
            "hosts": ["https://localhost:9200"],
            "index_pattern": "my-app-logs-%Y.%m.%d",
            "basic_auth": ["elastic", "secret"],
            "ca_certs": "/path/to/http_ca.crt",
            "verify_certs": True,
            "timeout": 30,
            "max_retries": 3,
            "retry_delay": 2,
            "health_check_interval": 31,
            "circuit_breaker_threshold": 6,
            "circuit_breaker_timeout": 61,
            "max_workers": 10,
        }
    )
    policy = options.policy
    assert (2, 3, 6) == (policy.retry_delay, policy.max_retries, policy.circuit_breaker_threshold)
    assert (61, 31) == (policy.circuit_breaker_timeout, policy.health_check_interval)
    assert 10_000 == policy.batch_records


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"host": ["http://a:1"]}, "unknown option 'host' for Elasticsearch; did you mean 'hosts'"),
        ({"hosts": []}, "'hosts'"),
        ({"hosts": "localhost:9200"}, "'hosts': entry 1 must be a URL"),
        ({"hosts": ["http://a:1", "http://b"]}, "'hosts': entry 2"),
        ({"hosts": 7}, "'hosts'"),
        ({"hosts": ["http://u:p@a:1"], "basic_auth": "a:b"}, "'basic_auth' or in 'hosts'"),
        ({"basic_auth": "nocolon"}, "'basic_auth' must be two texts"),
        ({"basic_auth": ["a", 1]}, "'basic_auth'"),
        ({"basic_auth": "a:b", "api_key": "k"}, "'api_key' excludes 'basic_auth'"),
        ({"api_key": ""}, "'api_key'"),
        ({"index_pattern": "a-%Y", "data_stream": {}}, "'data_stream' excludes 'index_pattern'"),
        ({"index_pattern": 3}, "'index_pattern'"),
        ({"index_pattern": "Logs-%Y"}, "'index_pattern'"),
        ({"index_pattern": "logs-%c"}, "may use .*, not '%c'"),
        ({"index_pattern": "-logs"}, "'index_pattern'"),
        ({"index_pattern": "{tenant}-%Y"}, "'index_pattern' .* no fixed part"),
        ({"data_stream": {"datset": "x"}}, "'data_stream' has no 'datset'; did you mean 'dataset'"),
        ({"data_stream": {"dataset": "a-b"}}, "'data_stream': 'dataset'"),
        ({"data_stream": "logs"}, "'data_stream' must be a mapping"),
        ({"mapping": "otlp"}, "'mapping' must be one of otel, seed, ecs, not 'otlp'; did you mean 'otel'"),
        ({"attributes": "nested"}, "'attributes'"),
        ({"timeout": 0}, "'timeout'"),
        ({"timeout": "30"}, "'timeout'"),
        ({"max_retries": -1}, "'max_retries'"),
        ({"retry_delay": "2"}, "'retry_delay'"),
        ({"retry_delay": 90}, "'max_retry_delay'"),
        ({"health_check_interval": 0}, "'health_check_interval'"),
        ({"circuit_breaker_threshold": 0}, "'circuit_breaker_threshold'"),
        ({"circuit_breaker_timeout": True}, "'circuit_breaker_timeout'"),
        ({"max_workers": 0}, "'max_workers'"),
        ({"batch_records": 1.5}, "'batch_records'"),
        ({"batch_bytes": 1 << 40}, "'batch_bytes'"),
        ({"batch_age": -1}, "'batch_age'"),
        ({"gzip": 1}, "'gzip'"),
        ({"logsdb": "yes"}, "'logsdb'"),
        ({"verify_certs": "false"}, "'verify_certs'"),
        ({"template": ""}, "'template'"),
        ({"ca_certs": 1}, "'ca_certs'"),
    ],
)
def test_wrong_options_are_quoted(options: dict[str, Any], quoted: str) -> None:
    """A wrong option is a ConfigError that names it."""
    with pytest.raises(ConfigError, match=quoted):
        ElasticsearchOptions.of(options)


def test_no_secret_in_any_text() -> None:
    """Credentials show in no repr, identity or error."""
    options = ElasticsearchOptions(hosts=["https://user:hunter2@db:9200/es"])
    assert ("user", "hunter2") == options.basic_auth
    assert ("https://db:9200/es",) == options.hosts
    target = ElasticsearchDestination(options)
    keyed = ElasticsearchOptions(api_key=["id", "hunter2"])
    assert "hunter2" not in f"{options!r} {keyed!r} {target.identity!r} {target!r} {options.policy!r}"
    assert ("elasticsearch", "https://db:9200/es/otel-logs-%Y.%m.%d") == target.identity
    with pytest.raises(ConfigError) as caught:
        ElasticsearchOptions(hosts=["user:hunter2@db"])
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        ElasticsearchOptions(basic_auth=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_identity_of_a_stream_does_not_depend_on_the_order_of_hosts() -> None:
    """Two processes with the same nodes in another order share their spools."""
    first, second = (
        ElasticsearchDestination(ElasticsearchOptions(hosts=hosts, data_stream={"dataset": "app"})).identity
        for hosts in (["http://a:1", "http://b:2"], ["http://b:2", "http://a:1"])
    )
    assert first == second == ("elasticsearch", "http://a:1,http://b:2/logs-app-default")
