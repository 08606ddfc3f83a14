"""What Kafka's brokers answer."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "Kafka",
    "kafka",
    {
        "test_answers.py::test_records_wait": (
            (
                "topic",
                "the topic does not exist, and brokers make none",
                WAITS,
                "Unknown topic or partition",
                "make the topic",
            ),
            (
                "topic_transactional",
                "the same, with `transactional`",
                WAITS,
                "Unknown topic or partition",
                "make the topic",
            ),
            (
                "deleted",
                "the topic is deleted while the process runs, and brokers make none",
                WAITS,
                "Unknown topic or partition",
                "make the topic",
            ),
            (
                "topic_right",
                "the account may not write to the topic",
                WAITS,
                "Topic authorization failed",
                "grant WRITE and DESCRIBE on the topic",
            ),
            (
                "transaction_right",
                "with `transactional`, the account has no right to transactional ids or groups",
                WAITS,
                "authorization failed",
                "grant the [rights](kafka.md#exactly-once-and-where-that-ends) with the prefix `otel_stdlib-`",
            ),
        ),
        "test_answers.py::test_an_event_that_is_too_old_for_its_topic": (
            (
                "timestamp",
                "an event's time is beyond the topic's limits",
                STORED,
                "",
                "nothing: the message has the present as its time, the record its own",
            ),
        ),
        "test_destination.py::test_tenants_have_topics_of_their_own": (
            ("created", "the topic does not exist, and brokers make topics", STORED, "", "nothing"),
        ),
        "test_destination.py::test_a_wrong_password_is_said_and_waits": (
            ("password", "SASL: the password is wrong", WAITS, "AUTHENTICATION", "correct `sasl.password`"),
        ),
        "test_destination.py::test_a_late_report_is_waited_for_and_not_sent_again": (
            (
                "late",
                "a broker is silent for longer than `timeout`",
                WAITS,
                "no delivery report",
                "repair the broker, or raise `timeout`",
            ),
        ),
        "test_outage.py::test_the_breaker_opens_when_the_broker_goes": (
            (
                "down",
                "no broker can be reached",
                WAITS,
                "no broker answers",
                "start the brokers, or correct the address",
            ),
        ),
        "test_tls.py::test_an_unknown_authority_lets_records_wait": (
            (
                "authority",
                "TLS: the brokers' authority is not trusted",
                WAITS,
                "SSL",
                "correct `ssl.ca.location`: a changed file is read again",
            ),
        ),
        "test_tls.py::test_a_renewed_authority_is_read_again": (
            ("renewed", "TLS: the brokers' authority and its file are renewed", STORED, "", "nothing"),
        ),
        "test_destination.py::test_the_cursor_is_read_back_and_deleted": (
            (
                "fenced",
                "with `transactional`, another producer took the spool's transactional id",
                STORED,
                "",
                "nothing: the position is read back",
            ),
        ),
        "test_destination.py::test_a_record_too_large_for_the_client": (
            (
                "large_client",
                "a record is larger than the client's `message.max.bytes`",
                LETTER,
                "MSG_SIZE_TOO_LARGE",
                "raise `message.max.bytes` under `client` and `replay`, or log less in one record",
            ),
        ),
        "test_destination.py::test_a_record_too_large_for_the_topic": (
            (
                "large",
                "a record is larger than the topic's `max.message.bytes`",
                LETTER,
                "TOO_LARGE",
                "raise `max.message.bytes` of the topic and `replay`, or log less in one record",
            ),
        ),
        "test_refusals.py::test_a_long_run_of_bad_records_does_not_stop_the_others": (
            (
                "large_run",
                "a run of records is too large, good ones follow",
                LETTER,
                "TOO_LARGE",
                "raise `max.message.bytes` of the topic and `replay`, or log less in one record",
            ),
        ),
    },
)
