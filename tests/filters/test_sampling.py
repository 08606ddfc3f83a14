"""Sampling: consistent by trace, in OpenTelemetry's terms, and never an error."""

from __future__ import annotations

import logging
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.filters import DedupeFilter, SamplingFilter
from otel_stdlib.filters.randomness import explicit_randomness, parse_threshold, threshold
from tests.filters.parts import Kept, logged, record, trace
from tests.tree import ROOT

_SOURCE = random.Random(19)
IDS = [f"{_SOURCE.getrandbits(128):032x}" for _ in range(3_000)]


def kept(each: SamplingFilter, entry: Any) -> bool:
    """Whether a record passes."""
    return bool(each.filter(entry))


def collector(trace_id: str, ratio: float, former: str = "") -> bool:
    """The mode ``proportional`` of the Collector's processor ``probabilistic_sampler``, as it is published.

    ``ProbabilityToThresholdWithPrecision`` and ``proportionalSampler.decide``, in integers as there.
    """
    everything = 1 << 56
    incoming = (everything - int(former.ljust(14, "0"), 16)) / everything if former else 1.0
    ratio *= incoming
    if ratio < 1 / everything:
        return False
    if ratio == 1:
        return True
    digits = min(14, 4 + max(math.frexp(ratio)[1] // -4, math.frexp(1 - ratio)[1] // -4))
    limit = everything - math.floor(ratio * everything + 0.5)
    if digits < 14:
        limit = ((limit + (1 << 4 * (14 - digits) - 1)) >> 4 * (14 - digits)) << 4 * (14 - digits)
    return int(trace_id, 16) % everything >= limit


class TestDecision:
    def test_a_million_ids_within_three_sigma(self) -> None:
        """The share that is kept is the ratio."""
        ratio, count, limit = 0.1, 1_000_000, threshold(0.1)
        source = random.Random(7)
        found = sum(f"{source.getrandbits(56):014x}" >= limit for _ in range(count))
        assert abs(found - ratio * count) <= 3 * math.sqrt(count * ratio * (1 - ratio))

    def test_many_records_within_three_sigma(self) -> None:
        """The same through the filter, by trace and without one."""
        each, source = SamplingFilter(0.25, mark=False), random.Random(3)
        for make in (lambda: {"trace_id": f"{source.getrandbits(128):032x}"}, dict):
            found = sum(kept(each, record(**make())) for _ in range(20_000))
            assert abs(found - 5_000) <= 3 * math.sqrt(20_000 * 0.25 * 0.75)

    def test_ratios_are_nested(self) -> None:
        """What 1 % keeps is a part of what 10 % keeps, and that of what 50 % keeps."""
        sets = []
        for ratio in (0.01, 0.1, 0.5):
            each = SamplingFilter(ratio)
            sets.append({trace_id for trace_id in IDS if kept(each, record(trace_id=trace_id))})
        assert 0 < len(sets[0]) < len(sets[1]) < len(sets[2])
        assert sets[0] < sets[1] < sets[2]

    @pytest.mark.parametrize("ratio", [0.9, 0.97, 0.5, 1 / 3, 0.07, 0.01, 0.001])
    def test_as_the_collector_decides(self, ratio: float) -> None:
        """The same records as its mode ``proportional``, also of those that were sampled before."""
        each = SamplingFilter(ratio)
        for trace_id in IDS:
            assert kept(each, record(trace_id=trace_id)) == collector(trace_id, ratio), trace_id
            again = record(trace_id=trace_id, **{"sampling.threshold": "c"})
            assert kept(each, again) == collector(trace_id, ratio, "c"), trace_id

    def test_two_processes_decide_alike(self) -> None:
        """By trace, and by an attribute's value: no seed of a process is in it."""
        program = (
            "from tests.filters.test_sampling import *\n"
            "by_trace, by_tenant = SamplingFilter(0.3), SamplingFilter(0.3, by='attribute:tenant')\n"
            "print(''.join(str(int(kept(by_trace, record(trace_id=each)))) for each in IDS))\n"
            "print(''.join(str(int(kept(by_tenant, record(tenant=each)))) for each in range(500)))\n"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", program],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=100,
                check=True,
            ).stdout
            for _ in range(2)
        }
        assert len(found) == 1
        assert set(found.pop()) == {"0", "1", "\n"}

    def test_the_current_span_decides(self) -> None:
        """Without a trace on the record it is that of the call."""
        each = SamplingFilter(0.5)
        for trace_id, passes in (("a" * 18 + "7" + "f" * 13, False), ("a" * 18 + "8" + "0" * 13, True)):
            with trace(trace_id):
                assert [kept(each, record()) for _ in range(5)] == [passes] * 5

    def test_an_explicit_randomness_wins(self) -> None:
        """``ot=rv:`` of the tracestate, in any place of it; what is not valid there is none."""
        low, high = "0" * 14, "f" * 14
        each = SamplingFilter(0.5)
        with trace("a" * 18 + low, tracestate=f"vendor=1,ot=th:8;rv:{high}"):
            found: Any = each.decide(record())
            assert found.__dict__["sampling.randomness"] == high
        with trace("a" * 18 + high, tracestate=f"ot=rv:{low};th:0"):
            assert not kept(each, record())
        with trace("a" * 18 + high, tracestate="ot=rv:12"):
            assert kept(each, record())
        assert [
            explicit_randomness(text) for text in ("", "ot", "ot=rv:", f"xot=rv:{low}", f"ot=xrv:{low}")
        ] == [""] * 5

    def test_by_correlation_id(self) -> None:
        """All records of one request are kept, or none."""
        each = SamplingFilter(0.5, by="correlation_id")
        for number in range(50):
            with trace("", correlation_id=f"req-{number}"):
                assert len({kept(each, record()) for _ in range(4)}) == 1
        assert 0 < sum(kept(each, record(correlation_id=f"req-{n}")) for n in range(200)) < 200

    def test_by_record(self) -> None:
        """Each record of a trace is decided alone."""
        each = SamplingFilter(0.5, by="record")
        with trace("a" * 32):
            assert 0 < sum(kept(each, record()) for _ in range(200)) < 200

    def test_what_is_no_trace_id_is_none(self) -> None:
        """A placeholder of another filter, or any object, is decided as a record without a trace."""
        each = SamplingFilter(0.5)
        for value in ("-", "", None, 7, "z" * 32):
            assert 0 < sum(kept(each, record(trace_id=value)) for _ in range(200)) < 200


class TestRules:
    def test_errors_are_always_kept(self) -> None:
        """Above ``up_to`` nothing is sampled; the level itself is."""
        each = SamplingFilter(0, up_to="WARNING")
        assert [kept(each, record(level=level)) for level in (10, 20, 30, 31, 40, 50)] == [False] * 3 + [
            True
        ] * 3

    def test_the_first_rule_that_fits(self) -> None:
        """By logger and by level; ``shop.*`` is the logger ``shop`` too."""
        each = SamplingFilter(
            1.0,
            rules=[
                {"logger": "shop.audit", "ratio": 1},
                {"logger": "shop.*", "level": "DEBUG", "ratio": 0},
                {"level": 5, "ratio": 0},
            ],
        )
        found = [
            kept(each, record(name=name, level=level))
            for name, level in (
                ("shop.audit", 10),
                ("shop.cart", 10),
                ("shop", 10),
                ("shop", 20),
                ("web", 5),
                ("web", 10),
            )
        ]
        assert found == [True, False, False, True, False, True]
        assert kept(each, record(name="shopping", level=10))

    def test_trace_based(self) -> None:
        """LoggerConfig's rule: a valid span that is not sampled drops its records; no span drops none."""
        each = SamplingFilter(trace_based=True)
        assert kept(each, record())
        with trace("a" * 32, trace_flags="01"):
            assert kept(each, record())
        with trace("a" * 32, trace_flags="00"):
            assert not kept(each, record())
            assert kept(each, record(level=logging.ERROR))
        with trace("a" * 32, trace_flags="03"):
            assert kept(each, record())
        with trace("", trace_flags="00"):
            assert kept(each, record())


class TestMark:
    def test_kept_records_have_their_weight(self, tmp_path: Path) -> None:
        """The threshold is an attribute; with it the count of all records is estimated."""
        with logged(tmp_path, SamplingFilter(0.25)) as made:
            for trace_id in IDS[:400]:
                with trace(trace_id):
                    made.logger.info("x")
            made.logger.error("y")
            found = made.lines()
            marks = [line["attributes"].get("sampling.threshold") for line in found]
            assert marks == ["c"] * (len(found) - 1) + [None]
            assert not any("sampling.randomness" in line["attributes"] for line in found)
            weight = sum(1 / (parse_threshold(mark) or 1) for mark in marks[:-1])
            assert weight == pytest.approx(400, abs=4 * 3 * math.sqrt(400 * 0.25 * 0.75))
            assert len(found) + made.suppressed()["sampling"]["INFO"] == 401

    def test_another_handler_gets_the_record_as_it_was(self, tmp_path: Path) -> None:
        """The mark is for the handler with the filter: elsewhere the record stands for itself alone."""
        other = Kept()
        with logged(tmp_path, SamplingFilter(0.5, by="record")) as made:
            made.logger.addHandler(other)
            for _ in range(64):
                made.logger.info("x")
            made.logger.removeHandler(other)
            assert len(other.records) == 64
            assert not any("sampling.threshold" in each.__dict__ for each in other.records)
            assert all("sampling.randomness" in line["attributes"] for line in made.lines())

    def test_what_another_filter_makes_of_marked_records(self, tmp_path: Path) -> None:
        """It has their mark once: it is not sampled again, and reaches every destination."""
        dedupe = DedupeFilter(3_600, by="template")
        with logged(tmp_path, SamplingFilter(0.5), dedupe) as made, trace("f" * 32):
            made.file.addFilter(logging.Filter())
            for _ in range(20):
                made.logger.info("x")
            first, last = made.lines()
            found = last["attributes"]
            assert (found["otel_stdlib.repeat.count"], found["sampling.threshold"]) == (19, "8")
            assert first["attributes"]["sampling.threshold"] == "8"
            assert made.queue.health()["dropped"] == {}

    def test_ratio_one_and_mark_off(self) -> None:
        """What is not sampled is not marked, and is the same object."""
        entry = record(trace_id="f" * 32)
        assert SamplingFilter().decide(entry) is True
        assert SamplingFilter(0.5, mark=False).decide(entry) is True
        assert SamplingFilter(0.5).decide(entry) is not entry


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"ratio": 1.1}, "option 'ratio' must be a number from 0 to 1, not 1.1"),
            ({"ratio": -0.1}, "option 'ratio' must be a number from 0 to 1"),
            ({"ratio": float("nan")}, "option 'ratio' must be a number from 0 to 1"),
            ({"ratio": True}, "option 'ratio' must be a number from 0 to 1"),
            ({"ratio": "10%"}, "option 'ratio' must be a number from 0 to 1"),
            ({"by": "traces"}, "option 'by' must be one of .* did you mean 'trace'"),
            ({"by": "attribute:"}, "option 'by' must be one of"),
            ({"up_to": "WARN1NG"}, "option 'up_to': there is no level .* did you mean 'WARNING'"),
            ({"rules": {"logger": "x"}}, "option 'rules' must be a list of mappings"),
            ({"rules": [{"logger": "x"}]}, r"option 'rules\[0\]' must be a mapping with 'ratio'"),
            ({"rules": [{"ratio": 2}]}, r"option 'ratio' of 'rules\[0\]' must be a number from 0 to 1"),
            (
                {"rules": [{"ratio": 1, "loger": "x"}]},
                r"unknown option 'loger' of 'rules\[0\]'; did you mean 'logger'",
            ),
            ({"trace_based": "yes"}, "option 'trace_based' must be true or false"),
            ({"mark": 1}, "option 'mark' must be true or false"),
            ({"rule": ""}, "option 'rule' must be a text"),
            ({"ration": 1}, "unknown option 'ration' of SamplingFilter; did you mean 'ratio'"),
        ],
    )
    def test_an_error_names_the_option(self, options: dict[str, Any], message: str) -> None:
        """What is wrong, what is allowed, and the nearest name."""
        with pytest.raises(ConfigError, match=message):
            SamplingFilter(**options)

    def test_a_record_made_by_hand_passes(self) -> None:
        """No level, a text for one, no name: nothing raises and nothing is lost."""
        each = SamplingFilter(0.0, rules=[{"logger": "x", "ratio": 0.5}])
        for entry in (record(level="INFO"), record(level=None), record(name=None)):  # type: ignore[arg-type]
            assert each.filter(entry) in (True, False)
        bare: Any = logging.LogRecord.__new__(logging.LogRecord)
        assert each.filter(bare) is True
