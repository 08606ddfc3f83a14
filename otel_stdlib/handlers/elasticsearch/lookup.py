"""Looking records up in a whole data stream."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch.outcome import explain, refusal
from otel_stdlib.handlers.elasticsearch.wire import Wire

__all__ = ["stored_ids"]

#: Below ``index.max_result_window`` (10,000).
_AT_ONCE = 5_000
_DAY = 86_400.0


def stored_ids(wire: Wire, stream: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of ``ids`` any backing index of ``stream`` has.

    The stream is refreshed first, as a search sees only what was refreshed. Where the user may
    not refresh or search, nothing is found and one line says what that means.

    Raises:
        RetryableError: the server cannot answer now.
    """
    if not _ask(wire, stream, "_refresh", None):
        return frozenset()
    found: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        some = list(ids[start : start + _AT_ONCE])
        query = {
            "query": {"ids": {"values": some}},
            "size": len(some),
            "_source": False,
            "track_total_hits": False,
        }
        answer = _ask(wire, stream, "_search", orjson.dumps(query))
        found.update(hit["_id"] for hit in answer["hits"]["hits"]) if answer else None
    return frozenset(found)


def _ask(
    wire: Wire, stream: str, what: str, body: bytes | None
) -> dict[str, dict[str, list[dict[str, str]]]] | None:
    """The answer; None when there is no such stream or we may not ask."""
    reply = wire.request("POST", f"/{stream}/{what}", body)
    if reply.status == 200 and isinstance(reply.body, dict):
        if reply.body.get("timed_out") or reply.body.get("_shards", {}).get("failed"):
            raise RetryableError(f"{stream}: not every shard answered")
        return reply.body
    if reply.status == 404:
        return None
    if reply.status == 403:
        say(
            f"elasticsearch-lookup:{stream}",
            f"{stream}: without the privileges 'read' and 'maintenance' a record may be stored twice when a rollover "
            f"falls between two tries ({explain(reply.body)})",
            interval=_DAY,
        )
        return None
    error = refusal(reply.status, reply.headers, reply.body, wire.where)
    raise error if isinstance(error, RetryableError) else RetryableError(str(error))
