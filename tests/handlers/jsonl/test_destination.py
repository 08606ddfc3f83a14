from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from otel_stdlib.delivery.contract import Batch, Outcome, Verdict
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.jsonl import JSONLDestination, JSONLOptions
from otel_stdlib.record.line import close_line
from tests.handlers.jsonl.support import RESOURCE, batch, destination, expected, lines, spool_id, uids


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file in a folder that does not exist yet."""
    return tmp_path / "logs" / "app.jsonl"


def test_a_batch_becomes_lines_that_are_seen_at_once(target: Path) -> None:
    """A line is the payload closed with uid and resource; it is in the file when ``deliver`` returns."""
    file = destination(target)
    sent = batch(0, 3)
    assert file.deliver(sent) is None
    want = [close_line(f.payload, sent.uid(f).encode(), RESOURCE) for f in sent.frames]
    assert want == target.read_bytes().splitlines()
    file.close()


def test_identity_is_the_real_path(tmp_path: Path) -> None:
    """Two names of one file are one destination."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one, two = (JSONLDestination(JSONLOptions(tmp_path / name / "a.jsonl")) for name in ("real", "link"))
    assert Identity("jsonl", str(tmp_path / "real" / "a.jsonl")) == one.identity == two.identity


def test_construction_makes_nothing(target: Path) -> None:
    """Nothing exists before ``open``."""
    JSONLDestination(JSONLOptions(target))
    assert not target.parent.exists()


def test_the_file_is_the_cursor(target: Path) -> None:
    """Another destination on the same file knows how far a spool is stored; of others nothing."""
    file = destination(target)
    sent = batch(0, 5)
    assert file.position(sent.origin) is None
    file.deliver(sent)
    file.close()
    again = destination(target)
    assert sent.end == again.position(sent.origin)
    assert again.position(batch(0, 1, number=7).origin) is None
    again.forget(sent.origin)
    assert again.position(sent.origin) is None
    again.close()


def test_what_is_stored_is_skipped(target: Path) -> None:
    """A second deliverer of the same spool adds only what is new, and says which was there."""
    file, other = destination(target), destination(target)
    file.deliver(batch(0, 5))
    outcomes = other.deliver(batch(3, 4))
    assert [Verdict.DUPLICATE] * 2 + [Verdict.STORED] * 2 == [o.verdict for o in outcomes or ()]
    assert [Outcome(Verdict.DUPLICATE)] * 7 == file.deliver(batch(0, 7))
    assert expected([batch(0, 7)]) == uids(target)
    file.close()
    other.close()


def test_a_gap_at_the_end_moves_the_position(target: Path) -> None:
    """A batch without frames stands for a stretch of the spool in which nothing is left."""
    file = destination(target)
    empty = Batch(batch(0, 1).origin, [], 5, 1 << 33)
    assert file.deliver(empty) is None
    assert 1 << 33 == file.position(empty.origin)
    file.close()


def test_modes_are_private_whatever_the_umask(target: Path) -> None:
    """Files are 0600 and folders 0700 without options, and ``mode`` holds against the umask."""
    before = os.umask(0)
    try:
        destination(target).close()
        assert 0o700 == target.parent.stat().st_mode & 0o777
        assert {0o600} == {path.stat().st_mode & 0o777 for path in target.parent.iterdir()}
        os.umask(0o077)
        shared = target.with_name("shared.jsonl")
        destination(shared, mode="0640").close()
        assert 0o640 == shared.stat().st_mode & 0o777
    finally:
        os.umask(before)


@pytest.mark.parametrize("end", [b'{"torn', b"\0\0\0"])
def test_a_torn_last_line_is_ended(target: Path, end: bytes) -> None:
    """Bytes that are not ours stay; our line begins on a line of its own."""
    target.parent.mkdir()
    target.write_bytes(b'{"whole":1}\n' + end)
    file = destination(target)
    file.deliver(batch(0, 1))
    found = target.read_bytes().split(b"\n")
    assert [b'{"whole":1}', end] == found[:2]
    assert "0" == json.loads(found[2])["body"]
    assert 1 == file.counters.get("tails_repaired")
    file.close()


def test_a_line_torn_by_another_program_meanwhile_is_ended(target: Path) -> None:
    """The end is looked at again whenever somebody else wrote."""
    file = destination(target)
    file.deliver(batch(0, 1))
    with target.open("ab") as other:
        other.write(b"no line end")
    file.deliver(batch(1, 1))
    assert b"no line end" == target.read_bytes().splitlines()[1]
    file.close()


