"""Every test of spools runs on both flavours."""

from __future__ import annotations

import pytest

from otel_stdlib._native import core
from otel_stdlib.spool import compiled, reader
from otel_stdlib.spool import walk as walks


@pytest.fixture(params=["pure", "compiled"], autouse=True)
def flavour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the spools which ``make_spool`` makes, and of ``walk``."""
    if request.param == "compiled" and core is None:
        pytest.skip("there is no compiled path here")
    if request.param == "pure":
        monkeypatch.setattr(compiled, "core", None)
        monkeypatch.setattr(walks, "walk", walks.pure_walk)
        monkeypatch.setattr(reader, "walk", walks.pure_walk)
        monkeypatch.setattr(reader, "core", None)
