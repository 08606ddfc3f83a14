from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from otel_stdlib.handlers.elasticsearch import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.template import (
    Decision,
    content_hash,
    decide,
    template_body,
    template_name,
)
from tests.handlers.elasticsearch.helpers import destination, make_batch, make_frame
from tests.servers.elasticsearch import Elasticsearch

MAPPINGS = ("otel", "seed", "ecs")


def present(server: Elasticsearch, name: str) -> dict[str, Any]:
    """The template that the server has."""
    answer = server.request("GET", f"/_index_template/{quote(name)}")
    assert answer.status == 200
    found: dict[str, Any] = answer.body["index_templates"][0]["index_template"]
    return found


def body(**options: Any) -> dict[str, Any]:
    """The template for some options."""
    return template_body(ElasticsearchOptions(**options))


def test_decisions() -> None:
    """Ours is made and updated; a newer version's and a person's are left alone."""
    wanted = body()
    assert Decision.CREATE is decide(None, wanted)
    assert Decision.KEEP is decide(wanted, wanted)
    assert Decision.UPDATE is decide(body(logsdb=True), wanted)
    newer = {**body(logsdb=True)}
    newer["_meta"] = {**newer["_meta"], "version": 99}
    assert Decision.KEEP is decide(newer, wanted)
    assert Decision.LEAVE is decide({**wanted, "priority": 1}, wanted)
    assert Decision.LEAVE is decide({**wanted, "composed_of": ["mine"]}, wanted)
    assert Decision.LEAVE is decide({"index_patterns": ["x"]}, wanted)
    assert Decision.LEAVE is decide({**wanted, "_meta": None}, wanted)


def test_priority_is_above_the_built_in_ones_and_grows_with_the_pattern() -> None:
    """A longer name wins over a shorter one that it lies within."""
    short, long = body(index_pattern="app-%Y"), body(index_pattern="app-web-%Y")
    assert 120 < short["priority"] < long["priority"]
    assert ["app-*"] == short["index_patterns"]
    assert "otel_stdlib-app-_" == template_name(ElasticsearchOptions(index_pattern="app-%Y"))
    assert "mine" == template_name(ElasticsearchOptions(template="mine"))


def test_hash_is_of_content_only() -> None:
    """What the server adds, or writes another way, does not count."""
    wanted = body(data_stream={})
    stream = {"hidden": False, "allow_custom_routing": False}
    back = {**wanted, "composed_of": [], "created_date_millis": 1, "data_stream": stream}
    assert content_hash(wanted) == content_hash(back)
    assert content_hash(wanted) != content_hash({**back, "data_stream": {"hidden": True}})


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("logsdb", [False, True])
def test_made_once_and_records_fit(
    elasticsearch_server: Elasticsearch, index: str, mapping: str, stream: bool, logsdb: bool
) -> None:
    """The server takes the template, gives the same back, and takes any kind of record under it."""
    dataset = index.replace("-", "_")
    naming: dict[str, Any] = (
        {"data_stream": {"dataset": dataset}} if stream else {"index_pattern": f"{index}-%Y"}
    )
    options = {**naming, "mapping": mapping, "logsdb": logsdb}
    target = destination(elasticsearch_server.url, **options)
    target.open()
    assert "created" == target.template
    again = destination(elasticsearch_server.url, **options)
    again.open()
    assert "kept" == again.template
    frames = [
        make_frame(1, "text", user="x", n=1),
        make_frame(2, {"a": {"b": [1, {"c": 2}]}}, user={"id": 1}, n="one"),
        make_frame(3, "%s", user=[1, "a", None, {"z": [1, [2, 3]]}], n={"deep": {"er": 1.5}}),
        make_frame(
            4, "", user=2**53, n=None, long="x" * 60_000, **{"a.b": 1, "a": 2, ".": 3, "": 4, "@timestamp": 5}
        ),
        make_frame(5, "nul \0 and \ud800", **{"nul\0": "\0", "date": "2026-01-01"}),
    ]
    assert target.deliver(make_batch(frames)) is None
    assert target.counters.get("failure_store") == 0
    name = f"logs-{dataset}-default" if stream else f"{index}-*"
    assert 5 == elasticsearch_server.count(name)
    for closing in (target, again):
        closing.close()


