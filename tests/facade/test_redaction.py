"""The option ``redaction`` of a ``logger:`` document."""

from __future__ import annotations

from typing import Any

import pytest

import otel_stdlib
from otel_stdlib.config.translate import load_settings
from otel_stdlib.facts.errors import ConfigError
from tests.facade.parts import FILE, Records, Write
from tests.redaction.hostile import M


def test_keywords_spans_and_events_are_redacted(records: Records, write_config: Write) -> None:
    """All that the facade logs."""
    logger = otel_stdlib.configure_logger(write_config(FILE + "  redaction: true\n"))
    otel_stdlib.log_info("pwd=abc", api_key="abc", user="joe")
    with otel_stdlib.otel_span("pay", attributes={"password": "abc", "url": "https://u:abc@host/"}) as span:
        if hasattr(span, "add_event"):
            span.add_event("tried", {"token": "abc"})
    assert logger.flush(30)
    found = records("shop.jsonl")
    assert f"pwd={M}" == found[0]["body"]
    assert (M, "joe") == (found[0]["attributes"]["api_key"], found[0]["attributes"]["user"])
    assert "abc" not in repr([{**line, "trace_id": "", "span_id": "", "resource": ""} for line in found[:1]])
    assert all("u:abc@" not in repr(line) and "'abc'" not in repr(line) for line in found)


@pytest.mark.parametrize(
    ("redaction", "message"),
    [
        ("{values: [githb]}", "githb"),
        ("{custom: [{name: x, pattern: '(a+)+b'}], engine: re}", "nested quantifiers"),
    ],
)
def test_a_wrong_option_is_an_error_and_never_off(write_config: Write, redaction: str, message: str) -> None:
    """Loaded strictly it fails with its place; else the defaults stand in."""
    path: Any = write_config(f"{FILE}  redaction: {redaction}\n")
    with pytest.raises(ConfigError, match=rf"logger_config\.yaml:9:\d+: logger\.redaction.*{message}"):
        load_settings(path)
    settings, problems, _ = load_settings(path, strict=False)
    assert settings.redaction is True
    assert 1 == len(problems)
