"""What a request needs of the official client."""

from __future__ import annotations

import subprocess
import sys

from tests.tree import ROOT

_DELIVER = """
import sys
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.wire import Wire
wire = Wire(ElasticsearchOptions.of({"hosts": ["http://127.0.0.1:1", "https://localhost:1/prefix"]}))
try:
    wire.request("GET", "/")
except RetryableError as error:
    print(error)
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("elasticsearch", "elastic_transport")))
"""


def test_only_the_transport_is_loaded() -> None:
    """The package above it takes a second to import, and holds the GIL in long pieces meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", _DELIVER], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    said, loaded = done.stdout.splitlines()
    assert "no connection to http://127.0.0.1:1: cannot connect: " in said  # in any order
    assert "no connection to https://localhost:1/prefix: cannot connect: " in said
    assert "elastic_transport" in loaded.split()
    assert not any(name.startswith("elasticsearch") for name in loaded.split())
