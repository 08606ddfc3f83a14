"""The identity of a destination: the same in every process that has it configured."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

__all__ = ["Identity"]


class Identity(NamedTuple):
    """What a destination is across processes and restarts. It never contains a secret."""

    #: The kind of backend, for example ``"jsonl"``.
    kind: str
    #: The target, for example an absolute path, or ``host:port/database/table``.
    key: str

    @property
    def text(self) -> str:
        """The key as JSON can hold it: a path may have bytes that are not UTF-8."""
        return os.fsencode(self.key).decode("utf-8", "backslashreplace")

    @property
    def hash(self) -> str:
        """The short form, for names of files."""
        return hashlib.sha256(f"{self.kind}\0{self.text}".encode()).hexdigest()[:20]
