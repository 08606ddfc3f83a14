"""Looking records up in a whole data stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch.outcome import explain, refusal
from otel_stdlib.handlers.elasticsearch.wire import Wire

__all__ = ["stored_ids"]

#: Below ``index.max_result_window`` (10,000). Where that is smaller in an index, the pages become smaller.
_AT_ONCE = 5_000
_LEAST = 10
_DAY = 86_400.0
#: Old backing indices may be closed, and their shards lost: what they hold cannot be looked up.
_REFRESH = "_refresh?ignore_unavailable=true"
_SEARCH = "_search?ignore_unavailable=true&allow_partial_search_results=true"


def stored_ids(wire: Wire, stream: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of ``ids`` any backing index of ``stream`` has.

    The stream is refreshed first, as a search sees only what was refreshed. What cannot be looked up, for
    example in a closed index or without the privilege, is not found, and one line says what that means.

    Raises:
        RetryableError: the server cannot answer now.
    """
    if not _ask(wire, stream, "_refresh", None) and not _ask(wire, stream, _REFRESH, None):
        return frozenset()
    found: set[str] = set()
    start, page = 0, _AT_ONCE
    while start < len(ids):
        some = list(ids[start : start + page])
        query = {
            "query": {"ids": {"values": some}},
            "size": len(some),
            "_source": False,
            "track_total_hits": False,
        }
        answer = _ask(wire, stream, _SEARCH, orjson.dumps(query))
        if answer is None:
            return frozenset(found)
        if page > _LEAST and _is_too_large(answer):
            page = max(_LEAST, page // 4)
            continue
        _report_failures(stream, answer)
        found.update(hit["_id"] for hit in answer.get("hits", {}).get("hits", ()))
        start += page
    return frozenset(found)


def _ask(wire: Wire, stream: str, what: str, body: bytes | None) -> dict[str, Any] | None:
    """The answer; None when there is no such stream or it cannot be asked."""
    reply = wire.request("POST", f"/{stream}/{what}", body)
    if reply.status == 200 and isinstance(reply.body, dict):
        if reply.body.get("timed_out"):
            raise RetryableError(f"{stream}: not every shard answered in time")
        return reply.body
    if reply.status == 404:
        return None
    if reply.status == 403:
        _report(
            stream,
            f"as it may not be searched: it takes the privileges 'read' and 'maintenance' ({explain(reply.body)})",
        )
        return None
    if isinstance(reply.body, dict) and _is_too_large(reply.body):
        return reply.body
    error = refusal(reply.status, reply.headers, reply.body, wire.where)
    if isinstance(error, RetryableError):
        raise error
    _report(stream, f"as not all of it can be searched ({explain(reply.body)})")
    return None


def _is_too_large(answer: dict[str, Any]) -> bool:
    """Whether a shard refuses a page for its size."""
    shards = answer.get("_shards") or {}
    failures = shards.get("failures") or (answer.get("error") or {}).get("failed_shards") or ()
    return any("result window" in str(failure).lower() for failure in failures)


def _report_failures(stream: str, answer: dict[str, Any]) -> None:
    shards = answer.get("_shards") or {}
    failures = shards.get("failures")
    if failures or shards.get("failed"):
        _report(
            stream,
            f"as not every backing index can be searched ({explain((failures or [{}])[0].get('reason'))})",
        )


def _report(stream: str, why: str) -> None:
    say(
        f"elasticsearch-lookup:{stream}",
        f"{stream}: {why} a record may be stored twice when a rollover falls between two tries",
        interval=_DAY,
    )
