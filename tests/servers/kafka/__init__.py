"""A real Apache Kafka broker: one KRaft node from published jars."""

from tests.servers.kafka.broker import KafkaBroker, prepare_kafka

__all__ = ["KafkaBroker", "prepare_kafka"]
