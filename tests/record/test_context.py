"""Contexts, and which one is current."""

from __future__ import annotations

import asyncio
import contextvars
import json
import pickle
import sys
import types
from typing import Any

import pytest

from otel_stdlib.record.context import (
    SpanContext,
    attach,
    current_context,
    detach,
    new_span_id,
    new_trace_id,
    wrap_context,
)
from otel_stdlib.record.current import current_span, otel_fragment

CONTEXT = SpanContext("a" * 32, "b" * 16, "00", "vendor=1", "req-1")


class TestSpanContext:
    def test_its_bytes(self) -> None:
        """The encoder's bytes are made once; a span without a trace is none."""
        assert json.loads(b"{" + CONTEXT.fragment[:-1] + b"}") == {
            "trace_id": "a" * 32,
            "span_id": "b" * 16,
            "trace_flags": "00",
        }
        assert CONTEXT.attribute_fragment == b'"correlation_id":"req-1",'
        assert SpanContext(span_id="b" * 16).fragment == b""
        assert b"span_id" not in SpanContext("a" * 32).fragment

    def test_hostile_correlation_id(self) -> None:
        """Whatever came in a header is JSON afterwards."""
        context = SpanContext(correlation_id='"\\\n\ud800')
        assert json.loads(b"{" + context.attribute_fragment[:-1] + b"}") == {"correlation_id": '"\\\n\\ud800'}

    def test_pickle_and_equality(self) -> None:
        """A context is a value."""
        assert pickle.loads(pickle.dumps(CONTEXT)) == CONTEXT
        assert hash(pickle.loads(pickle.dumps(CONTEXT))) == hash(CONTEXT)
        with pytest.raises(AttributeError):
            CONTEXT.trace_id = "x"  # type: ignore[misc]

    def test_ids(self) -> None:
        """New ids are lower-case hex and different."""
        assert len({new_trace_id() for _ in range(100)}) == 100
        assert len(new_trace_id()) == 32
        assert len(new_span_id()) == 16
        assert int(new_span_id(), 16)


class TestCurrent:
    def test_a_token_of_another_context_is_harmless(self) -> None:
        """A generator closed in another task must not break the one that closes it."""
        token = contextvars.copy_context().run(attach, CONTEXT)
        detach(token)
        assert current_context() is None

    def test_tasks_are_apart(self) -> None:
        """Each asyncio task has its own."""

        async def work(name: str) -> str:
            attach(SpanContext(name * 32, "b" * 16))
            await asyncio.sleep(0)
            context = current_context()
            assert context is not None
            return context.trace_id[0]

        async def main() -> list[str]:
            return list(await asyncio.gather(*(asyncio.create_task(work(n)) for n in "abc")))

        assert asyncio.run(main()) == ["a", "b", "c"]
        assert current_context() is None

    def test_wrapped_calls_do_not_touch_each_other(self) -> None:
        """What one call attaches the next does not see."""

        def work() -> SpanContext | None:
            before = current_context()
            attach(SpanContext("c" * 32, "d" * 16))
            return before

        token = attach(CONTEXT)
        try:
            wrapped = wrap_context(work)
        finally:
            detach(token)
        assert wrapped() == wrapped() == CONTEXT
        assert current_context() is None


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A stand-in in the place where opentelemetry-api would be imported."""
    module = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    return module


class TestOpenTelemetry:
    def test_the_span_with_our_correlation_id(self) -> None:
        """The current span is the trace; its state and our correlation id come along."""
        trace = pytest.importorskip("opentelemetry.trace")
        state = trace.TraceState([("vendor", "2")])
        one = trace.NonRecordingSpan(trace.SpanContext(1, 2, True, trace.TraceFlags(1), state))
        two = trace.NonRecordingSpan(trace.SpanContext(1, 3, False, trace.TraceFlags(0)))
        expected = SpanContext(f"{1:032x}", f"{2:016x}", "01", "vendor=2", "req-1", is_remote=True)
        with trace.use_span(one):
            without = current_span()
            token = attach(CONTEXT)
            try:
                for _ in range(3):
                    assert current_span() == expected
                with trace.use_span(two):
                    inner = current_span()
                    assert inner is not None
                    assert (inner.span_id, inner.trace_flags) == (f"{3:016x}", "00")
                    assert otel_fragment() == inner.fragment
                assert current_span() == expected
                assert otel_fragment() == expected.fragment
            finally:
                detach(token)
        assert without is not None
        assert without.correlation_id == ""
        assert current_span() is None
        assert otel_fragment() is None

    @pytest.mark.parametrize("span", [None, 5, types.SimpleNamespace(get_span_context=lambda: 1 / 0)])
    def test_somebody_else_s_span(self, api: types.SimpleNamespace, span: Any) -> None:
        """A span that is none is no trace, and our own context is."""
        api.get_current_span = lambda: span
        token = attach(CONTEXT)
        try:
            assert current_span() == CONTEXT
            assert otel_fragment() is None
        finally:
            detach(token)

    def test_half_imported_or_blocked(
        self, api: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An import in progress, or one that was forbidden, is not waited for."""
        assert current_span() is None
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)  # type: ignore[arg-type]
        assert current_span() is None
        assert otel_fragment() is None
