"""Elasticsearch: see ``docs/elasticsearch.md``."""

from otel_stdlib.handlers.elasticsearch.destination import ElasticsearchDestination
from otel_stdlib.handlers.elasticsearch.handler import ElasticsearchHandler
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions

__all__ = ["ElasticsearchDestination", "ElasticsearchHandler", "ElasticsearchOptions"]
