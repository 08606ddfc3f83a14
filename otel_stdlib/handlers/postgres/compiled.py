"""The rows of a table of frames, in pieces that C makes without the GIL: see ``otel_stdlib._native``.

``rows.py`` specifies them, and makes those of lines that are not ordinary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from otel_stdlib._native import core
from otel_stdlib.handlers.postgres.shape import TableShape
from otel_stdlib.spool.frame import Frame

__all__ = ["CompiledRows", "make_compiled_rows"]


class CompiledRows:
    """Makes the rows of one origin. Used by one thread.

    Args:
        writer: ``RowWriter``.
        middle: what a row has between the span and the line's own attributes, by the line's members there.
        row: any row.
    """

    def __init__(self, writer: Any, middle: Callable[[bytes], bytes], row: Callable[[Frame], bytes]) -> None:
        self._writer = writer
        self._middle = middle
        self._row = row

    def parts(self, frames: Sequence[Frame], most_bytes: int) -> Iterator[bytes]:
        """Rows in order, in parts of about ``most_bytes`` at most; a single row may be longer.

        Raises:
            ValueError: a frame holds no record.
        """
        writer, row = self._writer, self._row
        first, count = 0, len(frames)
        while first < count:
            part, first, members, left_out = writer.write(frames, first, most_bytes, True)
            if left_out:
                begin = 0
                parts: list[bytes] = []
                for number, offset in left_out:
                    parts += part[begin:offset], row(frames[number])
                    begin = offset
                part = b"".join((*parts, part[begin:]))
            if part:
                yield part
            if members:
                writer.know(members, self._middle(members))


def make_compiled_rows(
    shape: TableShape, uid: bytes, middle: Callable[[bytes], bytes], row: Callable[[Frame], bytes]
) -> CompiledRows | None:
    """For a table in the classic layout; None where pure Python runs."""
    if core is None:
        return None
    writer = core.RowWriter(uid, shape.severity_length, shape.body_length)
    return CompiledRows(writer, middle, row)
