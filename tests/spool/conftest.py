"""Every test of spools runs on both flavours."""

from __future__ import annotations

import pytest

from otel_stdlib._native import core
from otel_stdlib.spool import reader
from otel_stdlib.spool import walk as walks
from otel_stdlib.spool.compiled import CompiledSpool
from otel_stdlib.spool.writer import Spool
from tests.spool import helpers


@pytest.fixture(params=["pure", "compiled"], autouse=True)
def flavour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of spool that ``make_spool`` makes, and of ``walk``."""
    if request.param == "compiled" and core is None:
        pytest.skip("there is no compiled path here")
    monkeypatch.setattr(helpers, "spool_kind", Spool if request.param == "pure" else CompiledSpool)
    if request.param == "pure":
        monkeypatch.setattr(walks, "walk", walks.pure_walk)
        monkeypatch.setattr(reader, "walk", walks.pure_walk)
        monkeypatch.setattr(reader, "core", None)
