"""The compiled path: C that does what Python code of the same names specifies, where it could be built."""

from otel_stdlib._native.load import core, missing

__all__ = ["core", "missing"]
