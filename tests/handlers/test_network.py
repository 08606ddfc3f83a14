"""What the handlers of servers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import ElasticsearchHandler, KafkaHandler, OTLPHandler, PostgresHandler
from otel_stdlib.handlers.network import NetworkHandler
from tests.support import needs_kafka

#: RFC 6761: no such name is ever found.
NOWHERE = "no-such-host.invalid"


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (ElasticsearchHandler, {"hosts": [f"http://{NOWHERE}:9200"]}),
        (PostgresHandler, {"host": NOWHERE, "password": "hunter2", "sslmode": "disable"}),
        (OTLPHandler, {"endpoint": f"http://{NOWHERE}:4318"}),
        (OTLPHandler, {"endpoint": f"http://{NOWHERE}:4317", "protocol": "grpc", "timeout": 5.0}),
        pytest.param(
            KafkaHandler, {"bootstrap_servers": f"{NOWHERE}:9092", "timeout": 2.0}, marks=needs_kafka
        ),
    ],
    ids=["elasticsearch", "postgres", "otlp", "otlp-grpc", "kafka"],
)
def test_a_name_that_no_one_knows(make: Callable[..., NetworkHandler[Any]], options: dict[str, Any]) -> None:
    """It may be known later: records wait, and the message names the host."""
    handler = make(**options)
    target = handler.make_destination()

    def reach() -> None:  # which of the two asks the server is the back end's
        target.open()
        target.probe()

    try:
        with pytest.raises(RetryableError, match=NOWHERE) as caught:
            reach()
        assert "hunter2" not in str(caught.value)
    finally:
        target.close()
        handler.close()
