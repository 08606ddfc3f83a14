"""A Collector that cannot be reached for a while: the breaker and the fallback."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from otel_stdlib.handlers import OTLPHandler
from tests.handlers.otlp.parts import QUICK
from tests.handlers.otlp.test_faults import arrived
from tests.servers.collector import OtelCollector
from tests.servers.proxy import Proxy
from tests.support import eventually, whole_lines


def test_the_breaker_opens_and_the_fallback_is_readable(
    otel_collector: OtelCollector, proxy: Callable[[str, int], Proxy], tmp_path: Path
) -> None:
    """With the Collector cut off records can be read in the fallback's file; afterwards each arrives once."""
    door = proxy(otel_collector.host, otel_collector.http_port)
    file = tmp_path / "waiting.jsonl"
    options = {**QUICK, "timeout": 1.0, "circuit_breaker_threshold": 2, "circuit_breaker_timeout": 0.5}
    handler = OTLPHandler(
        endpoint=f"http://127.0.0.1:{door.port}",
        fallback={"filename": str(file), "after": 0.2},
        spool={"directory": str(tmp_path / "spool")},
        **options,
    )
    logger = logging.Logger("otlp-outage", logging.INFO)
    logger.addHandler(handler)
    try:
        logger.info("before")
        assert handler.flush(60)
        door.stop()
        for number in range(50):
            logger.info("waiting %d", number)
        (name,) = handler.health()["destinations"]
        eventually(lambda: handler.health()["destinations"][name]["circuit_breaker"] != "closed", 60)
        eventually(lambda: len(whole_lines(file)) == 50, 60)
        lines = [json.loads(line) for line in whole_lines(file)]
        assert [line["body"] for line in lines] == [f"waiting {number}" for number in range(50)]
        door.start()
        assert handler.flush(60)
        eventually(lambda: handler.health()["destinations"][name]["circuit_breaker"] == "closed", 10)
    finally:
        handler.stop(10)
    wanted = {line["attributes"]["log.record.uid"] for line in lines}
    eventually(lambda: wanted <= {uid for _, uid in arrived(otel_collector, "waiting ")}, 60, 0.1)
    counts = Counter(uid for _, uid in arrived(otel_collector, "waiting "))
    assert {counts[uid] for uid in wanted} == {1}
