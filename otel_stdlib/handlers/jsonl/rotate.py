"""The names of rotated files, and moving a file into them.

``app.jsonl`` becomes ``app.jsonl.1`` or, compressed, ``app.jsonl.1.gz``; higher numbers are
older. All of it happens under the lock with no block being written, and a kill between two
steps leaves a gap in the numbers, which the next rotation fills.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["Backups"]


class Backups:
    """The rotated files of one target; at most ``count`` are kept.

    Every method may raise OSError.
    """

    def __init__(self, target: str, count: int) -> None:
        self._target = target
        self._count = count

    def plain(self, number: int) -> str:
        """The path of a rotated file."""
        return f"{self._target}.{number}"

    def packed(self, number: int) -> str:
        """The path of a rotated file that is compressed."""
        return f"{self._target}.{number}.gz"

    def _present(self) -> dict[int, list[str]]:
        """The paths that exist, by number, from one look at the folder.

        A call of its own for each number would give the GIL away each time, and get it back 5 ms
        later beside a busy thread.
        """
        folder, name = os.path.split(self._target)
        found: dict[int, list[str]] = {}
        try:
            names = os.listdir(folder)
        except FileNotFoundError:  # the sidecar may lie elsewhere
            return found
        for entry in names:
            if not entry.startswith(f"{name}."):
                continue
            digits = entry[len(name) + 1 :].removesuffix(".gz")
            if digits.isdecimal() and str(int(digits)) == digits and 1 <= int(digits) <= self._count:
                found.setdefault(int(digits), []).append(os.path.join(folder, entry))
        return found

    def existing(self) -> Iterator[str]:
        """The paths of those that exist, the youngest first."""
        present = self._present()
        for number in sorted(present):
            yield max(present[number])  # the compressed one, where a kill left both

    def tidy(self) -> dict[int, str]:
        """Delete what a killed compression left beside its finished result; what is there then."""
        left = {}
        for number, paths in self._present().items():
            if len(paths) > 1:
                os.unlink(self.plain(number))
            left[number] = max(paths)
        return left

    def shift(self) -> None:
        """Move the target to number 1, the others one up, and let the last one go."""
        present = self.tidy()
        gap = next((number for number in range(1, self._count + 1) if number not in present), None)
        if gap is None:
            gap = self._count
            os.unlink(present[gap])
        for number in range(gap - 1, 0, -1):
            path = present[number]
            os.rename(path, self.packed(number + 1) if path.endswith(".gz") else self.plain(number + 1))
        os.rename(self._target, self.plain(1))

    def number_of(self, inode: int) -> int | None:
        """The number that an uncompressed file has now."""
        for number in sorted(self._present()):
            try:
                if os.stat(self.plain(number), follow_symlinks=False).st_ino == inode:
                    return number
            except FileNotFoundError:
                pass
        return None
