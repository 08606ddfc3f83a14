"""Kafka: see ``docs/kafka.md``."""

from otel_stdlib.handlers.kafka.destination import KafkaDestination
from otel_stdlib.handlers.kafka.handler import KafkaHandler
from otel_stdlib.handlers.kafka.options import KafkaOptions

__all__ = ["KafkaDestination", "KafkaHandler", "KafkaOptions"]
