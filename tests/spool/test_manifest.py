from __future__ import annotations

import os

from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.manifest import Manifest, Target


def test_a_path_that_is_no_utf8_is_found_again() -> None:
    """A handler's own identity and the one that is read back from the manifest have one hash."""
    key = os.fsdecode(b"/var/log/\xff.jsonl")
    identity = Identity("jsonl", key)
    parsed = Manifest.parse(Manifest("0" * 26, 1, 2, b"{}", (Target(identity, "file"),)).dump())
    assert parsed is not None
    assert {t.hash for t in parsed.targets} == {identity.hash}
    assert identity.hash == "72afaa22741ca57344cf"  # as it is in names of files since the first version
