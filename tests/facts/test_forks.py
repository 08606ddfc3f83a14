from __future__ import annotations

import os
import subprocess
import sys

from otel_stdlib.facts.forks import ForkRegistry


class Held:
    """Something that a child must not share."""

    def __init__(self) -> None:
        self.let_go = 0

    def release(self) -> None:
        """Count."""
        self.let_go += 1


def test_a_child_lets_go_of_what_is_registered() -> None:
    """Of each member once a fork, and not of one that was taken out; the parent keeps all."""
    registry = ForkRegistry(Held.release)
    kept, gone = Held(), Held()
    for held in (kept, gone):
        registry.add(held)
    registry.discard(gone)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if (kept.let_go, gone.let_go) == (1, 0) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (kept.let_go, gone.let_go) == (0, 0)


def test_importing_registers_nothing() -> None:
    """An import must do nothing, and not every platform has fork hooks."""
    program = (
        "import os\n"
        "found, real = [], os.register_at_fork\n"
        "def register(**hooks):\n"
        "    found.extend(h for h in hooks.values() if (h.__module__ or '').startswith('otel_stdlib'))\n"
        "    real(**hooks)\n"
        "os.register_at_fork = register\n"
        "import otel_stdlib.handlers.kafka.client, otel_stdlib.handlers.postgres.session\n"
        "import otel_stdlib.handlers.jsonl.lock, otel_stdlib.facade.configure, otel_stdlib.cli.main\n"
        "assert found == [], found\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
