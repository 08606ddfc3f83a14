"""Handlers for ``logging``, each delivering to one kind of destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_stdlib.facts.public import load_on_demand

__all__ = ["ElasticsearchHandler", "JSONLFileHandler", "KafkaHandler", "OTLPHandler", "PostgresHandler"]

if TYPE_CHECKING:  # what type checkers and editors read; a test holds that both are the same
    from otel_stdlib.handlers.elasticsearch.handler import ElasticsearchHandler
    from otel_stdlib.handlers.jsonl.handler import JSONLFileHandler
    from otel_stdlib.handlers.kafka.handler import KafkaHandler
    from otel_stdlib.handlers.otlp.handler import OTLPHandler
    from otel_stdlib.handlers.postgres.handler import PostgresHandler
else:
    __getattr__, __dir__ = load_on_demand(
        __name__,
        {
            "otel_stdlib.handlers.elasticsearch.handler": "ElasticsearchHandler",
            "otel_stdlib.handlers.jsonl.handler": "JSONLFileHandler",
            "otel_stdlib.handlers.kafka.handler": "KafkaHandler",
            "otel_stdlib.handlers.otlp.handler": "OTLPHandler",
            "otel_stdlib.handlers.postgres.handler": "PostgresHandler",
        },
    )
