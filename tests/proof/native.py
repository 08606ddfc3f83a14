"""The compiled path against Python's for as long as you like: ``python -m tests.proof.native --seconds 120``.

Random spool bytes, walked and rendered by both flavours; every difference is an error. Run it with a build of
``OTEL_STDLIB_CFLAGS="-fsanitize=address,undefined"``, as ``.ci/sanitize`` does, and every access beyond a buffer
is one too. With ``--seed`` a run that failed is repeated.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from otel_stdlib._native import core, missing
from tests._native.cases import compare, compare_slices, make_bytes

__all__ = ["fuzz"]


def fuzz(seconds: float, first: int) -> tuple[int, int]:
    """Buffers and frames that were compared, one seed after the other from ``first``."""
    buffers = frames = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number = first + buffers
        chance = random.Random(number)
        seed = chance.getrandbits(32)
        data = make_bytes(chance, seed)
        position = chance.choice((0, 0, chance.randrange(len(data) + 1)))
        room = chance.choice((len(data), len(data) + chance.randrange(6_000), 0))
        base = chance.choice((0, 4096, (7 << 32) + 4096, (1 << 56) - 100, (1 << 62) + 5))
        limit, lost = chance.choice((0, 1, 2, 100)), chance.random() < 0.3
        try:
            pure, compiled = compare(data, position, base, seed, limit, room, lost)
            compare_slices(pure, compiled, chance)
        except BaseException:
            print(f"python -m tests.proof.native --seconds 1 --seed {number}", file=sys.stderr)
            raise
        buffers += 1
        frames += len(pure.frames)
    return buffers, frames


def main() -> int:
    """Compare, and say how much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first buffer; default: random")
    arguments = parser.parse_args()
    if core is None:
        print(f"there is nothing to compare: {missing}")
        return 1
    first = random.SystemRandom().getrandbits(48) if arguments.seed is None else arguments.seed
    buffers, frames = fuzz(arguments.seconds, first)
    print(f"{buffers:,} buffers, {frames:,} frames: no difference (from seed {first})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
