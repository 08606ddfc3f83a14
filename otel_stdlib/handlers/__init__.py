"""Handlers for ``logging``, each delivering to one kind of destination."""

from otel_stdlib.facts.public import show_as_public
from otel_stdlib.handlers.elasticsearch.handler import ElasticsearchHandler
from otel_stdlib.handlers.jsonl.handler import JSONLFileHandler
from otel_stdlib.handlers.kafka.handler import KafkaHandler
from otel_stdlib.handlers.otlp.handler import OTLPHandler
from otel_stdlib.handlers.postgres.handler import PostgresHandler

__all__ = ["ElasticsearchHandler", "JSONLFileHandler", "KafkaHandler", "OTLPHandler", "PostgresHandler"]

_shown = show_as_public(__name__, __all__, globals())
