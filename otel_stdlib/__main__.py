"""``python -m otel_stdlib``: the command ``otel-stdlib``."""

from __future__ import annotations

import sys

from otel_stdlib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
