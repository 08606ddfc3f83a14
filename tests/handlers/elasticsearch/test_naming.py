from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib.handlers.elasticsearch.naming import DataStream, IndexPattern, safe_part
from tests.handlers.elasticsearch.helpers import RESOURCE, make_frame

# 2026-01-01T00:00:00Z
MIDNIGHT = 1_767_225_600.0


def test_name_is_by_the_events_utc_time() -> None:
    """A microsecond before midnight belongs to the day, and the year, before."""
    pattern = IndexPattern("app-%Y.%m.%d")
    assert "app-2025.12.31" == pattern.name(make_frame(1, at=MIDNIGHT - 1e-6), RESOURCE)
    assert "app-2026.01.01" == pattern.name(make_frame(2, at=MIDNIGHT), RESOURCE)
    assert "app-2025.12.31" == pattern.name(make_frame(3, at=MIDNIGHT - 1e-6), RESOURCE)


def test_other_directives() -> None:
    """Hours, week numbers and a literal percent sign."""
    frame = make_frame(1, at=MIDNIGHT + 3_600 * 5)
    assert "a-05-2026-01-%" == IndexPattern("a-%H-%G-%V-%%").name(frame, RESOURCE)
    assert "a-*-*-*-%" == IndexPattern("a-%H-%G-%V-%%").wildcard
    assert "a-*" == IndexPattern("a-%Y%m%d").wildcard


def test_placeholders_from_attributes_then_resource() -> None:
    """An attribute wins over the resource; where both lack it, the name says so."""
    pattern = IndexPattern("logs-{tenant}-{service.name}-%Y")
    assert "logs-acme-shop-2026" == pattern.name(make_frame(1, at=MIDNIGHT, tenant="acme"), RESOURCE)
    frame = make_frame(2, at=MIDNIGHT, tenant=7, **{"service.name": "other"})
    assert "logs-7-other-2026" == pattern.name(frame, RESOURCE)
    assert "logs-unknown-shop-2026" == pattern.name(make_frame(3, at=MIDNIGHT), RESOURCE)


def test_a_placeholder_is_not_taken_from_inside_a_value() -> None:
    """A nested member or a text that looks like the attribute is not the attribute."""
    pattern = IndexPattern("logs-{tenant}")
    frame = make_frame(1, {"tenant": "body"}, other={"tenant": "nested"}, text='"tenant":"text"')
    assert "logs-unknown" == pattern.name(frame, RESOURCE)


def test_tenants_that_need_cleaning_never_share_a_name() -> None:
    """Replaced characters are made up for by a hash; upper case alone is folded."""
    assert "acme" == safe_part("ACME")
    names = {
        safe_part(value) for value in ("a/b", "a:b", "a b", "ä", "ö", "../x", "x" * 200, "x" * 201, "-a", "a")
    }
    assert 10 == len(names)
    assert safe_part("a/b").startswith("a_b-")


@given(st.text(max_size=300))
def test_any_value_gives_a_legal_name(value: str) -> None:
    """Whatever a tenant is called, the index name is one that Elasticsearch takes."""
    name = IndexPattern("{tenant}-logs-%Y").name(make_frame(1, tenant=value), RESOURCE)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name)
    assert len(name) <= 255


def test_data_stream() -> None:
    """A stream's name is its three parts; the template is for it alone."""
    stream = DataStream.of({"dataset": "shop"})
    assert "logs-shop-default" == stream.name(make_frame(1), RESOURCE) == stream.wildcard
