"""What OTLP servers over gRPC, and what is in front of them, answer."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, WAITS, rows

__all__ = ["ROWS"]

_TOKEN = "renew the token in `headers`"
_GATEWAY = "repair the gateway, or correct `endpoint`"
_REASON = "see the server's reason"

ROWS = rows(
    "OTLP/gRPC",
    "otlp",
    {
        "test_grpc_answers.py::test_records_wait": (
            ("CANCELLED", "CANCELLED", WAITS, "answered CANCELLED", "nothing"),
            (
                "DEADLINE_EXCEEDED",
                "DEADLINE_EXCEEDED",
                WAITS,
                "answered DEADLINE_EXCEEDED",
                "repair the Collector",
            ),
            ("ABORTED", "ABORTED", WAITS, "answered ABORTED", "nothing"),
            ("OUT_OF_RANGE", "OUT_OF_RANGE", WAITS, "answered OUT_OF_RANGE", _REASON),
            (
                "UNAVAILABLE",
                "UNAVAILABLE",
                WAITS,
                "answered UNAVAILABLE",
                "repair what is behind the Collector",
            ),
            ("DATA_LOSS", "DATA_LOSS", WAITS, "answered DATA_LOSS", _REASON),
            ("UNAUTHENTICATED", "UNAUTHENTICATED", WAITS, "answered UNAUTHENTICATED", _TOKEN),
            (
                "PERMISSION_DENIED",
                "PERMISSION_DENIED",
                WAITS,
                "answered PERMISSION_DENIED",
                "grant the right",
            ),
            ("UNIMPLEMENTED", "UNIMPLEMENTED", WAITS, "answered UNIMPLEMENTED", "correct `endpoint`"),
        ),
        "test_grpc_answers.py::test_a_pause_is_kept": (
            (
                "RESOURCE_EXHAUSTED_after",
                "RESOURCE_EXHAUSTED with a `RetryInfo`: the circuit breaker stays closed",
                WAITS,
                "answered RESOURCE_EXHAUSTED",
                "nothing, or raise the quota",
            ),
            (
                "UNAVAILABLE_after",
                "UNAVAILABLE with a `RetryInfo`: the circuit breaker stays closed",
                WAITS,
                "answered UNAVAILABLE",
                "nothing",
            ),
        ),
        "test_grpc_answers.py::test_records_wait_for_a_server_that_refuses_every_one": (
            ("UNKNOWN", "UNKNOWN to every request", WAITS, "answered UNKNOWN", _REASON),
            ("INTERNAL", "INTERNAL to every request", WAITS, "answered INTERNAL", _REASON),
            ("NOT_FOUND", "NOT_FOUND to every request", WAITS, "answered NOT_FOUND", _REASON),
            ("ALREADY_EXISTS", "ALREADY_EXISTS to every request", WAITS, "answered ALREADY_EXISTS", _REASON),
            (
                "FAILED_PRECONDITION",
                "FAILED_PRECONDITION to every request",
                WAITS,
                "answered FAILED_PRECONDITION",
                _REASON,
            ),
            (
                "RESOURCE_EXHAUSTED",
                "RESOURCE_EXHAUSTED without a `RetryInfo` to every request",
                WAITS,
                "answered RESOURCE_EXHAUSTED",
                "raise the quota; `retry_statuses: [RESOURCE_EXHAUSTED]` gives no record up",
            ),
            (
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT to every request",
                WAITS,
                "answered INVALID_ARGUMENT",
                _REASON,
            ),
        ),
        "test_grpc_answers.py::test_a_record_is_refused": (
            (
                "INVALID_ARGUMENT_one",
                "INVALID_ARGUMENT for one record among good ones",
                LETTER,
                "answered INVALID_ARGUMENT",
                "nothing, or correct the record and `replay`",
            ),
            (
                "INTERNAL_unread",
                "INTERNAL for one record that the server cannot read",
                LETTER,
                "answered INTERNAL",
                "nothing, or update the server and `replay`",
            ),
        ),
        "test_grpc_answers.py::test_records_wait_for_what_is_in_between": (
            (
                "http_200",
                "a web server answers HTTP 200 with a page",
                WAITS,
                "Stream removed",
                "correct `endpoint`",
            ),
            ("http_301", "a proxy answers HTTP 3xx", WAITS, "answered HTTP 301", "correct `endpoint`"),
            ("http_400", "a proxy answers HTTP 400", WAITS, "answered HTTP 400", _GATEWAY),
            ("http_401", "a proxy answers HTTP 401", WAITS, "answered HTTP 401", _TOKEN),
            ("http_403", "a proxy answers HTTP 403", WAITS, "answered HTTP 403", "grant the right"),
            ("http_404", "a proxy answers HTTP 404", WAITS, "answered HTTP 404", _GATEWAY),
            (
                "http_407",
                "a proxy answers HTTP 407",
                WAITS,
                "answered HTTP 407",
                "add credentials to `http_proxy`",
            ),
            (
                "http_408",
                "a proxy answers HTTP 408",
                WAITS,
                "answered HTTP 408",
                "raise the time limit of the proxy",
            ),
            ("http_429", "a proxy answers HTTP 429", WAITS, "status: 429", "raise the quota, or log less"),
            ("http_500", "a proxy answers HTTP 500", WAITS, "answered HTTP 500", _GATEWAY),
            ("http_502", "a proxy answers HTTP 502", WAITS, "status: 502", "repair what is behind the proxy"),
            ("http_503", "a proxy answers HTTP 503", WAITS, "status: 503", "repair what is behind the proxy"),
            ("http_504", "a proxy answers HTTP 504", WAITS, "status: 504", "repair what is behind the proxy"),
            ("http_511", "a network asks for a login", WAITS, "answered HTTP 511", "log in to the network"),
            ("reset_internal", "a stream is reset (INTERNAL_ERROR)", WAITS, "RST_STREAM", _GATEWAY),
            ("reset_calm", "a stream is reset (ENHANCE_YOUR_CALM)", WAITS, "RST_STREAM", "raise the quota"),
            ("reset_security", "a stream is reset (INADEQUATE_SECURITY)", WAITS, "RST_STREAM", _GATEWAY),
            (
                "closed",
                "the connection ends before an answer: records may arrive twice, with the same uid",
                WAITS,
                "Socket closed",
                "repair the Collector or the way to it",
            ),
        ),
        "test_grpc_answers.py::test_large_requests_are_made_smaller": (
            ("http_413", "a proxy answers HTTP 413 to a request of several records", STORED, "", "nothing"),
            (
                "reset_large",
                "a path resets large requests",
                STORED,
                "",
                "nothing: requests become smaller for five minutes",
            ),
        ),
        "test_grpc_collector.py::test_a_message_too_large_for_a_collector": (
            (
                "too_large",
                "RESOURCE_EXHAUSTED: the message is larger than the server's limit",
                STORED,
                "",
                "nothing: requests become smaller",
            ),
        ),
    },
)
