"""The views that answer what is asked most. Pure. Each one uses an index of the standard table.

The views that count look at the last day only: without a bound in time no index helps a count,
and a condition from outside does not reach into a grouped query.
"""

from __future__ import annotations

from otel_stdlib.handlers.postgres.names import TableName

__all__ = ["VIEW_SUFFIXES", "create_views"]

_SERVICE = """("resource" ->> 'service.name')"""
_LAST_DAY = """"timestamp" >= now() - interval '1 day'"""
_DURATION = (
    "CASE WHEN jsonb_typeof(\"attributes\" -> 'duration_ms') = 'number'"
    " THEN (\"attributes\" ->> 'duration_ms')::double precision END"
)

#: Suffix of the view's name: its query.
_VIEWS = {
    "_errors_by_service": """
SELECT {service} AS service, "attributes" ->> 'exception.type' AS exception_type, count(*) AS errors,
       min("timestamp") AS first_seen, max("timestamp") AS last_seen
FROM {table}
WHERE "severity_number" >= 17 AND {last_day}
GROUP BY 1, 2
ORDER BY errors DESC""",
    "_trace": """
SELECT "trace_id", "timestamp", {service} AS service, "span_id", "severity_text",
       "attributes" ->> 'otel.scope.name' AS logger, "body", "attributes"
FROM {table}
ORDER BY "timestamp", "attributes" ->> 'log.record.uid'""",
    "_slow_spans": """
SELECT "trace_id", "span_id", max({service}) AS service, min("timestamp") AS first_record, count(*) AS records,
       coalesce(max({duration}),
                extract(epoch FROM max("timestamp") - min("timestamp"))::double precision * 1000) AS duration_ms
FROM {table}
WHERE "span_id" IS NOT NULL AND {last_day}
GROUP BY "trace_id", "span_id"
ORDER BY duration_ms DESC""",
    "_volume_per_minute": """
SELECT date_trunc('minute', "timestamp") AS minute, {service} AS service, "severity_text", count(*) AS records
FROM {table}
WHERE {last_day}
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3""",
}
VIEW_SUFFIXES = tuple(_VIEWS)


def create_views(table: TableName) -> list[str]:
    """All views of one table, made or brought up to date."""
    return [
        f"CREATE OR REPLACE VIEW {table.beside(suffix).sql} AS"
        + query.format(table=table.sql, service=_SERVICE, last_day=_LAST_DAY, duration=_DURATION)
        for suffix, query in _VIEWS.items()
    ]
