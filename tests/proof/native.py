"""The compiled path against Python's for as long as you like: ``python -m tests.proof.native --seconds 120``.

Random spool bytes, walked and rendered by both flavours, random records, encoded by both, and random lines, made into
rows, messages and requests by both; every difference is an error. Run it with a build of
``OTEL_STDLIB_CFLAGS="-fsanitize=address,undefined"``, as ``.ci/sanitize`` does, and every access beyond a buffer is
one too. With ``--seed`` a run that failed is repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time

from otel_stdlib._native import core, missing
from tests._native.cases import compare_bytes
from tests._native.messages import Messages
from tests._native.records import Encoders, make_context, make_record
from tests._native.requests import Requests
from tests._native.rows import Rows

__all__ = ["fuzz"]

#: Records, or buffers, of one kind after the other.
_TURN = 200


def fuzz(seconds: float, first: int) -> str:
    """Compare one seed after the other, from ``first`` on; what was compared."""
    encoders, makers = Encoders(), (Rows(), Messages(), Requests())

    def compare_records(chance: random.Random) -> None:
        make_context(chance)
        encoders.compare(make_record(chance))

    kinds = (compare_bytes, compare_records, *(each.compare for each in makers))
    number = first
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number += 1
        chance = random.Random(number)
        try:
            kinds[number // _TURN % len(kinds)](chance)
        except BaseException:
            print(f"python -m tests.proof.native --seconds 1 --seed {number - 1}", file=sys.stderr)
            raise
    fast, slow = map(sum, zip(encoders.paths(), *(each.paths() for each in makers), strict=True))
    return f"{number - first:,} buffers, records and tables ({fast:,} lines in C, {slow:,} by Python)"


def main() -> int:
    """Compare, and say how much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first one; default: random")
    arguments = parser.parse_args()
    if core is None:
        print(f"there is nothing to compare: {missing}")
        return 1
    first = random.SystemRandom().getrandbits(48) if arguments.seed is None else arguments.seed
    with contextlib.suppress(KeyboardInterrupt):
        print(f"{fuzz(arguments.seconds, first)}: no difference (from seed {first})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
