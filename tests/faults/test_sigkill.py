"""Accepted records survive SIGKILL, once each."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from tests.tree import ROOT


@pytest.mark.long
@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fifty_rounds_of_sigkill() -> None:
    """Several processes on one rotating file, forks, killed successors: nothing lost, doubled or torn.

    The harness is ``tests/proof``; it forks, so it runs in a process without pytest's threads.
    """
    seed = random.SystemRandom().randrange(1 << 30)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.proof.kill",
            "--loggers",
            "own",
            "--rounds",
            "50",
            "--seed",
            str(seed),
            "--json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.stdout, done.stderr
    tally = json.loads(done.stdout)["own"]
    assert [] == tally["faults"], f"first seed {seed}"
    assert (50, 0, 0, 0, 0) == tuple(tally[k] for k in ("rounds", "lost", "doubled", "torn", "stuck"))
    assert tally["accepted"] > 50
    assert tally["forks"] > 0
    assert tally["rotations"] > 0
