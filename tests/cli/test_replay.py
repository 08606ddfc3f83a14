"""``otel-stdlib replay``, as a program, over dead letters of real destinations."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.cli.replay import Replay
from otel_stdlib.delivery.contract import Batch
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers import PostgresHandler
from tests.faults.harness import bodies, environment, run
from tests.handlers.elasticsearch.helpers import make_frame, make_origin, stored_ids
from tests.handlers.postgres.support import keywords
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.postgres import Database

#: Refuses every second record of twenty, and delivers the others.
REFUSING = """
class Refuses(logging.Formatter):
    def format(self, record):
        if int(record.getMessage().split("-")[1]) % 2:
            raise ValueError("refused on purpose")
        return otel.format(record)
from otel_stdlib import OTelFormatter
otel = OTelFormatter()
changed = config()
changed["formatters"] = {"refuses": {"()": Refuses}}
changed["handlers"]["file"]["formatter"] = "refuses"
logging.config.dictConfig(changed)
for i in range(20): say(f"r-{i}")
assert queue_handler().flush(60)
"""


@pytest.fixture
def index() -> str:
    """An index that no other test has."""
    return f"replay-{secrets.token_hex(6)}"


def replay(folder: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "otel_stdlib.cli", "replay", *map(str, arguments)],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def config_file(folder: Path, handler: dict[str, Any]) -> Path:
    """A configuration with one handler, ``target``."""
    path = folder / "replay.yaml"
    path.write_text(
        json.dumps({"version": 1, "disable_existing_loggers": False, "handlers": {"target": handler}})
    )
    return path


def letters(folder: Path) -> list[dict[str, Any]]:
    """The dead letters that are left."""
    files = sorted((folder / "spools" / "dead-letters").glob("*.jsonl*"))
    return [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]


class TestFile:
    def test_what_was_refused_is_delivered_once_and_its_letters_go(self, tmp_path: Path) -> None:
        """The file had later records of the same spool already; a second replay finds nothing."""
        run(tmp_path, REFUSING)
        assert len(letters(tmp_path)) == 10
        config = config_file(
            tmp_path,
            {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(tmp_path / "out" / "app.jsonl"),
            },
        )
        done = replay(tmp_path, config)
        assert (done.returncode, done.stdout) == (0, "10 delivered, 0 refused again, 0 left\n"), done.stderr
        assert bodies(tmp_path) == Counter({f"r-{i}": 1 for i in range(20)})
        assert letters(tmp_path) == []
        assert "no dead letters" in replay(tmp_path, config).stdout

    def test_a_destination_that_is_away_leaves_the_letters(self, tmp_path: Path) -> None:
        """At the deadline everything is where it was, and the exit status says so."""
        run(tmp_path, REFUSING)
        before = letters(tmp_path)
        (tmp_path / "in-the-way").write_text("a file where a folder should be")
        config = config_file(
            tmp_path,
            {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(tmp_path / "in-the-way" / "app.jsonl"),
            },
        )
        (file,) = (tmp_path / "spools" / "dead-letters").glob("*.jsonl")
        done = replay(tmp_path, config, file, "--timeout", "1")
        assert (done.returncode, done.stdout) == (1, "0 delivered, 0 refused again, 10 left\n"), done.stderr
        assert letters(tmp_path) == before

    def test_what_is_no_letter_stays(self, tmp_path: Path) -> None:
        """A line of somebody else is neither sent nor deleted."""
        strange = tmp_path / "strange.jsonl"
        strange.write_text('not JSON\n{"uid": 1, "record": {"body": "x"}}\n')
        config = config_file(
            tmp_path,
            {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(tmp_path / "out" / "app.jsonl"),
            },
        )
        done = replay(tmp_path, config, strange)
        assert done.returncode == 1
        assert "2 left" in done.stdout
        assert len(strange.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "arguments", [["{config}", "nowhere.jsonl"], ["{config}", "--to", "nobody"], ["nowhere.yaml"]]
)
def test_wrong_arguments_are_named(tmp_path: Path, arguments: list[str]) -> None:
    """One line that quotes the wrong name; no traceback."""
    config = config_file(
        tmp_path, {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": str(tmp_path / "a.jsonl")}
    )
    done = replay(tmp_path, *(text.format(config=config) for text in arguments))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert any(name in done.stderr for name in ("nowhere.jsonl", "nobody", "nowhere.yaml"))


class TestElasticsearch:
    def test_letters_are_stored_under_their_uids(
        self, elasticsearch_server: Elasticsearch, index: str, tmp_path: Path
    ) -> None:
        """Replayed twice from a copy, each document is there once."""
        origin = make_origin()
        frames = [make_frame(n, n=n) for n in range(1, 41)]
        path = tmp_path / "letters.jsonl"
        DeadLetterFile(path, Identity("elasticsearch", "x")).write(
            origin, [(f, "its mapping was wrong") for f in frames]
        )
        whole = path.read_bytes()
        config = config_file(
            tmp_path,
            {
                "class": "otel_stdlib.handlers.ElasticsearchHandler",
                "hosts": [elasticsearch_server.url],
                "index_pattern": index,
            },
        )
        for _ in range(2):
            path.write_bytes(whole)
            done = replay(tmp_path, config, path)
            assert (done.returncode, done.stdout) == (0, "40 delivered, 0 refused again, 0 left\n"), (
                done.stderr
            )
            assert not path.exists()
        assert stored_ids(elasticsearch_server, index) == [f"{origin.spool_id}-{f.lsn:014x}" for f in frames]

    def test_what_is_refused_again_stays_with_the_new_reason(
        self, elasticsearch_server: Elasticsearch, index: str, tmp_path: Path
    ) -> None:
        """A mapping that still does not fit: the letter stays, once, with what the server said now."""
        mappings = {"properties": {"attributes": {"properties": {"n": {"type": "integer"}}}}}
        assert elasticsearch_server.request("PUT", f"/{index}", {"mappings": mappings}).status == 200
        path = tmp_path / "letters.jsonl"
        good, bad = make_frame(1, n=1), make_frame(2, n="no number")
        DeadLetterFile(path, Identity("elasticsearch", "x")).write(
            make_origin(), [(good, "old"), (bad, "old")]
        )
        config = config_file(
            tmp_path,
            {
                "class": "otel_stdlib.handlers.ElasticsearchHandler",
                "hosts": [elasticsearch_server.url],
                "index_pattern": index,
                "template": False,
            },
        )
        done = replay(tmp_path, config, path)
        assert (done.returncode, done.stdout) == (1, "1 delivered, 1 refused again, 0 left\n"), done.stderr
        (left,) = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert left["record"]["attributes"]["n"] == "no number"
        assert "old" not in left["reason"]


class TestPostgres:
    def test_an_interrupted_replay_doubles_nothing(self, postgres_database: Database, tmp_path: Path) -> None:
        """Stored, but killed before the letters went from their file: the next run stores none twice.

        The spool's own position, which is further on, neither hides the letters nor moves.
        """
        origin = make_origin()
        frames = [make_frame(n, n=n) for n in range(1, 41)]
        handler = PostgresHandler(**keywords(postgres_database))
        live = handler.make_destination()
        live.open()
        assert live.deliver(Batch(origin, frames[20:], frames[20].lsn, 50_000)) is None
        path = tmp_path / "letters.jsonl"
        DeadLetterFile(path, handler.identity).write(origin, [(f, "old") for f in frames[:20]])
        interrupted = Replay(handler, time.monotonic() + 30)
        interrupted._destination.forget = lambda origin: None  # type: ignore[method-assign]
        whole = path.read_bytes()
        interrupted.send(path)
        path.write_bytes(whole)
        replay_ = Replay(handler, time.monotonic() + 30)
        replay_.send(path)
        assert (interrupted.sent, replay_.sent, replay_.left) == (20, 0, 0)
        assert not path.exists()
        assert live.position(origin) == 50_000
        for each in (interrupted, replay_, live):
            each.close()
        assert postgres_database.execute(f"SELECT count(*) FROM {handler.options.table_name}") == [(40,)]


def test_what_is_required_is_named() -> None:
    """The configuration, not the files that may be left out."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_stdlib.cli", "replay"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 2 == done.returncode
    assert "required: config\n" in done.stderr
