"""What Elasticsearch's answers mean for a record. Pure.

    item    201 stored · 200 dropped by an ingest pipeline · 409 duplicate · 429, 5xx retry
            401, 403, 404 (automatic creation is off) and the 400s of ``WAITING`` retry and alarm
            other 4xx, and a pipeline's own ``fail``, rejected with the reason
    request 413 to be split · 400 of another major version retry · other 400s refused whole
            everything else but 200: try again

A 403 is a full disk or a blocked index, which you can repair: giving records up for it loses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from otel_stdlib.delivery.contract import DUPLICATE, STORED, Outcome, Verdict
from otel_stdlib.facts.errors import DeliveryError, PermanentError, RetryableError, ThrottledError
from otel_stdlib.facts.secrets import mask_secrets

__all__ = ["INDEX", "WAITING", "Answered", "explain", "read_items", "refusal", "retry_after"]

#: Stands for its index in the outcome of a document that the state of the index keeps waiting.
INDEX = "index"
_RETRY_AFTER_MOST = 3_600.0
_REASON_LENGTH = 1_000
#: Answers of 400 that are about the cluster and not about the record: type, words of the reason, advice.
WAITING = (
    ("validation_exception", "maximum", "raise 'cluster.max_shards_per_node', or delete indices"),
    ("index_closed_exception", "", "open the index"),
    ("illegal_argument_exception", "no write index is defined for alias", "give the alias a write index"),
    (
        "illegal_argument_exception",
        "pipeline with id",
        "create the ingest pipeline, or take it out of the index's settings",
    ),
)
#: A pipeline that fails on purpose answers 500, and will do so for this record each time.
_FAILED_ON_PURPOSE = "fail_processor_exception"
#: A server that does not speak our version of the API.
_OTHER_VERSION = "media_type_header_exception"


class Answered(NamedTuple):
    """The answer to one bulk request."""

    #: One per record; None: every one is stored.
    outcomes: list[Outcome] | None
    #: Records that the server keeps in the failure store: stored, but not where people look.
    failed_over: int = 0
    #: What you have to repair, for example a blocked index.
    alarm: str = ""
    #: Whether a record was held off by pressure.
    pressed: bool = False
    #: Records that an ingest pipeline dropped: taken, and kept nowhere.
    dropped: int = 0


def read_items(body: object, count: int) -> Answered:
    """Read the body of a bulk request's answer 200.

    Raises:
        RetryableError: it is no such body, so that nothing is known.
    """
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, Sequence) or len(items) != count or not isinstance(body, Mapping):
        raise RetryableError("the answer to a bulk request is not Elasticsearch's: its outcome is unknown")
    outcomes: list[Outcome] = []
    failed_over = dropped = 0
    alarm = ""
    pressed = False
    for item in items:
        result = item.get("create") if isinstance(item, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(result.get("status"), int):
            raise RetryableError("an item of a bulk answer has no status: its outcome is unknown")
        status = result["status"]
        if status < 300:
            failed_over += result.get("failure_store") == "used"
            dropped += status == 200  # a document that is created is answered with 201
            outcomes.append(STORED)
        elif status == 409:
            outcomes.append(DUPLICATE)
        else:
            outcome, waits = _unstored(status, result.get("error"))
            # Which index that is the sender of the documents knows.
            outcomes.append(outcome._replace(where=INDEX) if waits else outcome)
            pressed = pressed or (status in (429, 503) and not waits)
            if waits:
                alarm = outcome.reason
    everything = all(outcome is STORED for outcome in outcomes)
    return Answered(None if everything else outcomes, failed_over, alarm, pressed, dropped)


def _unstored(status: int, error: object) -> tuple[Outcome, bool]:
    """The outcome of a document that was not stored, and whether it waits for somebody's repair."""
    text = f"{status} {explain(error)}".strip()
    if _is_a(error, _FAILED_ON_PURPOSE):
        return Outcome(Verdict.REJECTED, text), False
    if status in (401, 403, 404) or _is_blocked(error):
        return Outcome(Verdict.RETRY, text), True
    if status == 429 or status >= 500 or status == 408:
        return Outcome(Verdict.RETRY, text), False
    advice = _advice(error) if status == 400 else ""
    if advice:
        return Outcome(Verdict.RETRY, f"{text} ({advice})"), True
    return Outcome(Verdict.REJECTED, text), False


def _is_blocked(error: object) -> bool:
    """Whether the index has a block, which a server with a full disk answers with 429."""
    return (
        isinstance(error, Mapping)
        and error.get("type") == "cluster_block_exception"
        and str(error.get("reason", "")).startswith("index [")
    )


def _advice(error: object) -> str:
    """What to do about an error that is the cluster's state; "": it is the record's."""
    while isinstance(error, Mapping):
        reason = str(error.get("reason", ""))
        for kind, words, advice in WAITING:
            if error.get("type") == kind and words in reason:
                return advice
        error = error.get("caused_by")
    return ""


def _is_a(error: object, kind: str) -> bool:
    """Whether an error or one of its causes is of a kind."""
    while isinstance(error, Mapping):
        if error.get("type") == kind:
            return True
        error = error.get("caused_by")
    return False


def explain(error: object) -> str:
    """The reason in an error of Elasticsearch's, with what caused it, on one line."""
    if isinstance(error, Mapping) and isinstance(error.get("error"), (Mapping, str)):
        error = error["error"]
    parts: list[str] = []
    while isinstance(error, Mapping):
        part = f"{error.get('type', 'error')}: {error.get('reason', '')}"
        if part not in parts:
            parts.append(part)
        error = error.get("caused_by")
    if not parts and error:
        parts.append(error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error))
    return mask_secrets(" ".join("; ".join(parts).split()))[:_REASON_LENGTH]


def refusal(status: int, headers: Mapping[str, str], body: object, where: str) -> DeliveryError:
    """The error for a request that was answered with anything but 200 and 413."""
    reason = explain(body)
    if status == 401:
        return RetryableError(
            f"Elasticsearch at {where} refused the credentials (401): check 'basic_auth' or 'api_key'; "
            f"the records wait. {reason}"
        )
    if status == 403:
        return RetryableError(
            f"Elasticsearch at {where} refused permission (403); the records wait. {reason}"
        )
    if status == 400 and isinstance(body, Mapping) and _is_a(body.get("error"), _OTHER_VERSION):
        return RetryableError(
            f"Elasticsearch at {where} is of another major version than the client, 9; the records wait. {reason}"
        )
    if status == 407:
        return RetryableError(
            f"a proxy in front of {where} asks for credentials (407); the records wait. {reason}"
        )
    if status == 400 and isinstance(body, Mapping) and "error" in body:  # not a gateway's own page
        return PermanentError(f"Elasticsearch refused the request (400): {reason}")
    text = f"Elasticsearch at {where} answered {status}: {reason}"
    pause = retry_after(headers)
    return RetryableError(text) if pause is None else ThrottledError(text, pause)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that the server asks for, in seconds."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, _RETRY_AFTER_MOST) if seconds >= 0 else None
