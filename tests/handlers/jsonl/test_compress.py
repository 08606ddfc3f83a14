from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.descriptor import Descriptor
from otel_stdlib.handlers.jsonl import BlockFile, JSONLOptions
from otel_stdlib.handlers.jsonl.compress import Compressor, _own
from tests.handlers.jsonl.support import batch, destination, expected, files, uids
from tests.support import eventually, take_over


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that was rotated a few times."""
    made = tmp_path / "app.jsonl"
    file = destination(made, max_bytes=1000, backup_count=99)
    file.deliver(batch(0, 30))
    file.close()
    return made


class _Disturbed(Compressor):
    """Something happens after a file was read and before its result takes its place."""

    def __init__(self, target: Path) -> None:
        super().__init__(JSONLOptions(target, backup_count=99), Counters())
        self.target = target

    def _pack(self, source: Descriptor, out: Descriptor) -> bool:
        done = super()._pack(source, out)
        self.disturb(source.fd)
        return done

    def disturb(self, fd: int) -> None:
        """What happens."""
        raise NotImplementedError

    def run(self) -> None:
        """Compress all there is."""
        file = BlockFile(JSONLOptions(self.target, backup_count=99))
        self.compress_all(file)
        file.close()


def test_a_rotated_file_that_somebody_still_writes_to_stays(target: Path) -> None:
    """What was written after it was read would be lost with it."""

    class Written(_Disturbed):
        def disturb(self, fd: int) -> None:
            with open(f"/proc/self/fd/{fd}", "ab") as late:
                late.write(b'{"attributes":{"log.record.uid":"late"}}\n')

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("no /proc")
    before = len(files(target))
    Written(target).run()
    assert [] == [path for path in files(target) if path.suffix == ".gz"]
    assert before - 1 == uids(target)["late"]
    assert [] == list(target.parent.glob("*.gz-new"))


def test_a_file_that_is_rotated_away_meanwhile(target: Path) -> None:
    """The result takes the place that the file has by then, and no other file's."""
    writer = destination(target, max_bytes=1000, backup_count=99)

    class Rotated(_Disturbed):
        sent = 30

        def disturb(self, fd: int) -> None:
            if self.sent < 60:
                writer.deliver(batch(self.sent, 10))
                self.sent += 10

    rotated = Rotated(target)
    rotated.run()
    writer.close()
    assert expected([batch(0, rotated.sent)]) == uids(target)


def test_a_file_that_is_deleted_meanwhile(target: Path) -> None:
    """Its result goes, too."""

    class Deleted(_Disturbed):
        def disturb(self, fd: int) -> None:
            for path in files(self.target):
                path.unlink()

    Deleted(target).run()
    assert ["app.jsonl"] == [path.name for path in files(target)]
    assert [] == list(target.parent.glob("*.gz-new"))


def test_one_of_several_processes_does_the_work(tmp_path: Path) -> None:
    """A result under a lock is somebody else's, and so is one that was renamed since it was opened."""
    path = tmp_path / ".app.jsonl.1.gz-new"
    path.write_bytes(b"")
    one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    try:
        assert _own(one, str(path))
        assert not _own(two, str(path))
        path.rename(tmp_path / "app.jsonl.1.gz")
        os.close(one)
        one = -1
        assert not _own(two, str(path))
        path.write_bytes(b"another's")
        assert not _own(two, str(path))
    finally:
        os.close(two)
        if one >= 0:
            os.close(one)


def test_closing_stops_a_compression(target: Path) -> None:
    """The plain file stays, nothing half done is left, and the thread ends."""
    began = threading.Event()
    go_on = threading.Event()

    class Slow(Compressor):
        def _pack(self, fd: int, out: int) -> bool:
            began.set()
            go_on.wait(60)
            return super()._pack(fd, out)

    slow = Slow(JSONLOptions(target, backup_count=99), Counters())
    slow.wake()
    assert began.wait(60)
    slow._stop.set()
    go_on.set()
    slow.close(60)
    assert [] == [path for path in target.parent.iterdir() if "gz" in path.name]
    slow.wake()  # after the end nothing starts any more
    assert slow._thread is None
    assert expected([batch(0, 30)]) == uids(target)


@pytest.mark.parametrize("which", ["source", "result"])
def test_descriptors_closed_by_the_application(
    target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not a byte is written into the application's file, it stays open, and the work is done in the next try."""
    own: list[int] = []
    pack = Compressor._pack

    def closed_before(self: Compressor, source: Descriptor, out: Descriptor) -> bool:
        if not own:
            own.append(take_over(source.fd if which == "source" else out.fd, tmp_path / "own"))
        return pack(self, source, out)

    monkeypatch.setattr(Compressor, "_pack", closed_before)
    compressor = Compressor(JSONLOptions(target, backup_count=99), Counters())
    compressor.wake()
    eventually(lambda: all(path.suffix == ".gz" for path in files(target) if path != target), 60)
    compressor.close(60)
    assert os.pread(own[0], 100, 0) == b"the application's"
    os.close(own[0])
    assert sum(uids(target).values()) == 30
    assert "closed file descriptors of otel_stdlib" in capfd.readouterr().err
