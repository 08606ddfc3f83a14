"""A damaged sidecar costs no record: every byte flipped in turn, every length cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_stdlib.handlers.jsonl import JSONLDestination, JSONLOptions
from tests.handlers.jsonl.support import batch, destination, expected, uids

SIDECAR = ".app.jsonl.otel-stdlib"
#: What lies before the second half of the free entries, which is all zeros.
USED = 384 + 128 * 6


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The target and the sidecar after three spools wrote a few blocks each."""
    target = tmp_path_factory.mktemp("sidecar") / "app.jsonl"
    file = destination(target)
    for first in range(0, 6, 2):
        for number in range(3):
            file.deliver(batch(first, 2, number))
    file.close()
    return target.read_bytes(), target.with_name(SIDECAR).read_bytes()


def deliver_again(folder: Path, content: bytes, sidecar: bytes) -> tuple[JSONLDestination, list[int | None]]:
    """What a restart does: ask for the position, then deliver everything that may be new."""
    target = folder / "app.jsonl"
    target.write_bytes(content)
    target.with_name(SIDECAR).write_bytes(sidecar)
    file = JSONLDestination(JSONLOptions(target))
    positions = [file.position(batch(0, 1, number).origin) for number in range(3)]
    for number in range(3):
        file.deliver(batch(0, 8, number))
    file.close()
    assert expected([batch(0, 8, number) for number in range(3)]) == uids(target)
    return file, positions


def test_every_byte_flipped(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    """The newest or the previous position is told, nothing is doubled or lost, the damage is counted."""
    content, sidecar = sample
    end = batch(0, 6).end
    allowed = {end, batch(0, 4).end, None}
    previous = 0
    for place in range(USED):
        damaged = bytearray(sidecar)
        damaged[place] ^= 1 << place % 8
        file, positions = deliver_again(tmp_path, content, bytes(damaged))
        assert set(positions) <= allowed, place
        assert positions.count(end) >= 2, place
        previous += positions.count(batch(0, 4).end)
        assert 1 == file.counters.get("sidecar_damaged"), place
    assert previous > 0


def test_every_length(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    """Cut anywhere, a sidecar tells what it still has, and the file tells the rest."""
    content, sidecar = sample
    allowed = {batch(0, 6).end, batch(0, 4).end, None}
    for length in [*range(0, USED, 3), *range(USED, len(sidecar), 97)]:
        _, positions = deliver_again(tmp_path, content, sidecar[:length])
        assert set(positions) <= allowed, length


def test_a_repaired_sidecar_is_whole(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    """After a repair the next process finds nothing to repair, and the positions are kept."""
    content, sidecar = sample
    for damaged in (sidecar[:500], b"", sidecar[:-1], bytes(384) + sidecar[384:], b"\xff" * len(sidecar)):
        deliver_again(tmp_path, content, damaged)
        file = destination(tmp_path / "app.jsonl")
        assert {batch(0, 8).end} == {file.position(batch(0, 1, number).origin) for number in range(3)}
        assert {} == dict(file.counters.snapshot())
        file.close()


def test_a_running_process_sees_damage(tmp_path: Path) -> None:
    """Damage done while the sidecar is open is found at the next block, and what was known helps."""
    target = tmp_path / "app.jsonl"
    file = destination(target)
    for number in range(60):  # more than one page of entries
        file.deliver(batch(0, 2, number))
    sidecar = target.with_name(SIDECAR)
    for number, cut in ((0, 0), (40, 0), (59, 5000), (3, 300), (50, 4096)):
        data = bytearray(sidecar.read_bytes())
        place = 384 + 128 * number + 64
        data[place + 9] ^= 4
        if cut:
            os.truncate(sidecar, cut)
        else:
            sidecar.write_bytes(data)
        assert batch(0, 2).end == file.position(batch(0, 1, number).origin)
        file.deliver(batch(0, 2, number))
    assert expected([batch(0, 2, number) for number in range(60)]) == uids(target)
    file.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_damage(tmp_path: Path, sample: tuple[bytes, bytes], data: st.DataObject) -> None:
    """Several stretches overwritten, then cut or made longer: no crash, no doubled or lost record."""
    content, sidecar = sample
    damaged = bytearray(sidecar)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, USED - 1))
        bits = data.draw(st.binary(min_size=1, max_size=200))
        damaged[place : place + len(bits)] = bits
    length = data.draw(st.integers(0, len(damaged) + 300))
    deliver_again(tmp_path, content, bytes(damaged[:length].ljust(min(length, len(damaged) + 300), b"\7")))


def test_a_sidecar_of_noise_or_zeros_is_made_again(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    """Whatever file lies there, it is no reason not to log."""
    content, sidecar = sample
    for noise in (bytes(len(sidecar)), b"#!/bin/sh\n", bytes(range(256)) * 64):
        deliver_again(tmp_path, content, noise)
