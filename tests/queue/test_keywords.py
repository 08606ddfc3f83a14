"""Keywords of ``OTelQueueHandler`` that are unknown or have no effect."""

from __future__ import annotations

import logging
import queue

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.facts.errors import ConfigError


def test_an_unknown_option_names_the_nearest() -> None:
    """As with every other handler of this package."""
    with pytest.raises(
        ConfigError, match=r"unknown option 'spol' of OTelQueueHandler; did you mean 'spool'\?"
    ):
        OTelQueueHandler(spol={})  # type: ignore[call-arg]


def test_options_without_effect_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """Once each, where the handler is made; a queue alone has its effect."""
    for _ in range(2):
        OTelQueueHandler(queue.Queue(), handlers=[logging.NullHandler()], listener=object())
    OTelQueueHandler(queue.Queue())
    lines = capsys.readouterr().err.splitlines()
    assert ["'listener'", "'queue'"] == sorted(line.split()[2] for line in lines), lines