def test_a_record_that_cannot_be_rendered_is_rejected_alone(target: Path) -> None:
    """The others are stored, the reason is told, also when the batch comes again."""

    def render(payload: bytes, uid: bytes, resource: bytes) -> bytes:
        if b'"body":"1"' in payload:
            raise ValueError("no such shape")
        return close_line(payload, uid, resource) + (b"\n{}" if b'"body":"3"' in payload else b"\n")

    file = JSONLDestination(JSONLOptions(target), render=render)
    sent = batch(0, 5)
    outcomes = file.deliver(sent) or ()
    bad, stored = Verdict.REJECTED, Verdict.STORED
    assert [stored, bad, stored, bad, stored] == [o.verdict for o in outcomes]
    assert "ValueError: no such shape" == outcomes[1].reason
    assert ["0", "2", "4"] == [line["body"] for line in lines(target)]
    # Killed before the dead letters were written, a restart comes back to the rejected ones.
    assert sent.frames[1].lsn == file.position(sent.origin)
    again = file.deliver(batch(1, 4)) or ()
    assert [bad, Verdict.DUPLICATE, bad, Verdict.DUPLICATE] == [o.verdict for o in again]
    file.deliver(batch(5, 1))
    assert batch(5, 1).end == file.position(sent.origin)
    file.close()


def test_an_error_names_the_file_and_the_cause(tmp_path: Path) -> None:
    """What the system refused is retryable and says why."""
    (tmp_path / "in the way").write_text("a file")
    file = JSONLDestination(JSONLOptions(tmp_path / "in the way" / "app.jsonl"))
    with pytest.raises(RetryableError, match=r"in the way/app\.jsonl.*(Not a directory|File exists)"):
        file.open()
    file.close()


def test_a_link_put_in_the_place_of_a_file_is_not_followed(target: Path) -> None:
    """Neither for the target nor for the sidecar."""
    file = destination(target)
    target.unlink()
    target.symlink_to(target.with_name("elsewhere"))
    with pytest.raises(RetryableError):
        file.deliver(batch(0, 1))
    target.unlink()
    sidecar = target.with_name(".app.jsonl.otel-stdlib")
    sidecar.rename(target.with_name("kept"))
    sidecar.symlink_to("kept")
    with pytest.raises(RetryableError):
        file.deliver(batch(0, 1))
    sidecar.unlink()
    assert file.deliver(batch(0, 1)) is None
    assert expected([batch(0, 1)]) == uids(target)
    file.close()


def test_a_sidecar_elsewhere(target: Path, tmp_path: Path) -> None:
    """The folders of both are made, and a restart finds the position; the target's may go meanwhile."""
    options = {"sidecar": tmp_path / "state" / "app.sidecar", "max_bytes": 500}
    file = destination(target, **options)
    file.deliver(batch(0, 5))
    file.close()
    shutil.rmtree(target.parent)
    file = destination(target, **options)
    file.deliver(batch(0, 8))
    assert expected([batch(5, 3)]) == uids(target)
    assert {"state", "logs"} == {path.name for path in tmp_path.iterdir()}
    file.close()


@pytest.mark.parametrize("what", ["target", "sidecar", "folder"])
def test_what_is_deleted_or_moved_under_way_is_made_again(target: Path, what: str) -> None:
    """Nothing is written into files that are gone, and nothing twice into those that are there."""
    file = destination(target)
    file.deliver(batch(0, 3))
    moved = target.parent.parent / "moved"
    thing = {
        "target": target,
        "sidecar": target.with_name(".app.jsonl.otel-stdlib"),
        "folder": target.parent,
    }[what]
    thing.rename(moved)
    assert batch(0, 3).end == file.position(batch(0, 1).origin)
    file.deliver(batch(0, 5))
    assert expected([batch(0, 5) if what == "sidecar" else batch(3, 2)]) == uids(target)
    file.close()


def test_thousands_of_spools_share_one_file(target: Path) -> None:
    """Entries beyond the first page of the sidecar are found, kept and dropped like the others."""
    one, two = destination(target), destination(target)
    for number in range(100):
        (one, two)[number % 2].deliver(batch(0, 1, number))
    for number in range(100):
        (two, one)[number % 2].deliver(batch(0, 2, number))
    assert expected([batch(0, 2, number) for number in range(100)]) == uids(target)
    for number in range(0, 100, 2):
        one.forget(batch(0, 1, number).origin)
    assert [None, batch(0, 2).end] * 50 == [two.position(batch(0, 1, n).origin) for n in range(100)]
    size = target.with_name(".app.jsonl.otel-stdlib").stat().st_size
    for number in range(100, 150):
        two.deliver(batch(0, 1, number))
    assert size == target.with_name(".app.jsonl.otel-stdlib").stat().st_size
    assert spool_id(149) in one._file._sidecar.entries() or one.position(batch(0, 1, 149).origin)
    one.close()
    two.close()


def test_fsync_changes_nothing_but_the_disk(target: Path) -> None:
    """The same lines come out with ``fsync``, through a rotation too."""
    file = destination(target, fsync=True, max_bytes=1000, backup_count=9)
    file.deliver(batch(0, 20))
    assert expected([batch(0, 20)]) == uids(target)
    file.close()
