"""Where built servers are kept, and how two test runs build one only once.

Imports the standard library only: `python -m tests.servers build` runs before the test packages are installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

#: Overrides the folder of built servers.
CACHE = "OTEL_STDLIB_SERVER_CACHE"
# Read once: the environment is cleaned for each test.
_own, _xdg = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")


class Unavailable(Exception):
    """A server cannot be had on this machine; the message says what is missing and how to get it."""


class BuildError(Unavailable):
    """A server could not be built; the message says which step failed and why."""


def cache_dir() -> Path:
    """The folder of built servers: OTEL_STDLIB_SERVER_CACHE, else in the user's cache folder."""
    if _own:
        return Path(_own)
    return Path(_xdg or os.path.expanduser("~/.cache")) / "otel_stdlib-servers"


def python_packages() -> Path:
    """Where `.ci/install-servers` puts Python packages that carry a server or a Java runtime."""
    return cache_dir() / "python"


def run(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Runs a build step; its output, or BuildError with the end of it."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        tail = "\n".join(text.splitlines()[-15:])
        raise BuildError(f"{' '.join(command[:6])} … failed with status {done.returncode}:\n{tail}")
    return text


def fingerprint(sources: Iterable[Path], *more: str) -> str:
    """A hash of these files' names and contents: a change of the recipe makes a new build."""
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    for word in more:
        digest.update(word.encode() + b"\0")
    return digest.hexdigest()[:16]


def built(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of build `name`-`key`, made by `build(empty folder)` when it is not there.

    One build at a time holds a lock, across processes; the folder appears under its name only when complete.
    """
    cache = cache_dir()
    place = cache / f"{name}-{key}"
    if place.is_dir():
        return place
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / f"{name}.lock").open("w")
    except OSError as error:
        raise BuildError(f"{cache} cannot be written ({error.strerror}): set {CACHE}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        work = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache))
        work.chmod(0o755)
        try:
            build(work)
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return place
