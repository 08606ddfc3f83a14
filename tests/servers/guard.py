"""Runs one server as its child and never lets it outlive the test run.

`guard.py SPEC COMMAND...` is started by `process.py` with a pipe as its standard input. SPEC is a JSON object:
`user` (a user name to run as, or null), `stop_signal`, `grace` (seconds between that signal and SIGKILL) and
`scratch` (a folder to remove if the test run is gone, or null). It prints `pid N` once, then each line on its
input is a signal number for the child; a negative one goes to the child's whole process group. The end of input
means that the test run has ended, however it did: the child is stopped, then killed. The guard exits when its
child has, with its status as a shell would give it.

A process of its own, because a server tied to its parent by PR_SET_PDEATHSIG dies with the *thread* that started
it, and tests restart servers from threads that end. It imports the standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In the child, after its change of user (which would clear the request), before exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(spec: dict[str, Any], command: list[str]) -> subprocess.Popen[bytes]:
    """Starts the server as leader of a process group of its own, with no input and our output."""
    user = {"user": spec["user"], "group": spec["group"], "extra_groups": []} if spec["user"] else {}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        preexec_fn=die_with_parent,
        **user,
    )


def obey(child: subprocess.Popen[bytes], spec: dict[str, Any], orphaned: threading.Event) -> None:
    """Passes signals on until the input ends, then ends the child."""
    for line in sys.stdin:
        number = int(line)
        if number > 0:
            child.send_signal(number)
        elif child.poll() is None:
            os.killpg(child.pid, -number)
    orphaned.set()
    child.send_signal(signal.SIGCONT)
    child.send_signal(spec["stop_signal"])
    time.sleep(spec["grace"])
    child.kill()


def main() -> None:
    """Runs until the child has ended."""
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    try:
        child = start(spec, command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(127)
    print(f"pid {child.pid}", flush=True)
    orphaned = threading.Event()
    threading.Thread(target=obey, args=(child, spec, orphaned), daemon=True).start()
    status = child.wait()
    if orphaned.is_set() and spec["scratch"]:
        shutil.rmtree(spec["scratch"], ignore_errors=True)
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
