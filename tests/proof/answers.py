"""What becomes of records when a target answers in its various ways: the rows that the tests are made of.

``python -m tests.proof.answers`` prints the table of ``docs/outages.md``, with ``--write`` it is put there. A
backend's tests take their rows from here, bring the situation about by the real server or, where it cannot be
brought to it, by one that answers as documented, and hold what the row says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.proof.row import LETTER, STORED, TAKEN, WAITS, Row
from tests.proof.rows_elasticsearch import ROWS as ELASTICSEARCH
from tests.proof.rows_jsonl import ROWS as JSONL
from tests.proof.rows_kafka import ROWS as KAFKA
from tests.proof.rows_otlp import ROWS as OTLP
from tests.proof.rows_otlp_grpc import ROWS as OTLP_GRPC
from tests.proof.rows_postgres import ROWS as POSTGRES
from tests.proof.rows_postgres_rows import ROWS as POSTGRES_ROWS

__all__ = ["LETTER", "PAGE", "ROWS", "STORED", "TAKEN", "WAITS", "Row", "page_with", "rows_of", "table"]

ROWS = (*ELASTICSEARCH, *POSTGRES, *POSTGRES_ROWS, *OTLP, *OTLP_GRPC, *KAFKA, *JSONL)
PAGE = Path(__file__).parents[2] / "docs" / "outages.md"
_HEAD = "| destination | situation | what happens | what you have to do |"


def rows_of(destination: str) -> dict[str, Row]:
    """The rows of one destination by their keys."""
    return {row.key: row for row in ROWS if row.destination == destination}


def table() -> str:
    """The table of ``docs/outages.md``."""
    lines = [_HEAD, "|---|---|---|---|"]
    for row in ROWS:
        reported = f", and is reported (`{row.reported}`)" if row.reported else ""
        lines.append(f"| {row.destination} | {row.situation} | {row.happens}{reported} | {row.todo} |")
    return "\n".join(lines) + "\n"


def page_with(page: str) -> str:
    """The text of ``docs/outages.md`` with the table of today."""
    before, _, rest = page.partition(_HEAD)
    after = [line for line in rest.splitlines(keepends=True)[1:] if not line.startswith("|")]
    return before + table() + "".join(after)


def main() -> None:
    """Print the table, or put it into the page."""
    parser = argparse.ArgumentParser(description="The table of docs/outages.md.")
    parser.add_argument("--write", action="store_true", help="put it into docs/outages.md")
    if parser.parse_args().write:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
