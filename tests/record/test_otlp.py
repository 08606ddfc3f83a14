"""OTLP JSON of a line."""

from __future__ import annotations

import json
import logging

from otel_stdlib.record.formatter import OTelFormatter


def test_a_time_before_1970_is_unknown() -> None:
    """OTLP's times are unsigned: what is older has the time 0."""
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "old", (), None)
    record.created = -5.0
    line = json.loads(OTelFormatter(format="otlp").format(record))
    (found,) = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert (found["timeUnixNano"], found["observedTimeUnixNano"]) == ("0", "0")