def test_what_kibana_asks_for(elasticsearch_server: Elasticsearch, index: str) -> None:
    """The names that Kibana's views use find the record, and numbers are numbers."""
    target = destination(elasticsearch_server.url, index_pattern=index)
    target.open()
    trace = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
    assert target.deliver(make_batch([make_frame(1, "Order placed", status=503, **trace)])) is None
    elasticsearch_server.request("POST", f"/{index}/_refresh")
    queries: list[dict[str, Any]] = [
        {"match": {"message": "placed"}},
        {"match": {"body": "order"}},
        {"term": {"log.level": "INFO"}},
        {"term": {"log.logger": "shop.orders"}},
        {"term": {"service.name": "shop"}},
        {"term": {"resource.host.name": "node-1"}},
        {"term": {"trace.id": trace["trace_id"]}},
        {"term": {"span.id": trace["span_id"]}},
        {"range": {"attributes.status": {"gte": 500}}},
        {"range": {"@timestamp": {"gte": "now-1h"}}},
    ]
    for query in queries:
        answer = elasticsearch_server.request("POST", f"/{index}/_search", {"query": query})
        assert 1 == answer.body["hits"]["total"]["value"], query
    target.close()


@pytest.mark.parametrize("attributes", ["dotted", "flattened"])
def test_attributes_cannot_explode_the_mapping(
    elasticsearch_server: Elasticsearch, index: str, attributes: str
) -> None:
    """Two thousand attribute names: all records are stored, and the mapping stays within its limit."""
    target = destination(elasticsearch_server.url, index_pattern=index, attributes=attributes)
    target.open()
    frames = [make_frame(n, "x", **{f"key_{n}_{m}": m for m in range(100)}) for n in range(20)]
    assert target.deliver(make_batch(frames)) is None
    assert 20 == elasticsearch_server.count(index)
    capabilities = elasticsearch_server.request("GET", f"/{index}/_field_caps?fields=*").body
    assert len(capabilities["fields"]) < 2_200
    mapping = elasticsearch_server.request("GET", f"/{index}/_mapping").body[index]["mappings"]
    assert len(mapping["properties"]["attributes"].get("properties", ())) <= 1_000
    target.close()


def test_updated_unless_a_person_changed_it(
    elasticsearch_server: Elasticsearch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other options update our template; a changed one is left as it is, which is said once."""
    url, name = elasticsearch_server.url, f"t-{index}"

    def opened(**options: Any) -> str | None:
        target = destination(url, index_pattern=f"{index}-%Y", template=name, **options)
        target.open()
        target.close()
        return target.template

    assert "created" == opened()
    assert "updated" == opened(logsdb=True)
    assert "logsdb" == present(elasticsearch_server, name)["template"]["settings"]["index"]["mode"]
    changed = present(elasticsearch_server, name)
    changed["template"]["settings"]["index"]["number_of_replicas"] = "0"
    changed = {key: value for key, value in changed.items() if not key.endswith("_millis")}
    assert elasticsearch_server.request("PUT", f"/_index_template/{name}", changed).status == 200
    for _ in range(2):
        assert "changed by somebody" in str(opened())
    assert "0" == present(elasticsearch_server, name)["template"]["settings"]["index"]["number_of_replicas"]
    assert 1 == capsys.readouterr().err.count(name)


def test_a_clash_is_said_and_records_are_stored_all_the_same(
    elasticsearch_server: Elasticsearch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A template that the server refuses is no reason to keep records back."""
    other = {"index_patterns": [f"{index}-*"], "priority": 200 + len(index) + 1}
    assert elasticsearch_server.request("PUT", f"/_index_template/{index}", other).status == 200
    target = destination(elasticsearch_server.url, index_pattern=f"{index}-%Y")
    target.open()
    assert "not written: 400" in str(target.template)
    assert target.deliver(make_batch([make_frame(1)])) is None
    assert f"otel_stdlib-{index}-_" in capsys.readouterr().err
    target.close()


def test_off(elasticsearch_server: Elasticsearch, index: str) -> None:
    """With ``template: false`` none is made."""
    target = destination(elasticsearch_server.url, index_pattern=f"{index}-%Y", template=False)
    target.open()
    assert "off" == target.template
    assert elasticsearch_server.request("GET", f"/_index_template/*{index}*").body["index_templates"] == []
    target.close()
