"""SIGTERM under ``configure_logger``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import accepted
from tests.faults.test_sigterm import check_complete, run_to_sigterm

pytestmark = pytest.mark.fault


def test_the_facade_has_the_option(tmp_path: Path) -> None:
    """``drain_on_sigterm`` of the ``logger:`` document, and as a keyword of ``configure_logger``."""
    run_to_sigterm(
        tmp_path,
        """
import otel_stdlib
otel_stdlib.configure_logger(
    backends=[{"backend_type": "filesystem", "config": {"log_file": os.path.join(FOLDER, "out", "app.jsonl")}}],
    shutdown_timeout=60.0,
    drain_on_sigterm=True,
)
say("last words")
os.kill(os.getpid(), signal.SIGTERM)
""",
    )
    assert accepted(tmp_path).total() == 1
    check_complete(tmp_path)
