"""The command ``otel-stdlib``."""

from otel_stdlib.cli.main import main

__all__ = ["main"]
