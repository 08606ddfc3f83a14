"""Options of the spool: defaults, limits, messages."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.spool.options import SpoolOptions


def test_defaults_are_pinned() -> None:
    """A changed default is a decision, not an accident."""
    assert dataclasses.asdict(SpoolOptions()) == {
        "directory": None,
        "max_bytes": 1 << 30,
        "segment_bytes": 8 << 20,
        "durability": "process",
        "sync_interval": 0.5,
        "overflow": "shed",
        "block_timeout": 5.0,
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_bytes": "1GB"}, ["'max_bytes'", "'1GB'"]),
        ({"max_bytes": True}, ["'max_bytes'"]),
        ({"segment_bytes": 10}, ["'segment_bytes'", "10"]),
        ({"segment_bytes": 8 << 20, "max_bytes": 16 << 20}, ["'max_bytes'", "four times"]),
        ({"durability": "disk"}, ["'durability'", "process, os, record, memory", "'disk'"]),
        ({"overflow": "wait"}, ["'overflow'", "shed, drop_oldest, block"]),
        ({"sync_interval": 0}, ["'sync_interval'"]),
        ({"directory": 5}, ["'directory'"]),
        ({"durabilty": "os"}, ["'durabilty'", "did you mean 'durability'"]),
        ({"xyz": 1}, ["'xyz'", "(known: "]),
    ],
)
def test_wrong_options_are_named(given: dict[str, Any], words: list[str]) -> None:
    """Each message quotes the option and says what is allowed."""
    with pytest.raises(ConfigError) as caught:
        SpoolOptions.of(given)
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_shape_is_named() -> None:
    """``spool`` itself must be a mapping."""
    with pytest.raises(ConfigError, match="'spool' must be a mapping"):
        SpoolOptions.of(["directory"])  # type: ignore[arg-type]


def test_of_takes_what_it_made() -> None:
    """Options pass through; None means the defaults."""
    options = SpoolOptions(durability="os")
    assert SpoolOptions.of(options) is options
    assert SpoolOptions.of(None) == SpoolOptions()
