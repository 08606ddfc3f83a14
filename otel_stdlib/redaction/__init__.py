"""Secrets out of records: pure policy, without records, files or threads."""

from otel_stdlib.redaction.engine import Redactor, Tally
from otel_stdlib.redaction.options import Redaction

__all__ = ["Redaction", "Redactor", "Tally"]
