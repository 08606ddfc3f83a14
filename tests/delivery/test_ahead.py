"""Reads ahead give what reads at their time would have given."""

from __future__ import annotations

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.delivery.ahead import ReadAhead
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.spool.reader import Chunk
from tests._native.cases import make_frame
from tests.handlers.postgres.support import STEP, ListSource, frame


class Counted(ListSource):
    """A source that counts its reads and fails when it is told to."""

    reads = 0
    broken = False

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """As a list's."""
        self.reads += 1
        if self.broken:
            raise OSError("gone")
        return super().read(start, max_records, max_bytes)


def ahead() -> ReadAhead:
    """Three records a read."""
    return ReadAhead(DeliveryPolicy(batch_records=3))


def test_a_full_read_is_used_as_it_is() -> None:
    """What was read while the batch before was on its way is not read again."""
    source, reads = Counted([frame(n) for n in range(1, 10)]), ahead()
    reads.look(source, 4 * STEP)
    assert source.frames[3:6] == reads.read(source, 4 * STEP).frames
    assert 1 == source.reads
    assert source.frames[6:9] == reads.read(source, 7 * STEP).frames


def test_what_was_read_is_given_back() -> None:
    """The destination is shown it; of a source that fails, or is at its end, nothing."""
    source, reads = Counted([frame(n) for n in range(1, 10)]), ahead()
    assert source.frames[3:6] == reads.look(source, 4 * STEP)
    assert not reads.look(source, 10 * STEP)
    source.broken = True
    assert not reads.look(source, 4 * STEP)


def test_a_read_is_filled_up_with_what_came_since() -> None:
    """No batch is smaller for having been read early."""
    source, reads = Counted([frame(1)]), ahead()
    reads.look(source, STEP)
    source.extend([frame(2), frame(3), frame(4)])
    chunk = reads.read(source, STEP)
    assert (source.frames[:3], 4 * STEP) == (chunk.frames, chunk.end)


@pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")
def test_a_table_is_filled_up_and_stays_one() -> None:
    """Of two tables a list would be made, frame by frame: destinations that render tables would get none."""

    class Tables(Counted):
        def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
            chunk = super().read(start, max_records, max_bytes)
            data = b"".join(make_frame(each.payload, 3) for each in chunk.frames)
            return chunk._replace(frames=core.walk(data, 0, 4096, 3, max_records, len(data))[0])

    source, reads = Tables([frame(1)]), ahead()
    assert len(reads.look(source, STEP)) == 1
    source.extend([frame(2), frame(3), frame(4)])
    chunk = reads.read(source, STEP)
    assert type(chunk.frames) is core.Frames
    assert (len(chunk.frames), chunk.end) == (3, 4 * STEP)


def test_what_is_enough_goes_as_it_is() -> None:
    """The target does not wait until a busy application has let a full batch be read."""
    source = Counted([frame(1), frame(2)])
    reads = ReadAhead(DeliveryPolicy(batch_records=9, linger_records=2))
    reads.look(source, STEP)
    source.extend([frame(3)])
    assert source.frames[:2] == reads.read(source, STEP).frames
    assert 1 == source.reads


def test_a_read_from_elsewhere_is_made_anew() -> None:
    """A cursor that went another way gets what stands there."""
    source, reads = Counted([frame(n) for n in range(1, 5)]), ahead()
    reads.look(source, STEP)
    assert source.frames[1:4] == reads.read(source, 2 * STEP).frames


def test_a_source_that_fails_ahead_is_no_ones_error() -> None:
    """It is read again at its time, and fails then if it still does."""
    source, reads = Counted([frame(1)]), ahead()
    source.broken = True
    reads.look(source, STEP)
    source.broken = False
    assert source.frames == reads.read(source, STEP).frames


def test_no_more_than_two_sources_are_kept() -> None:
    """Memory for a batch of each, whatever the number of dead processes' spools."""
    sources, reads = [Counted([frame(1)]) for _ in range(3)], ahead()
    for source in sources:
        reads.look(source, STEP)
    for source in sources:
        assert source.frames == reads.read(source, STEP).frames
    # The first one had to be read again; the others were only looked at for more.
    assert 2 == len(reads.read(sources[0], STEP).frames) + len(reads.read(sources[1], STEP).frames)
