"""Seeing that the index template is there. Runs on the delivery thread."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.outcome import explain, refusal
from otel_stdlib.handlers.elasticsearch.template import Decision, decide, template_body, template_name
from otel_stdlib.handlers.elasticsearch.wire import Reply, Wire

__all__ = ["install_template"]

_DAY = 86_400.0


def install_template(wire: Wire, options: ElasticsearchOptions) -> str:
    """Make or update the template if that may be done; what was done, for a report.

    A template is a convenience: where it may not be made (privileges, a person's own, a clash
    with another one) records are stored without it, and one line says so.

    Raises:
        RetryableError: the server cannot answer now.
    """
    name = template_name(options)
    target = f"/_index_template/{quote(name, safe='')}"
    reply = _ask(wire, "GET", target)
    present: dict[str, Any] | None = None
    if reply.status == 200:
        present = reply.body["index_templates"][0]["index_template"]
    elif reply.status != 404:
        return _without(name, f"it cannot be read ({reply.status} {explain(reply.body)})")
    wanted = template_body(options)
    decision = decide(present, wanted)
    if decision is Decision.LEAVE:
        return _without(name, "it was made or changed by somebody else, and is left as it is")
    if decision is Decision.KEEP:
        return "kept"
    create = "?create=true" if decision is Decision.CREATE else ""
    reply = _ask(wire, "PUT", target + create, orjson.dumps(wanted))
    if reply.status == 400 and create and "already exists" in explain(reply.body):
        return "kept"  # another process was faster
    if reply.status != 200:
        return _without(name, f"{reply.status} {explain(reply.body)}")
    return "created" if create else "updated"


def _ask(wire: Wire, method: str, target: str, body: bytes | None = None) -> Reply:
    reply = wire.request(method, target, body)
    if reply.status == 401 or reply.status in (408, 429) or reply.status >= 500:
        raise refusal(reply.status, reply.headers, reply.body, wire.where)
    if reply.status == 400 and isinstance(error := refusal(400, {}, reply.body, wire.where), RetryableError):
        raise error  # a gateway's word, or a server's of another version
    if reply.status == 200 and not isinstance(reply.body, dict):
        raise RetryableError(f"{wire.where} does not answer as Elasticsearch does")
    return reply


def _without(name: str, reason: str) -> str:
    say(f"elasticsearch-template:{name}", f"index template {name!r} not written: {reason}", interval=_DAY)
    return f"not written: {reason}"
