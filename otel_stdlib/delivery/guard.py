"""Whether refusals are the fault of records or an outage of their target. Pure.

A server that is full, closed or of another version often answers for each record, in the words it has for a
bad one. One refusal says nothing; a run of them for the same reason, with nothing stored in between, says
that the target takes nothing. Then the records wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["REFUSALS", "VARIOUS", "Guard", "reason_key"]

#: Records refused in a row for the same reason, with nothing stored in between, that make an outage.
REFUSALS = 10
#: The same for refusals whatever their reasons are.
VARIOUS = 100
_KEY_LENGTH = 300
#: What a reason quotes of a record: texts in quotation marks, and every word with a digit in it.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|«[^»]*»")
_NUMBERED = re.compile(r"[\w-]*\d[\w-]*")


def reason_key(reason: str) -> str:
    """A reason without what belongs to one record: ids, numbers and quoted values."""
    return _NUMBERED.sub("#", _QUOTED.sub("?", reason[: 4 * _KEY_LENGTH]))[:_KEY_LENGTH]


class Guard:
    """Counts refusals in a row at one destination.

    Args:
        refusals: see ``REFUSALS``.
        various: see ``VARIOUS``.
    """

    def __init__(self, refusals: int = REFUSALS, various: int = VARIOUS) -> None:
        self._refusals = refusals
        self._various = various
        self._same = 0
        self._any = 0
        self._key = ""
        #: Whether the run is an outage: records wait, and one at a time is tried.
        self.waiting = False

    @property
    def reason(self) -> str:
        """The reason of the run, without its records; "": they are various."""
        return self._key if self._same >= self._refusals else ""

    def refused(self, reasons: Iterable[str]) -> bool:
        """Note an answer that stored nothing and refused records; whether the target is at fault."""
        for reason in reasons:
            key = reason_key(reason)
            self._same = self._same + 1 if key == self._key else 1
            self._any += 1
            self._key = key
            if self._same >= self._refusals or self._any >= self._various:
                self.waiting = True
        return self.waiting

    def took(self) -> bool:
        """The target has stored a record: the run is over. Whether records were waiting."""
        was_waiting, self.waiting = self.waiting, False
        self._same = self._any = 0
        self._key = ""
        return was_waiting
