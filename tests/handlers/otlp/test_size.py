from __future__ import annotations

from otel_stdlib.handlers.otlp.size import RequestSize


def test_a_cut_halves_requests_for_a_while() -> None:
    """Down to a least size, and back to the limit after five minutes without another cut."""
    now = [0.0]
    size = RequestSize(1_000_000, lambda: now[0])
    size.cut(400_000)
    assert 200_000 == size.most
    now[0] = 200
    size.cut(200_000)
    assert 100_000 == size.most
    now[0] = 499
    for _ in range(10):
        size.cut(size.most)
    assert 16_384 == size.most
    now[0] = 799
    assert 1_000_000 == size.most
    assert 1_000_000 == size.firm


def test_a_small_request_is_not_cut_for_its_size() -> None:
    """A server that restarts cuts whatever is on its way."""
    size = RequestSize(1_000_000, lambda: 0.0)
    size.cut(9_000)
    assert 1_000_000 == size.most


def test_what_a_server_refuses_stays_refused() -> None:
    """413 is the server's word: it does not expire, and a cut is never above it."""
    now = [0.0]
    size = RequestSize(1_000_000, lambda: now[0])
    size.refused(500_000)
    size.cut(200_000)
    assert (100_000, 250_000) == (size.most, size.firm)
    now[0] = 1_000
    assert 250_000 == size.most
