from __future__ import annotations

import os

from otel_stdlib.spool.manifest import Manifest, Target, identity_hash, key_text


def test_a_path_that_is_no_utf8_is_found_again() -> None:
    """A handler's own identity and the one that is read back from the manifest have one hash."""
    key = os.fsdecode(b"/var/log/\xff.jsonl")
    target = Target("jsonl", key_text(key), "file")
    parsed = Manifest.parse(Manifest("0" * 26, 1, 2, b"{}", (target,)).dump())
    assert parsed is not None
    assert {t.hash for t in parsed.targets} == {identity_hash("jsonl", key)}
