"""Telling whether a file is another one by now."""

from __future__ import annotations

import os

__all__ = ["FileState", "look"]

#: None: there is no such file.
FileState = tuple[int, int, int] | None


def look(path: str | os.PathLike[str]) -> FileState:
    """What changes with the file's content. A rename over it gives another inode."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
