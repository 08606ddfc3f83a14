"""Knowing in a log call that this is a forked child, also where no Python hook ran.

uWSGI and other C programs call ``fork()`` themselves. One byte in a private page that the
kernel wipes in a child (``MADV_WIPEONFORK``) costs 13-31 ns to look at; ``os.getpid()``, the
way where the flag is missing, 139-158 ns.
"""

from __future__ import annotations

import mmap
import os
import sys

__all__ = ["ForkGuard", "new_guard"]

_MADV_WIPEONFORK = 18


class _PidGuard:
    """``guard[0]`` is 0 in a child: the same shape as the page, by process id."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = os.getpid()

    def __getitem__(self, index: int) -> int:
        return 1 if os.getpid() == self._pid else 0


ForkGuard = mmap.mmap | _PidGuard


def new_guard() -> ForkGuard:
    """A guard for this process: ``guard[0]`` is 1 here and 0 in every child."""
    return _wiped_page() or _PidGuard()


def _wiped_page() -> mmap.mmap | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(_MADV_WIPEONFORK)
    except OSError:
        return None
    page[0] = 1
    return page
