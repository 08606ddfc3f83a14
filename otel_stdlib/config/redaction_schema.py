"""The option ``redaction`` as JSON Schema."""

from __future__ import annotations

from otel_stdlib.redaction.custom import ENGINES
from otel_stdlib.redaction.options import LEAST_SCAN, MOST_SCAN, OVERSIZE, SUMMARIES
from otel_stdlib.redaction.rules import DEFAULT_RULES, OPT_IN_RULES

__all__ = ["REDACTION_SCHEMA"]

_TEXT = {"type": "string"}
_WORDS = {"type": "array", "items": _TEXT}
REDACTION_SCHEMA = {
    "type": ["boolean", "object", "null"],
    "properties": {
        "keys": _WORDS,
        "keep_keys": _WORDS,
        "values": {"type": "array", "items": {"enum": ["default", *DEFAULT_RULES, *OPT_IN_RULES]}},
        "custom": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": _TEXT, "pattern": _TEXT, "hint": _TEXT},
                "required": ["name", "pattern"],
                "additionalProperties": False,
            },
        },
        "mask": _TEXT,
        "hash_key": {"type": ["string", "null"]},
        "max_scan": {"type": "integer", "minimum": LEAST_SCAN, "maximum": MOST_SCAN},
        "oversize": {"enum": list(OVERSIZE)},
        "engine": {"enum": list(ENGINES)},
        "gitleaks": {"type": ["string", "null"]},
        "summary": {"enum": list(SUMMARIES)},
    },
    "additionalProperties": False,
}
