"""``otel-stdlib redact`` finds and masks secrets in files."""

from __future__ import annotations

import gzip
import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelFormatter
from otel_stdlib.cli import main
from tests.redaction.hostile import SECRETS, M


def written(path: Path, **formatter: Any) -> list[str]:
    """A file as a handler without redaction writes it: two lines with secrets, one without."""
    made = OTelFormatter(**formatter)
    lines = []
    for message, extras in (
        ("password=hunter2", {"user": "joe"}),
        ("clean", {"user": "joe", "n": 3.5}),
        ("x", {"request": {"api_key": "hunter2"}, "raw": SECRETS["github"].encode(), "b": b"\xff"}),
    ):
        record = logging.LogRecord("shop", 20, __file__, 7, message, (), None)
        record.__dict__.update(extras)
        lines.append(made.format(record))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return lines


@pytest.mark.parametrize("shape", ["otel", "ecs", "otlp"])
def test_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str) -> None:
    """Lines with secrets are written anew, all others are the same bytes; a second time nothing is found."""
    path = tmp_path / "app.jsonl"
    before = written(path, format=shape)
    path.chmod(0o640)
    assert 1 == main(["redact", str(path), "--check"])
    assert before == path.read_text(encoding="utf-8").splitlines()
    assert 0 == main(["redact", str(path), "--in-place"])
    out = capsys.readouterr().out
    assert "key_value 1" in out
    assert "hunter2" not in out
    after = path.read_text(encoding="utf-8").splitlines()
    assert (3, before[1]) == (len(after), after[1])
    for line in after:
        json.loads(line)
        assert "hunter2" not in line
    assert f"password={M}" in after[0]
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert 0 == main(["redact", str(path), "--check"])
    assert f"{path}: nothing found" in capsys.readouterr().out
    assert ["app.jsonl"] == [each.name for each in tmp_path.iterdir()]


def test_bytes_and_ids_stay_what_they_are(tmp_path: Path) -> None:
    """Of a line that is written anew only what is secret changes."""
    path = tmp_path / "app.jsonl"
    before = [json.loads(line) for line in written(path)]
    assert 0 == main(["redact", str(path), "--in-place"])
    after = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {"api_key": M} == after[2]["attributes"].pop("request")
    assert M == after[2]["attributes"].pop("raw")
    del before[2]["attributes"]["request"], before[2]["attributes"]["raw"]
    assert before[2] == after[2]


def test_compressed_files(tmp_path: Path) -> None:
    """They are read, and stay compressed."""
    path = tmp_path / "app.jsonl.1.gz"
    path.write_bytes(gzip.compress(b'{"password":"hunter2"}\nnot JSON, pwd=hunter2\n'))
    assert 1 == main(["redact", str(path), "--check"])
    assert 0 == main(["redact", str(path), "--in-place"])
    found = gzip.decompress(path.read_bytes())
    assert f'{{"password":"{M}"}}\nnot JSON, pwd={M}\n'.encode() == found


def test_dead_letters(tmp_path: Path) -> None:
    """The record is inside."""
    path = tmp_path / "letters.jsonl"
    record = {
        "body": "pwd=hunter2",
        "attributes": {"log.record.uid": "x", "code.function.name": "password=x"},
    }
    path.write_text(json.dumps({"reason": "r", "record": record}) + "\n", encoding="utf-8")
    assert 0 == main(["redact", str(path), "--in-place"])
    assert {**record, "body": f"pwd={M}"} == json.loads(path.read_text(encoding="utf-8"))["record"]


def test_the_options_of_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of either kind of document."""
    path = tmp_path / "app.jsonl"
    path.write_text('{"a":"joe@example.com","password":"x"}\n', encoding="utf-8")
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\nhandlers:\n  queue: {(): otel_stdlib.OTelQueueHandler, handlers: [file], "
        "redaction: {keys: [], values: [email]}}\n"
        f"  file: {{class: otel_stdlib.handlers.JSONLFileHandler, filename: {tmp_path}/out.jsonl}}\n",
        encoding="utf-8",
    )
    assert 1 == main(["redact", str(path), "--check", "--config", str(config)])
    assert f"{path}: email 1\n" == capsys.readouterr().out
    config.write_text("logger: {redaction: {keys: [], values: [email]}}", encoding="utf-8")
    assert 1 == main(["redact", str(path), "--check", "--config", str(config)])
    assert f"{path}: email 1\n" == capsys.readouterr().out
    config.write_text("logger: {}", encoding="utf-8")
    assert 1 == main(["redact", str(path), "--check", "--config", str(config)])
    assert "no handler has 'redaction'" in capsys.readouterr().err


def test_a_file_that_a_handler_writes_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its positions would be wrong."""
    path = tmp_path / "app.jsonl"
    before = written(path)
    (tmp_path / ".app.jsonl.otel").touch()
    assert 1 == main(["redact", str(path), "--in-place"])
    assert "a handler writes this file: rotate it first" in capsys.readouterr().err
    assert before == path.read_text(encoding="utf-8").splitlines()


def test_a_missing_file_and_a_torn_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are named, and nothing is changed."""
    assert 1 == main(["redact", str(tmp_path / "none.jsonl"), "--check"])
    assert "there is no file" in capsys.readouterr().err
    path = tmp_path / "torn.gz"
    torn = gzip.compress(b"pwd=hunter2\n" * 1_000)[:-20]
    path.write_bytes(torn)
    assert 1 == main(["redact", str(path), "--in-place"])
    assert "torn.gz" in capsys.readouterr().err
    assert torn == path.read_bytes()
    assert ["torn.gz"] == [each.name for each in tmp_path.iterdir()]
