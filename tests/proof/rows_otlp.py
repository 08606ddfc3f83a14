"""What OTLP servers over HTTP, and what is in front of them, answer."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, TAKEN, WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "OTLP/HTTP",
    "otlp",
    {
        "test_http_answers.py::test_records_wait": (
            ("301", "3xx: a redirect, which is not followed", WAITS, "answered 301", "correct `endpoint`"),
            (
                "400_page",
                "400 with a web page",
                WAITS,
                "answered 400",
                "repair the gateway, or correct `endpoint`",
            ),
            ("401", "401", WAITS, "answered 401", "renew the token in `headers`"),
            ("403", "403", WAITS, "answered 403", "grant the right, or correct the token in `headers`"),
            ("404", "404", WAITS, "answered 404", "correct the path of `endpoint`"),
            ("405", "405", WAITS, "answered 405", "correct `endpoint`"),
            ("407", "407: a proxy asks for credentials", WAITS, "answered 407", "add them to `HTTP_PROXY`"),
            ("408", "408", WAITS, "answered 408", "nothing, or raise the time limit of the proxy"),
            ("429", "429", WAITS, "answered 429", "raise the quota, or log less"),
            ("500_page", "500 with a web page", WAITS, "answered 500", "repair the gateway"),
            (
                "500_json",
                "500 with JSON that is not OTLP's, as an API gateway's",
                WAITS,
                "answered 500",
                "repair the gateway",
            ),
            ("502", "502", WAITS, "answered 502", "repair what is behind the gateway"),
            ("503", "503", WAITS, "answered 503", "repair what is behind the gateway"),
            ("504", "504", WAITS, "answered 504", "repair what is behind the gateway"),
            ("511", "511: a network asks for a login", WAITS, "answered 511", "log in to the network"),
            (
                "200_page",
                "200 with a web page, as a login page or another service",
                WAITS,
                "web page",
                "correct `endpoint`, or log in to the network",
            ),
        ),
        "test_http_answers.py::test_a_pause_is_kept": (
            (
                "429_after",
                "429 with `Retry-After`: the circuit breaker stays closed",
                WAITS,
                "answered 429",
                "nothing, or raise the quota",
            ),
            (
                "503_after",
                "503 with `Retry-After`: the circuit breaker stays closed",
                WAITS,
                "answered 503",
                "nothing",
            ),
        ),
        "test_http_answers.py::test_records_wait_for_a_way_to_the_collector": (
            (
                "refused",
                "no connection",
                WAITS,
                "no connection",
                "start the Collector, or correct `endpoint`",
            ),
            (
                "silent",
                "no answer within `timeout`: records may arrive twice, with the same uid",
                WAITS,
                "no answer from",
                "repair the Collector or the way to it",
            ),
            (
                "garbage",
                "an answer that is not HTTP",
                WAITS,
                "no answer from",
                "correct `endpoint` or `protocol`: port 4317 is gRPC's, 4318 is HTTP's",
            ),
        ),
        "test_http_answers.py::test_records_wait_for_a_server_that_refuses_every_one": (
            (
                "500_otlp",
                "500 in OTLP's form, to every request",
                WAITS,
                "answered 500",
                "repair the server",
            ),
            (
                "400_all",
                "400 in OTLP's form, to every request",
                WAITS,
                "answered 400",
                "see the server's reason",
            ),
            (
                "413_all",
                "413, however small the request is",
                WAITS,
                "answered 413",
                "raise the limit of the gateway",
            ),
            (
                "partial_all",
                "200 with a partial success that rejects all records of every request",
                WAITS,
                "all of the request rejected",
                "see the server's reason",
            ),
        ),
        "test_http_answers.py::test_a_record_is_refused": (
            (
                "400",
                "400 for one record among good ones, in JSON",
                LETTER,
                "bad record",
                "nothing, or correct the record and `replay`",
            ),
            (
                "400_protobuf",
                "400 for one record among good ones, in protobuf",
                LETTER,
                "bad record",
                "nothing, or correct the record and `replay`",
            ),
            (
                "400_text",
                "400 for one record among good ones, in plain text",
                LETTER,
                "entry too far behind",
                "nothing, or raise the limits of the server and `replay`",
            ),
            (
                "413",
                "413 for one record",
                LETTER,
                "answered 413",
                "raise the limit of the server and `replay`, or log less in one record",
            ),
        ),
        "test_http_answers.py::test_a_server_that_takes_small_requests": (
            (
                "413_request",
                "413 for a request of several records",
                STORED,
                "",
                "nothing: requests become smaller",
            ),
        ),
        "test_http_answers.py::test_a_record_is_rejected_in_part": (
            (
                "partial",
                "200 with a partial success that rejects some records",
                TAKEN,
                "rejected 1 of them for good: too old",
                "see the server's reason: they are counted as `rejected_in_part`, OTLP does not say which",
            ),
        ),
        "test_http_answers.py::test_a_server_warns": (
            ("warning", "200 with a warning", STORED, "use another tenant", "do what the warning says"),
        ),
        "test_paths.py::test_a_path_that_cuts_large_requests_gets_smaller_ones": (
            (
                "reset",
                "a path resets the connection of large requests",
                STORED,
                "",
                "nothing: requests become smaller for five minutes",
            ),
        ),
        "test_paths.py::test_the_first_address_is_silent": (
            ("address", "the first address of a name is silent", STORED, "", "nothing: the next one is used"),
        ),
        "test_paths.py::test_a_renewed_authority_is_read_again": (
            (
                "renewed",
                "the Collector's authority and the file `certificate` are renewed",
                STORED,
                "",
                "nothing",
            ),
        ),
    },
)
