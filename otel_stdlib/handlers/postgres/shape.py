"""What the back end needs to know of the table that it writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otel_stdlib.handlers.postgres.columns import STANDARD, ExtraColumn
from otel_stdlib.handlers.postgres.names import quote

__all__ = ["ColumnInfo", "TableShape"]

_UNLIMITED = 1 << 62


@dataclass(frozen=True)
class ColumnInfo:
    """One column of an existing table: its type's name, and its length where it has one."""

    type: str
    length: int | None = None


@dataclass(frozen=True)
class TableShape:
    """Which columns the table has, of those that we can fill.

    Args:
        columns: the table's columns by name.
        wanted: the user's own columns; those that the table lacks are left out.
    """

    columns: Mapping[str, ColumnInfo]
    wanted: Sequence[ExtraColumn] = ()
    #: Indices into ``STANDARD``.
    chosen: tuple[int, ...] = field(init=False)
    extra: tuple[ExtraColumn, ...] = field(init=False)
    #: Greatest lengths in characters, where a column has one.
    lengths: Mapping[str, int] = field(init=False)
    severity_length: int = field(init=False)
    body_length: int = field(init=False)
    #: The id columns are too short for what the data model says.
    short_ids: bool = field(init=False)
    body_is_json: bool = field(init=False)
    #: All standard columns, in their usual types.
    standard: bool = field(init=False)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        lengths = {
            name: info.length
            for name, info in self.columns.items()
            if info.length is not None and name in STANDARD
        }
        body = self.columns.get("body")
        put("chosen", tuple(index for index, name in enumerate(STANDARD) if name in self.columns))
        put("extra", tuple(column for column in self.wanted if column.name in self.columns))
        put("lengths", lengths)
        put("severity_length", lengths.get("severity_text", _UNLIMITED))
        put("body_length", lengths.get("body", _UNLIMITED))
        put("short_ids", lengths.get("trace_id", 32) < 32 or lengths.get("span_id", 16) < 16)
        put("body_is_json", body is not None and body.type in ("json", "jsonb"))
        put("standard", len(self.chosen) == len(STANDARD) and not self.body_is_json)

    @property
    def written(self) -> list[str]:
        """The columns that records fill, in the order of a row."""
        return [STANDARD[index] for index in self.chosen] + [column.name for column in self.extra]

    @property
    def copy_columns(self) -> str:
        """The column list of COPY."""
        return ", ".join(quote(name) for name in self.written)

    @property
    def missing(self) -> tuple[ExtraColumn, ...]:
        """The user's columns that the table lacks."""
        return tuple(column for column in self.wanted if column.name not in self.columns)
