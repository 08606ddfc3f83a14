"""What Elasticsearch's answers mean for a record. Pure.

    item    201 stored · 409 duplicate · 429, 5xx retry · 401, 403 retry and alarm
            404 retry and alarm (automatic creation is off) · other 4xx rejected with the reason
    request 413 to be split · 400 refused whole · everything else but 200: try again

A 403 is a full disk or a blocked index, which people mend: giving records up for it loses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from otel_stdlib.delivery.contract import DUPLICATE, STORED, Outcome, Verdict
from otel_stdlib.facts.errors import DeliveryError, PermanentError, RetryableError, ThrottledError
from otel_stdlib.facts.secrets import mask_secrets

__all__ = ["Answered", "explain", "read_items", "refusal", "retry_after"]

_RETRY_AFTER_MOST = 3_600.0
_REASON_LENGTH = 1_000


class Answered(NamedTuple):
    """The answer to one bulk request."""

    #: One per record; None: every one is stored.
    outcomes: list[Outcome] | None
    #: Records that the server keeps in the failure store: stored, but not where people look.
    failed_over: int = 0
    #: What a person has to mend, for example a blocked index.
    alarm: str = ""
    #: Whether a record was held off by pressure.
    pressed: bool = False


def read_items(body: object, count: int) -> Answered:
    """Read the body of a bulk request's answer 200.

    Raises:
        RetryableError: it is no such body, so that nothing is known.
    """
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, Sequence) or len(items) != count or not isinstance(body, Mapping):
        raise RetryableError("the answer to a bulk request is not Elasticsearch's: its outcome is unknown")
    outcomes: list[Outcome] = []
    failed_over = 0
    alarm = ""
    pressed = False
    for item in items:
        result = item.get("create") if isinstance(item, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(result.get("status"), int):
            raise RetryableError("an item of a bulk answer has no status: its outcome is unknown")
        status = result["status"]
        if status < 300:
            failed_over += result.get("failure_store") == "used"
            outcomes.append(STORED)
        elif status == 409:
            outcomes.append(DUPLICATE)
        else:
            outcomes.append(_unstored(status, explain(result.get("error"))))
            pressed = pressed or status in (429, 503)
            if status in (401, 403, 404):
                alarm = outcomes[-1].reason
    everything = all(outcome is STORED for outcome in outcomes)
    return Answered(None if everything else outcomes, failed_over, alarm, pressed)


def _unstored(status: int, reason: str) -> Outcome:
    text = f"{status} {reason}".strip()
    if status == 429 or status >= 500 or status in (401, 403, 404, 408):
        return Outcome(Verdict.RETRY, text)
    return Outcome(Verdict.REJECTED, text)


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
