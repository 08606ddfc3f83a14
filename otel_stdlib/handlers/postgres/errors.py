"""What an error of the driver means for a batch. Pure: SQLSTATE in, exception out.

Source of the codes: PostgreSQL's Appendix A. Only the server's primary message is kept, never
its context or detail: those hold the rows.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from otel_stdlib.facts.errors import DeliveryError, PermanentError, RetryableError

__all__ = ["Failure", "classify", "failure_of", "is_stale"]

#: PostgreSQL's classes that say nothing of a row. Others do: bad data (22), broken constraints (23), a row past a
#: limit (54), a view (44) or a function that refused: PL/pgSQL's P0, those of functions (09, 20, 21, 27, 2F, 38, 39),
#: and the codes of a trigger's own, whose classes are none of PostgreSQL's.
_NOT_ROW_CLASSES = frozenset(
    (
        *(
            "00",
            "01",
            "02",
            "03",
            "08",
            "0A",
            "0B",
            "0F",
            "0L",
            "0P",
            "0Z",
            "24",
            "25",
            "26",
            "28",
            "2B",
            "2D",
            "34",
        ),
        *("3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "72", "F0", "HV", "XX"),
    )
)
#: Names that are unknown or wrong. Once the server reads rows it knows the table: then they are those of a trigger.
_NAMES, _NO_RIGHT = "42", "42501"
#: In the classes of rows, but true of every row: SERIAL is used up.
_NOT_THE_ROW = {
    "2200H": "its sequence is used up: give 'id' and the sequence the type bigint",
}
#: The table is not what it was when it was looked at; 42501 is also row-level security that was turned on.
_STALE = frozenset(("42P01", "42703", "3F000", "42P10", "42809", "0A000", "42846", "42804", "42501"))
_ADVICE = {
    "25006": "the server is read-only",
    "28P01": "authentication failed: see 'user' and 'password'",
    "28000": "authentication failed: see 'user' and the server's pg_hba.conf",
    "3D000": "see 'database'",
    "42501": "grant INSERT on the table and SELECT, INSERT, UPDATE and DELETE on its offsets table;"
    " to make them, CREATE on the schema",
    "42P01": "it is made again with 'create_table'",
    "53100": "the server's disk is full",
    "53300": "the server has no connection left",
    "57014": "cancelled, as by 'statement_timeout' while it waited for a lock",
}


#: libpq's words for a server without TLS. For servers that are not local we ask for it by default.
_NO_TLS = "server does not support SSL"
_NO_TLS_ADVICE = " (set 'sslmode: disable' to send records and the password in the clear)"


#: The server's function that finds no partition: its messages are translated, and its code is every
#: constraint's.
_PARTITION_SEARCH = "ExecFindPartition"
_MOMENT = re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}(?: [0-9:.]+(?:[+-][0-9:]+)?)?")


class Failure(NamedTuple):
    """An error of the driver, reduced to what may be shown."""

    #: None: no answer from the server, as when the connection is lost.
    sqlstate: str | None
    message: str
    #: The time for which the table has no partition, "" where the server names none; None: another error.
    no_partition: str | None = None
    #: Schema, table and name of the key or check that a row broke, where the server names it.
    constraint: tuple[str, str, str] | None = None


def failure_of(error: Any) -> Failure:
    """The code and the primary message of a ``psycopg2.Error``."""
    diag = getattr(error, "diag", None)
    primary = getattr(diag, "message_primary", None)
    # Without a diagnosis the text is libpq's own, as for a refused connection; one line of it is enough.
    text = primary or " ".join(str(error).split()) or type(error).__name__
    sqlstate = getattr(error, "pgcode", None) or getattr(diag, "sqlstate", None)
    return Failure(sqlstate, _shown(text), _no_partition(diag), _constraint(diag))


def _no_partition(diag: Any) -> str | None:
    if getattr(diag, "source_function", None) != _PARTITION_SEARCH:
        return None
    # Of the detail, which has the key of the row, only the time.
    found = _MOMENT.search(getattr(diag, "message_detail", None) or "")
    return found[0] if found else ""


def _constraint(diag: Any) -> tuple[str, str, str] | None:
    names = tuple(getattr(diag, f"{part}_name", None) for part in ("schema", "table", "constraint"))
    return (str(names[0]), str(names[1]), str(names[2])) if all(names) else None


def _shown(text: str) -> str:
    return text if len(text) <= 500 else text[:500] + "…"


def classify(failure: Failure, *, in_rows: bool = False) -> DeliveryError:
    """The exception that a delivery thread acts on.

    ``PermanentError`` is for what is wrong with a row; all else is worth another try, however
    long it takes: the server, the table, a right or a partition may come back.

    Args:
        failure: what the server said.
        in_rows: it had begun to read rows.
    """
    code = failure.sqlstate
    if failure.no_partition is not None:
        of = f" for {failure.no_partition}" if failure.no_partition else ""
        return RetryableError(f"{failure.message} ({code}; make the partition{of}, or a DEFAULT partition)")
    if code is None:
        hint = _NO_TLS_ADVICE if _NO_TLS in failure.message else ""
        return RetryableError(failure.message + hint)
    if in_rows and code.startswith(_NAMES) and code != _NO_RIGHT:
        return PermanentError(f"{failure.message} ({code}, in a trigger or a function of the table)")
    advice = _NOT_THE_ROW.get(code) or _ADVICE.get(code)
    text = f"{failure.message} ({code}{'; ' + advice if advice else ''})"
    if code not in _NOT_THE_ROW and code[:2] not in _NOT_ROW_CLASSES:
        return PermanentError(text)
    return RetryableError(text)


def is_stale(sqlstate: str | None) -> bool:
    """Whether the error says that the table has changed and must be looked at again."""
    return sqlstate in _STALE
