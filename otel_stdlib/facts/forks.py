"""Letting go, in a forked child, of what belongs to its parent."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["ForkRegistry"]

T = TypeVar("T")


class ForkRegistry(Generic[T]):
    """Objects that hold something which a forked child must not share. Any thread.

    The first one that is added registers the hook, so importing a module registers nothing. There is
    no lock, which a fork could leave locked: at worst the hook is registered twice.

    Args:
        let_go: called with each object in every child; calling it twice does no harm.
    """

    def __init__(self, let_go: Callable[[T], None]) -> None:
        self._let_go = let_go
        self._members: weakref.WeakSet[T] = weakref.WeakSet()
        self._hooked = False

    def add(self, member: T) -> None:
        """Remember one, for as long as somebody else does."""
        self._members.add(member)
        if not self._hooked and hasattr(os, "register_at_fork"):
            self._hooked = True
            os.register_at_fork(after_in_child=self.run)

    def discard(self, member: T) -> None:
        """Forget one; whether it was known does not matter."""
        self._members.discard(member)

    def run(self) -> None:
        """What the hook does. For children of a C-level ``fork()``, which run no hooks, too."""
        for member in list(self._members):
            self._let_go(member)
