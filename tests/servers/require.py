"""What happens where a server cannot be had: a skip with the reason, or an error where servers are required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

#: With "1" a server that cannot be had fails the test that needs it.
REQUIRE = "OTEL_STDLIB_REQUIRE_SERVERS"


def servers_required() -> bool:
    """Whether a missing server is an error."""
    return os.environ.get(REQUIRE, "") not in ("", "0")


def missing(what: str, reason: object) -> NoReturn:
    """Skips the running test because `what` cannot be had, or fails it where servers are required."""
    message = f"{what} cannot be had: {reason}"
    if servers_required():
        raise pytest.fail.Exception(f"{message} ({REQUIRE} is set)", pytrace=False) from None
    pytest.skip(message)
