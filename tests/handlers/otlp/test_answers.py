"""Which refusals are about records, and which about the target or the way to it."""

from __future__ import annotations

import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError
from tests.handlers.otlp.parts import Answer, Gateway, destination, make_batch, numbered

STATUS = Answer(0, b'{"code":13,"message":"go away"}', {"content-type": "application/json"})


@pytest.mark.parametrize("status", [402, 409, 410, 422, 500, 501, 505])
def test_other_statuses_of_an_otlp_server_are_final(server: Gateway, status: int) -> None:
    """Any other answer in OTLP's form refuses the records for good, at one request for all of them."""
    target = destination(server.url)
    server.answers.append(STATUS._replace(status=status))
    outcomes = target.deliver(make_batch(numbered(3)))
    assert [Verdict.REJECTED] * 3 == [outcome.verdict for outcome in outcomes or ()]
    assert outcomes is not None
    assert f"answered {status}: go away" in outcomes[0].reason
    assert 1 == len(server.requests)
    target.close()


@pytest.mark.parametrize("status", [301, 308, 401, 403, 404, 405, 407, 408, 511])
def test_a_status_of_the_target_lets_records_wait(server: Gateway, status: int) -> None:
    """A token, a path or a proxy is no fault of a record, whatever form the answer has."""
    target = destination(server.url)
    server.answers.append(STATUS._replace(status=status))
    with pytest.raises(RetryableError, match=f"answered {status}: go away .*'headers'"):
        target.deliver(make_batch(numbered(3)))
    target.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "text/html"),
        *((s, k) for s in (402, 422, 500, 520, 530) for k in ("text/html", "text/plain", "")),
    ],
)
def test_a_refusal_that_no_otlp_server_wrote_lets_records_wait(
    server: Gateway, status: int, kind: str
) -> None:
    """Something in between answers with a page; only 400 in plain text is what some servers say of a record."""
    target = destination(server.url)
    server.answers.append(Answer(status, b"<p>no</p>", {"content-type": kind} if kind else {}))
    with pytest.raises(RetryableError, match=f"answered {status}"):
        target.deliver(make_batch(numbered(3)))
    target.close()


def test_a_400_in_plain_text_is_about_a_record(server: Gateway) -> None:
    """As Loki says it; the batch is halved."""
    target = destination(server.url)
    server.answers.append(Answer(400, b"entry too old", {"content-type": "text/plain; charset=utf-8"}))
    with pytest.raises(PermanentError, match="entry too old"):
        target.deliver(make_batch(numbered(3)))
    target.close()
