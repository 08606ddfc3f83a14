"""Answers that the real server cannot be brought to: a server that says what is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.handlers.elasticsearch.helpers import ListSource, destination, make_frames, working
from tests.handlers.elasticsearch.scripted import Said, Script, count_of, page, said, serving
from tests.proof.answers import TAKEN, WAITS, rows_of
from tests.support import eventually

ROWS = rows_of("Elasticsearch")
VERSION = {
    "error": {
        "type": "media_type_header_exception",
        "reason": "Invalid media-type value on headers [Accept, Content-Type]",
        "caused_by": {
            "type": "status_exception",
            "reason": "A compatible version is required on both Content-Type and Accept headers if either one has "
            "requested a compatible version. Accept version must be either version 8 or 7, but found 9.",
        },
    },
    "status": 400,
}
FAILED = {"status": 500, "error": {"type": "fail_processor_exception", "reason": "enrich index is missing"}}


def items(count: int, **each: object) -> Said:
    """A bulk answer."""
    return said(200, {"items": [{"create": each}] * count})


ANSWERS = {
    "other_version": lambda body: said(400, VERSION),
    "gateway_400": lambda body: page(400),
    "gateway_403": lambda body: page(403),
    "gateway_404": lambda body: page(404),
    "gateway_407": lambda body: page(407),
    "gateway_308": lambda body: page(308),
    "gateway_500": lambda body: page(500),
    "pipeline_fails": lambda body: items(count_of(body), **FAILED),
}


@pytest.mark.parametrize("key", ANSWERS)
def test_records_wait(key: str, tmp_path: Path) -> None:
    """They wait for whatever stands in the way, and are stored once afterwards."""
    row = ROWS[key]
    assert row.happens == WAITS
    broken, stored = [True], [0]

    def answer(method: str, path: str, body: bytes) -> Said:
        if broken and (path.startswith("/_bulk") or key != "pipeline_fails"):
            return ANSWERS[key](body)
        if path.startswith("/_bulk"):
            stored[0] += count_of(body)
            return items(count_of(body), status=201)
        return said(200, {"version": {"number": "9.0.0"}})

    server = Script(answer)
    source = ListSource(make_frames(100))
    with serving(server):
        target = destination(server.url, index_pattern="app-logs", template=False)
        with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
            eventually(lambda: row.reported in worker.snapshot()["last_error"])
            assert worker.snapshot()["failing"]
            assert worker.snapshot()["rejected"] == 0
            assert source.cursor == 0
            broken.clear()
            eventually(lambda: source.cursor >= source.head(), 60)
            assert worker.snapshot()["rejected"] == 0
    assert stored == [100]
    assert not (tmp_path / "dead.jsonl").exists()


def test_a_template_is_not_given_up_for_another_version(tmp_path: Path) -> None:
    """The first request of all says which version it is, and records wait from then on."""
    server = Script(lambda method, path, body: said(400, VERSION))
    source = ListSource(make_frames(10))
    with serving(server):
        target = destination(server.url, index_pattern="app-logs")
        with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: "another major version" in (worker.snapshot()["last_error"] or ""), 60)
            assert target.template is None


def test_what_a_pipeline_drops_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is settled, counted apart, and reported: it is in no index."""
    row = ROWS["pipeline_drops"]
    assert row.happens == TAKEN

    def answer(method: str, path: str, body: bytes) -> Said:
        if path.startswith("/_bulk"):
            return items(count_of(body), status=200)
        return said(200, {"version": {"number": "9.0.0"}})

    server = Script(answer)
    source = ListSource(make_frames(20))
    with serving(server):
        target = destination(server.url, index_pattern="app-logs", template=False)
        target.name = "dropped-by-pipeline"
        with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: source.cursor >= source.head(), 60)
            assert worker.snapshot()["counts"]["pipeline_dropped"] == 20
            assert worker.snapshot()["rejected"] == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if target.name in line]
    assert row.reported in line


def test_one_record_that_a_pipeline_fails_for(tmp_path: Path) -> None:
    """It is a dead letter: the same record would fail each time, whatever its status says."""

    def answer(method: str, path: str, body: bytes) -> Said:
        if path.startswith("/_bulk"):
            found = [{"create": FAILED if n == 3 else {"status": 201}} for n in range(count_of(body))]
            return said(200, {"items": found})
        return said(200, {"version": {"number": "9.0.0"}})

    server = Script(answer)
    source = ListSource(make_frames(10))
    with serving(server):
        target = destination(server.url, index_pattern="app-logs", template=False)
        with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: source.cursor >= source.head(), 60)
            assert worker.snapshot()["rejected"] == 1
