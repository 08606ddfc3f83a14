"""What becomes of records when a target answers in its various ways: the rows that the tests are made of.

``python -m tests.proof.answers`` prints the table of ``docs/outages.md``. A backend's tests take their rows from
here, bring the situation about by the real server or, where it cannot be brought to it, by one that answers as
documented, and hold what the row says.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ROWS", "Row", "rows_of", "table"]

#: What a row may say, and what that means.
STORED, WAITS, LETTER, TAKEN = "stored", "waits", "dead letter", "taken, not kept"


class Row(NamedTuple):
    """One situation."""

    destination: str
    #: The name of its test case.
    key: str
    situation: str
    #: ``stored``, ``waits``, ``dead letter`` or ``taken, not kept``.
    happens: str
    #: Words that ``last_error`` or stderr has. "": nothing is reported.
    reported: str
    #: What you have to do.
    todo: str


def _elasticsearch(key: str, situation: str, happens: str, reported: str, todo: str) -> Row:
    return Row("Elasticsearch", key, situation, happens, reported, todo)


ROWS = (
    _elasticsearch(
        "shard_limit",
        "the cluster's shard limit is reached, the day's index cannot be made",
        WAITS,
        "maximum normal shards open",
        "raise `cluster.max_shards_per_node`, or delete indices",
    ),
    _elasticsearch(
        "closed",
        "the index is closed",
        WAITS,
        "index_closed_exception",
        "open the index",
    ),
    _elasticsearch(
        "alias",
        "the name is an alias without a write index",
        WAITS,
        "no write index is defined",
        "give the alias a write index",
    ),
    _elasticsearch(
        "pipeline_gone",
        "the index's ingest pipeline does not exist",
        WAITS,
        "pipeline with id [gone]",
        "create the pipeline, or take it out of the index's settings",
    ),
    _elasticsearch(
        "read_only",
        "the index is blocked for writing, as by a full disk",
        WAITS,
        "cluster_block_exception",
        "free disk space or lift the block",
    ),
    _elasticsearch(
        "strict",
        "a mapping refuses every record",
        WAITS,
        "strict_dynamic_mapping_exception",
        "correct the mapping or the template",
    ),
    _elasticsearch(
        "bad_among_good",
        "a mapping refuses one record among good ones",
        LETTER,
        "document_parsing_exception",
        "nothing, or correct the record and `replay`",
    ),
    _elasticsearch(
        "bad_run",
        "a mapping refuses 1,000 records in a row, good ones follow",
        LETTER,
        "document_parsing_exception",
        "nothing, or correct the records and `replay`",
    ),
    _elasticsearch(
        "stream_closed",
        "an old backing index of the data stream is closed",
        STORED,
        "index_closed_exception",
        "open it: a record may be stored twice when a rollover falls between two tries",
    ),
    _elasticsearch(
        "stream_window",
        "`max_result_window` of a backing index is small",
        STORED,
        "",
        "nothing",
    ),
    _elasticsearch(
        "stream_read_block",
        "a backing index may not be read",
        STORED,
        "may not be searched",
        "nothing: a record may be stored twice when a rollover falls between two tries",
    ),
    _elasticsearch(
        "nul_in_body",
        "a name in a structured message has U+0000",
        STORED,
        "",
        "nothing: `otel_stdlib.repaired` tells",
    ),
    _elasticsearch(
        "nul_in_attribute",
        "an attribute's name has U+0000",
        STORED,
        "",
        "nothing: `otel_stdlib.repaired` tells",
    ),
    _elasticsearch(
        "long_key",
        "a name has 40,000 characters",
        STORED,
        "",
        "nothing: it is cut to 1,024",
    ),
    _elasticsearch(
        "before_1970",
        "an event's time is before 1970, in a data stream",
        STORED,
        "",
        "nothing: `@timestamp` is clamped, `timestamp` is not",
    ),
    _elasticsearch(
        "after_2262",
        "an event's time is after 2262-04-11, in a data stream",
        STORED,
        "",
        "nothing: `@timestamp` is clamped, `timestamp` is not",
    ),
    _elasticsearch(
        "other_version",
        "the server is of another major version",
        WAITS,
        "another major version",
        "upgrade the server or the client",
    ),
    _elasticsearch(
        "gateway_400",
        "a gateway answers 400 with a page of its own",
        WAITS,
        "answered 400",
        "repair the gateway",
    ),
    _elasticsearch(
        "gateway_407",
        "a proxy asks for credentials (407)",
        WAITS,
        "asks for credentials",
        "add them to `HTTPS_PROXY`",
    ),
    _elasticsearch(
        "gateway_403",
        "a gateway answers 403",
        WAITS,
        "refused permission",
        "repair the gateway or the role",
    ),
    _elasticsearch(
        "gateway_404",
        "a gateway answers 404",
        WAITS,
        "answered 404",
        "correct `hosts` or the gateway",
    ),
    _elasticsearch(
        "gateway_308",
        "a gateway answers with a redirect (308)",
        WAITS,
        "answered 308",
        "correct `hosts`",
    ),
    _elasticsearch(
        "gateway_500",
        "a gateway answers 500",
        WAITS,
        "answered 500",
        "repair the gateway",
    ),
    _elasticsearch(
        "pipeline_fails",
        "an ingest pipeline fails for every record",
        WAITS,
        "fail_processor_exception",
        "repair the pipeline",
    ),
    _elasticsearch(
        "pipeline_drops",
        "an ingest pipeline drops records",
        TAKEN,
        "dropped",
        "nothing: they are counted as `pipeline_dropped` and are not in the index",
    ),
)


def rows_of(destination: str) -> dict[str, Row]:
    """The rows of one destination by their keys."""
    return {row.key: row for row in ROWS if row.destination == destination}


def table() -> str:
    """The table of ``docs/outages.md``."""
    lines = ["| destination | situation | what happens | what you have to do |", "|---|---|---|---|"]
    for row in ROWS:
        reported = f", and is reported (`{row.reported}`)" if row.reported else ""
        lines.append(f"| {row.destination} | {row.situation} | {row.happens}{reported} | {row.todo} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
