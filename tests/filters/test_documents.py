"""The filters in configuration files: known to the schema, checked at load, in their place."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.config.dictconfig import check_dict_config, load_dict_config
from otel_stdlib.config.errors import ConfigFileError
from otel_stdlib.config.schema import build_schema
from otel_stdlib.filters import DedupeFilter, QuotaFilter, RateLimitFilter, SamplingFilter
from otel_stdlib.filters import __all__ as filters
from tests.filters.parts import logged

_ALL = """version: 1
filters:
  sampling: {(): otel_stdlib.filters.SamplingFilter, ratio: 0.1, rules: [{logger: "shop.*", ratio: 1}]}
  dedupe: {(): otel_stdlib.filters.DedupeFilter, window: 5, by: [logger, body]}
  rate: {(): otel_stdlib.filters.RateLimitFilter, rate: 10, by: "attribute:tenant", overrides: {acme: {rate: 5}}}
  quota: {(): otel_stdlib.filters.QuotaFilter, limit: 1000, period: hour}
handlers:
  file: {class: otel_stdlib.handlers.JSONLFileHandler, filename: app.jsonl}
  queue: {(): otel_stdlib.OTelQueueHandler, handlers: [file], filters: [sampling, dedupe, rate, quota]}
root: {level: INFO, handlers: [queue]}
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a document."""
    path = tmp_path / "logging.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).removeprefix(f"{path}:") for problem in check_dict_config(path)[1]]


def test_all_of_them(tmp_path: Path) -> None:
    """Nothing is wrong, and nothing is made by looking."""
    assert problems(tmp_path, _ALL) == []
    assert [path.name for path in tmp_path.iterdir()] == ["logging.yaml"]


def test_the_schema_knows_each() -> None:
    """An editor completes their options."""
    cases = build_schema()["$defs"]["filter"]["allOf"]
    known = {case["if"]["anyOf"][0]["properties"]["()"]["const"] for case in cases}
    assert known == {f"otel_stdlib.filters.{name}" for name in filters}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "ratio: 0.1",
            "ratio: 1.5",
            "filters.sampling.ratio: option 'ratio' must be a number from 0 to 1, not 1.5",
        ),
        ("window: 5", "windw: 5", "filters.dedupe.windw: unknown option 'windw'; did you mean 'window'?"),
        (
            "window: 5",
            "window: -5",
            "filters.dedupe.window: option 'window' must be a number of seconds above 0",
        ),
        ("rate: 10", "rate: -10", "filters.rate.rate: option 'rate' must be a number above 0, not -10"),
        ("rate: 10", "rate: fast", "filters.rate.rate: must be a number, not 'fast'"),
        (
            "period: hour",
            "period: our",
            "filters.quota.period: option 'period' must be one of minute, hour, day",
        ),
        ("limit: 1000, ", "", "filters.quota: option 'limit' must be a whole number of 1 or more, not None"),
        ("RateLimitFilter", "RateLimtFilter", "filters.rate.(): "),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """File, line and option."""
    assert old in _ALL
    found = problems(tmp_path, _ALL.replace(old, new))
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    "where", ["root: {level: INFO, ", "loggers: {shop: {handlers: [queue], filters: [rate]}}\nroot: {"]
)
def test_not_on_a_logger(tmp_path: Path, where: str) -> None:
    """Records of the loggers below would pass it by."""
    text = _ALL.replace("root: {level: INFO, ", where)
    if "loggers" not in where:
        text = text.replace("root: {", "root: {filters: [rate], ")
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert (
        "names the filter 'rate', which drops records: on a logger it does not see those of the loggers"
        in found[0]
    )
    with pytest.raises(ConfigFileError, match="name it in 'filters' of a handler"):
        load_dict_config(tmp_path / "logging.yaml")


def test_one_order_however_they_are_listed(tmp_path: Path) -> None:
    """Sampling, dedupe, rate limit, quota; what is not of this package keeps its place."""
    seen: list[str] = []

    def own(_record: logging.LogRecord) -> bool:
        seen.append("own")
        return True

    def noting(each: Any) -> Any:
        decide = each.decide

        def noted(entry: logging.LogRecord) -> Any:
            seen.append(each.rule)
            return decide(entry)

        each.decide = noted
        return each

    for where in ("front", "behind"):
        made = [QuotaFilter(9), RateLimitFilter(), own, DedupeFilter(), SamplingFilter()]
        seen.clear()
        with logged(tmp_path / where) as place:
            target = place.queue if where == "front" else place.file
            for each in made:
                target.addFilter(each if each is own else noting(each))
            place.logger.info(where)
            assert seen == ["sampling", "dedupe", "own", "rate_limit", "quota"]
