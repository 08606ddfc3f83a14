"""The modules that users import from: their names are loaded when they are asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["load_on_demand"]


def load_on_demand(
    root: str, places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a module whose names are imported on first use (PEP 562).

    Importing the root alone then costs next to nothing: no backend, driver or parser is loaded
    before a name needs it. A class or function gets ``root`` as its ``__module__``, so that
    names, tracebacks and ``repr`` show the path that users import it from.

    Args:
        root: the module's name.
        places: names, with a space between, by the module that defines them.
    """
    defined_in = {name: place for place, names in places.items() for name in names.split()}

    def load(name: str) -> Any:
        try:
            place = defined_in[name]
        except KeyError:
            raise AttributeError(f"module {root!r} has no attribute {name!r}", name=name) from None
        value = getattr(importlib.import_module(place), name)
        if str(getattr(value, "__module__", "")).startswith("otel_stdlib."):
            value.__module__ = root
        setattr(sys.modules[root], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[root]), *defined_in})

    return load, names
