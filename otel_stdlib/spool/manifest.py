"""What a spool says of itself, so that another process can deliver it.

Written once, before the spool is visible, as ``manifest.json`` and again in the header of
every segment: a damaged copy is replaced by another.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.ids import is_spool_id

__all__ = ["Manifest", "Target"]

_VERSION = 2
#: In spools of version 1 each frame holds one line.
_READABLE = (1, _VERSION)


class Target(NamedTuple):
    """One destination that the spool's records are for."""

    identity: Identity
    #: The handler's name, for reports.
    name: str

    @property
    def hash(self) -> str:
        """The short form of its identity."""
        return self.identity.hash


@dataclass(frozen=True)
class Manifest:
    """A spool's manifest."""

    spool_id: str
    #: Nanoseconds since 1970 UTC.
    created_ns: int
    #: Of the process that made it: information, never identity.
    pid: int
    #: One JSON object in UTF-8.
    resource: bytes
    targets: tuple[Target, ...]

    def dump(self) -> bytes:
        """One line of JSON with its check in front."""
        body = orjson.dumps(
            {
                "version": _VERSION,
                "spool_id": self.spool_id,
                "created_ns": self.created_ns,
                "pid": self.pid,
                "resource": orjson.Fragment(self.resource),
                "targets": [
                    {"kind": t.identity.kind, "key": t.identity.text, "name": t.name} for t in self.targets
                ],
            }
        )
        return b"%08x %b" % (zlib.crc32(body), body)

    @classmethod
    def parse(cls, data: bytes) -> Manifest | None:
        """A manifest from its bytes; None when they are damaged or of another version."""
        try:
            check, body = data.split(b" ", 1)
            if int(check, 16) != zlib.crc32(body):
                return None
            fields: dict[str, Any] = orjson.loads(body)
            if fields["version"] not in _READABLE or not is_spool_id(fields["spool_id"]):
                return None
            return cls(
                spool_id=fields["spool_id"],
                created_ns=int(fields["created_ns"]),
                pid=int(fields["pid"]),
                resource=orjson.dumps(fields["resource"]),
                targets=tuple(
                    Target(Identity(str(t["kind"]), str(t["key"])), str(t["name"])) for t in fields["targets"]
                ),
            )
        except (ValueError, KeyError, TypeError):
            return None
