"""What a spool says of itself, so that another process can deliver it.

Written once, before the spool is visible, as ``manifest.json`` and again in the header of
every segment: a damaged copy is replaced by another.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from otel_stdlib.spool.ids import is_spool_id

__all__ = ["Manifest", "Target", "identity_hash", "key_text"]

_VERSION = 2
#: In spools of version 1 each frame holds one line.
_READABLE = (1, _VERSION)


def identity_hash(kind: str, key: str) -> str:
    """The short form of a destination's identity, as it stands in file names."""
    return hashlib.sha256(f"{kind}\0{key_text(key)}".encode()).hexdigest()[:20]


def key_text(key: str) -> str:
    """A destination's key as JSON can hold it: a path may have bytes that are no UTF-8."""
    return os.fsencode(key).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Target:
    """One destination that the spool's records are for. No secret stands in it."""

    kind: str
    key: str
    name: str

    @property
    def hash(self) -> str:
        """The short form of its identity."""
        return identity_hash(self.kind, self.key)


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
                "targets": [{"kind": t.kind, "key": t.key, "name": t.name} for t in self.targets],
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
                    Target(str(t["kind"]), str(t["key"]), str(t["name"])) for t in fields["targets"]
                ),
            )
        except (ValueError, KeyError, TypeError):
            return None
