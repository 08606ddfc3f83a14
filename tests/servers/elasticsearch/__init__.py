"""A real Elasticsearch, put together from the jars that its makers publish."""

from tests.servers.elasticsearch.server import Answer, Elasticsearch, prepare_elasticsearch

__all__ = ["Answer", "Elasticsearch", "prepare_elasticsearch"]
