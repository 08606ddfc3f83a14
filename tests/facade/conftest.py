"""Fixtures of the tests of the facade."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facade.configure import _logger
from tests.support import whole_lines


@pytest.fixture(autouse=True)
def closed_facade(restored_logging: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test works in a folder of its own and leaves the one logger closed."""
    monkeypatch.chdir(tmp_path)
    yield
    _logger.close(5)


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """``records("logs/app.jsonl")``: the records in a file, in order."""

    def read(name: str = "logs/app.jsonl") -> list[dict[str, Any]]:
        path = tmp_path / name
        return [json.loads(line) for line in whole_lines(path)]

    return read


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """``write_config(text)``: a configuration file; ``$OUT`` in it is the test's folder."""

    def write(text: str, name: str = "logger_config.yaml") -> Path:
        path = tmp_path / name
        # In one step, as a careful editor does: a watcher never sees half a file.
        new = tmp_path / f"{name}.new"
        new.write_text(text.replace("$OUT", str(tmp_path)))
        new.replace(path)
        return path

    return write
