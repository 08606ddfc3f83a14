"""SQL identifiers: quoted always, within PostgreSQL's 63 bytes always."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from otel_stdlib.facts.errors import ConfigError

__all__ = ["TableName", "literal", "quote", "shorten"]

#: NAMEDATALEN - 1: PostgreSQL cuts longer names silently.
MAX_BYTES = 63
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def quote(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted text constant that is right whatever ``standard_conforming_strings`` says."""
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def shorten(base: str, suffix: str) -> str:
    """``base + suffix``; where that is too long, a hash stands for the end of ``base``."""
    if len((base + suffix).encode()) <= MAX_BYTES:
        return base + suffix
    digest = "_" + hashlib.sha256(base.encode()).hexdigest()[:8]
    room = MAX_BYTES - len((digest + suffix).encode())
    return base.encode()[:room].decode("utf-8", "ignore") + digest + suffix


class TableName(NamedTuple):
    """A table's name; ``schema`` is "" where the server's ``search_path`` decides."""

    schema: str
    table: str

    @classmethod
    def parse(cls, text: object) -> TableName:
        """From ``table`` or ``schema.table``; parts with dots or quotes in them stand in double quotes.

        Letters keep their case, as every name is quoted: ``Logs`` is not ``logs``.

        Raises:
            ConfigError: it is no such name.
        """
        parts: list[str] = []
        if isinstance(text, str) and "\0" not in text:
            end = 0
            while (found := _PART.match(text, end)) is not None:
                parts.append(found[1].replace('""', '"') if found[1] else found[2].strip())
                end = found.end()
                if end == len(text) or text[end] != ".":
                    break
                end += 1
            if end != len(text) or not all(parts) or any(len(p.encode()) > MAX_BYTES for p in parts):
                parts = []
        if len(parts) not in (1, 2):
            raise ConfigError(
                f"option 'table_name' must be 'table' or 'schema.table', each of 1 to {MAX_BYTES} bytes, not {text!r}",
                option="table_name",
            )
        return cls("" if len(parts) == 1 else parts[0], parts[-1])

    @property
    def sql(self) -> str:
        """Quoted for a statement."""
        return f"{quote(self.schema)}.{quote(self.table)}" if self.schema else quote(self.table)

    @property
    def key(self) -> str:
        """For an identity or a message: plain text."""
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def beside(self, suffix: str) -> TableName:
        """The name with ``suffix``, in the same schema, within the length that PostgreSQL keeps."""
        return TableName(self.schema, shorten(self.table, suffix))
