"""What Elasticsearch, and what is in front of it, answers."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, TAKEN, WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "Elasticsearch",
    "elasticsearch",
    {
        "test_states.py::test_records_wait_for_the_cluster": (
            (
                "shard_limit",
                "the cluster's shard limit is reached, the day's index cannot be made",
                WAITS,
                "maximum normal shards open",
                "raise `cluster.max_shards_per_node`, or delete indices",
            ),
            ("closed", "the index is closed", WAITS, "index_closed_exception", "open the index"),
            (
                "alias",
                "the name is an alias without a write index",
                WAITS,
                "no write index is defined",
                "give the alias a write index",
            ),
            (
                "pipeline_gone",
                "the index's ingest pipeline does not exist",
                WAITS,
                "pipeline with id [gone]",
                "create the pipeline, or take it out of the index's settings",
            ),
            (
                "read_only",
                "the index is blocked for writing, as by a full disk",
                WAITS,
                "cluster_block_exception",
                "free disk space or lift the block",
            ),
            (
                "strict",
                "a mapping refuses every record",
                WAITS,
                "strict_dynamic_mapping_exception",
                "correct the mapping or the template",
            ),
        ),
        "test_states.py::test_bad_records_do_not_stop_the_others": (
            (
                "bad_among_good",
                "a mapping refuses one record among good ones",
                LETTER,
                "document_parsing_exception",
                "nothing, or correct the record and `replay`",
            ),
            (
                "bad_run",
                "a mapping refuses 1,000 records in a row, good ones follow",
                LETTER,
                "document_parsing_exception",
                "nothing, or correct the records and `replay`",
            ),
        ),
        "test_states.py::test_a_new_process_delivers_to_a_stream_with_an_odd_old_index": (
            (
                "stream_closed",
                "an old backing index of the data stream is closed",
                STORED,
                "index_closed_exception",
                "open it: a record may be stored twice when a rollover falls between two tries",
            ),
            ("stream_window", "`max_result_window` of a backing index is small", STORED, "", "nothing"),
            (
                "stream_read_block",
                "a backing index may not be read",
                STORED,
                "may not be searched",
                "nothing: a record may be stored twice when a rollover falls between two tries",
            ),
        ),
        "test_states.py::test_odd_records_are_stored": (
            (
                "nul_in_body",
                "a name in a structured message has U+0000",
                STORED,
                "",
                "nothing: `otel_stdlib.repaired` tells",
            ),
            (
                "nul_in_attribute",
                "an attribute's name has U+0000",
                STORED,
                "",
                "nothing: `otel_stdlib.repaired` tells",
            ),
            ("long_key", "a name has 40,000 characters", STORED, "", "nothing: it is cut to 1,024"),
            (
                "before_1970",
                "an event's time is before 1970, in a data stream",
                STORED,
                "",
                "nothing: `@timestamp` is clamped, `timestamp` is not",
            ),
            (
                "after_2262",
                "an event's time is after 2262-04-11, in a data stream",
                STORED,
                "",
                "nothing: `@timestamp` is clamped, `timestamp` is not",
            ),
        ),
        "test_scripted_answers.py::test_records_wait": (
            (
                "other_version",
                "the server is of another major version",
                WAITS,
                "another major version",
                "upgrade the server or the client",
            ),
            (
                "gateway_400",
                "a gateway answers 400 with a page of its own",
                WAITS,
                "answered 400",
                "repair the gateway",
            ),
            (
                "gateway_407",
                "a proxy asks for credentials (407)",
                WAITS,
                "asks for credentials",
                "add them to `HTTPS_PROXY`",
            ),
            (
                "gateway_403",
                "a gateway answers 403",
                WAITS,
                "refused permission",
                "repair the gateway or the role",
            ),
            ("gateway_404", "a gateway answers 404", WAITS, "answered 404", "correct `hosts` or the gateway"),
            (
                "gateway_308",
                "a gateway answers with a redirect (308)",
                WAITS,
                "answered 308",
                "correct `hosts`",
            ),
            ("gateway_500", "a gateway answers 500", WAITS, "answered 500", "repair the gateway"),
            (
                "pipeline_fails",
                "an ingest pipeline fails for every record",
                WAITS,
                "fail_processor_exception",
                "repair the pipeline",
            ),
        ),
        "test_scripted_answers.py::test_what_a_pipeline_drops_is_counted": (
            (
                "pipeline_drops",
                "an ingest pipeline drops records",
                TAKEN,
                "dropped",
                "nothing: they are counted as `pipeline_dropped` and are not in the index",
            ),
        ),
    },
)
