"""Options of connections' lifetimes: what makes no sense is refused by name."""

from __future__ import annotations

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.elasticsearch import ElasticsearchOptions
from otel_stdlib.handlers.kafka import KafkaOptions
from otel_stdlib.handlers.lifetime import ConnectionOptions
from otel_stdlib.handlers.otlp import OTLPOptions
from otel_stdlib.handlers.postgres import PostgresOptions

OPTIONS = (ElasticsearchOptions, KafkaOptions, OTLPOptions, PostgresOptions)


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("name", ["tcp_keepalive", "connection_max_idle", "connection_max_age"])
@pytest.mark.parametrize("value", [-1, "soon", True, float("nan"), None, 1e12])
def test_nonsense_is_refused(kind: type[ConnectionOptions], name: str, value: object) -> None:
    """By name, for every destination."""
    with pytest.raises(ConfigError, match=f"option '{name}' must be a number of seconds of 0 or more"):
        kind(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["connection_max_idle", "connection_max_age"])
def test_a_limit_below_a_second_is_refused(name: str) -> None:
    """Every batch would have a new connection."""
    with pytest.raises(ConfigError, match=f"option '{name}' must be 0, .*, or at least 1 second, not 0.2"):
        OTLPOptions(**{name: 0.2})  # type: ignore[arg-type]
