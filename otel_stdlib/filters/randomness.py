"""OpenTelemetry's consistent probability sampling: thresholds and randomness of 56 bits, as 14 hex digits.

Sources: specification "TraceState: Probability Sampling" and "TraceState Handling". The threshold is rounded as
``ProbabilityToThresholdWithPrecision`` of the package ``pkg/sampling`` in opentelemetry-collector-contrib
does, which the processor ``probabilistic_sampler`` uses in the modes ``proportional`` and ``equalizing``. It
differs from the specification's example for ratios above 15/16 alone: there it has more digits.
"""

from __future__ import annotations

import math
import re
from hashlib import blake2b

from otel_stdlib.facts.memo import keep

__all__ = ["KEEP_ALL", "explicit_randomness", "hashed_randomness", "parse_threshold", "threshold", "written"]

_ALL = 1 << 56
_DIGITS = 14
#: The threshold that everything reaches.
KEEP_ALL = "0" * _DIGITS
#: The threshold that nothing reaches: it sorts behind every hex digit.
_KEEP_NONE = "g"
_RV = re.compile(r"(?:^|;)rv:([0-9a-f]{14})(?:;|\Z)")
_TH = re.compile(r"[0-9a-f]{1,14}\Z")


def threshold(ratio: float, precision: int = 4) -> str:
    """The lowest randomness that is kept at a ratio from 0 to 1: compare it as text.

    Args:
        ratio: the share of records that are kept.
        precision: significant hex digits of the threshold, those after leading zeros.
    """
    if ratio >= 1.0:
        return KEEP_ALL
    if ratio * _ALL < 1.0:
        return _KEEP_NONE
    # More digits where leading zeros or f's would take them. ``frexp`` has them in its exponent.
    extra = max(-math.frexp(ratio)[1], -math.frexp(1.0 - ratio)[1], 0) // 4
    # The product is exact, as 2**56 is a power of two; half is rounded up, as Go's ``math.Round`` does.
    limit = _ALL - int(ratio * _ALL + 0.5)
    shift = 4 * (_DIGITS - min(_DIGITS, precision + extra))
    if shift:
        limit = (limit + (1 << (shift - 1))) >> shift << shift
    return f"{limit:014x}" if limit < _ALL else _KEEP_NONE


def written(limit: str) -> str:
    """A threshold as attributes have it: without trailing zeros, ``0`` for everything."""
    return limit.rstrip("0") or "0"


def parse_threshold(text: object) -> float | None:
    """The ratio that a written threshold stands for; None where it is none."""
    if not isinstance(text, str) or not _TH.match(text):
        return None
    return (_ALL - int(text.ljust(_DIGITS, "0"), 16)) / _ALL


_explicit: dict[str, str] = {}


def explicit_randomness(tracestate: str) -> str:
    """``ot=rv:`` of a ``tracestate`` header; "" where there is none."""
    found = _explicit.get(tracestate)
    if found is None:
        found = ""
        for member in tracestate.split(","):
            name, _, value = member.strip().partition("=")
            if name == "ot":
                match = _RV.search(value)
                found = match[1] if match else ""
                break
        keep(_explicit, tracestate, found)
    return found


def hashed_randomness(value: object) -> str:
    """Randomness from any value: the same in every process."""
    text = str(value).encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=7).hexdigest()
