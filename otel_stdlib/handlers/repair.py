"""What backends share when they repair a record that they cannot store as it is."""

from __future__ import annotations

from typing import Any

__all__ = ["REPAIRED", "clean_keys"]

#: The attribute that names what was repaired.
REPAIRED = "otel_stdlib.repaired"
_REPLACEMENT = "\ufffd"


def clean_keys(value: Any) -> Any:
    """``value`` with U+FFFD for each U+0000 in the keys of its mappings, which stay unique."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, member in value.items():
            name = clean = key.replace("\0", _REPLACEMENT)
            number = 2
            while name in found or (name != key and name in value):
                name = f"{clean}#{number}"
                number += 1
            found[name] = clean_keys(member)
        return found
    if isinstance(value, list):
        return [clean_keys(member) for member in value]
    return value
