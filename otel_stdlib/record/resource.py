"""What the process is: the OpenTelemetry resource, detected once per process.

Sources: semantic conventions v1.44 (service, process, host, os, container, k8s, telemetry) and
the environment variables ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES``. No command-line
argument is ever part of it: arguments hold secrets.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from otel_stdlib.record.limits import Limits
from otel_stdlib.record.values import Normaliser

if sys.platform != "win32":
    import pwd

__all__ = ["KNOWN_ATTRIBUTES", "Resource", "detect_resource", "package_version"]

_CONTAINER_ID = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
#: The usual names of what Kubernetes' downward API puts into the environment.
_K8S = {
    "k8s.pod.name": ("K8S_POD_NAME", "POD_NAME", "KUBERNETES_POD_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID", "KUBERNETES_POD_UID"),
    "k8s.namespace.name": ("K8S_NAMESPACE_NAME", "POD_NAMESPACE", "KUBERNETES_NAMESPACE", "NAMESPACE"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME", "KUBERNETES_NODE_NAME"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
}
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
#: Every attribute that is detected somewhere.
KNOWN_ATTRIBUTES = (
    "service.name",
    "service.version",
    "service.instance.id",
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "telemetry.sdk.version",
    "process.pid",
    "process.parent_pid",
    "process.executable.name",
    "process.executable.path",
    "process.command",
    "process.runtime.name",
    "process.runtime.version",
    "process.runtime.description",
    "process.creation.time",
    "process.owner",
    "host.name",
    "host.arch",
    "host.id",
    "os.type",
    "os.version",
    "os.description",
    "container.id",
    *_K8S,
)


@dataclass(frozen=True)
class Resource:
    """A resource: flat attributes with dotted names, and the same as JSON."""

    attributes: Mapping[str, Any]
    #: One JSON object in UTF-8.
    json: bytes
    #: What was wrong in the environment, in a sentence each.
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, attributes: Mapping[Any, Any], problems: tuple[str, ...] = ()) -> Resource:
        """A resource from attributes; values that JSON does not have become text."""
        normaliser = Normaliser(Limits())
        clean = {normaliser.key(key): normaliser.value(value) for key, value in attributes.items()}
        text = orjson.dumps(clean)
        return cls(orjson.loads(text), text, problems)


def detect_resource(
    service_name: str | None = None,
    service_version: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Resource:
    """The resource of this process. Later sources win: detectors, environment, arguments.

    ``service.instance.id`` is a random UUID of this process, new in every forked child, unless the
    user has set one. A detector that fails leaves its attributes out and disturbs no other.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, Any] = {**_detected(os.getpid()), **_known(lambda: _kubernetes(environ))}
    given, problems = _from_environment(environ)
    found.update(given)
    found.update(attributes or {})
    if service_name:
        found["service.name"] = service_name
    if service_version:
        found["service.version"] = service_version
    executable = os.path.basename(sys.executable or "") or "python"
    found.setdefault("service.name", f"unknown_service:{executable}")
    found.setdefault("service.instance.id", _instance_id(os.getpid()))
    return Resource.of(found, problems)


@lru_cache(maxsize=1)
def _detected(_pid: int) -> dict[str, Any]:
    # Once per process: a reconfigured pipeline must not hold up its first log call for it.
    found: dict[str, Any] = {}
    for detect in (_telemetry, _process, _host, _container):
        found.update(_known(detect))
    return found


def _known(detect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {key: value for key, value in detect().items() if value not in (None, "")}
    except Exception:
        return {}


@lru_cache(maxsize=1)
def _instance_id(_pid: int) -> str:
    # Cached by process id: one per process, and a forked child has its own.
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    problems: list[str] = []
    for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, separator, value = item.partition("=")
        try:
            name, text = unquote(key.strip(), errors="strict"), unquote(value.strip(), errors="strict")
        except UnicodeDecodeError:
            name, text = "", ""
        if separator and name:
            found[name] = text
        elif item.strip():
            problems.append(
                f"OTEL_RESOURCE_ATTRIBUTES: {item.strip()[:100]!r} is no key=value and is ignored"
            )
    if environ.get("OTEL_SERVICE_NAME"):
        found["service.name"] = environ["OTEL_SERVICE_NAME"]
    return found, tuple(problems)


@lru_cache(maxsize=1)
def package_version() -> str:
    """This package's; ``0`` where it is not installed."""
    # It imports modules, on some Pythons many, so handlers ask when they are made: in the first log call
    # a child that is forked meanwhile by another thread would wait for their locks for ever.
    try:
        found = metadata.distribution("otel_stdlib")
    except metadata.PackageNotFoundError:
        return "0"
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    version = re.search(r"^Version:\s*(\S+)", text, re.MULTILINE)
    return "0" if version is None else version[1]


def _telemetry() -> dict[str, Any]:
    return {
        "telemetry.sdk.name": "otel_stdlib",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": package_version(),
    }


def _process() -> dict[str, Any]:
    found: dict[str, Any] = {
        "process.pid": os.getpid(),
        "process.executable.name": os.path.basename(sys.executable or ""),
        "process.executable.path": sys.executable,
        "process.command": (getattr(sys, "orig_argv", None) or sys.argv or [""])[0],
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
        "process.runtime.description": sys.version.replace("\n", ""),
        "process.creation.time": _creation_time(),
    }
    if hasattr(os, "getppid"):
        found["process.parent_pid"] = os.getppid()
    found["process.owner"] = _owner()
    return found


def _owner() -> str | None:
    if sys.platform == "win32":
        return os.environ.get("USERNAME")
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return os.environ.get("USERNAME")


def _creation_time() -> str | None:
    """From the kernel: start in clock ticks after boot. None where there is no ``/proc``."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime ")
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    seconds = boot + ticks / os.sysconf("SC_CLK_TCK")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def _host() -> dict[str, Any]:
    system = platform.system()
    return {
        "host.name": socket.gethostname(),
        "host.arch": {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        ),
        "host.id": _first_line("/etc/machine-id"),
        "os.type": system.lower(),
        "os.version": platform.release(),
        "os.description": f"{system} {platform.release()} {platform.version()}".strip(),
    }


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text().strip().split("\n")[0] or None
    except OSError:
        return None


def _kubernetes(environ: Mapping[str, str]) -> dict[str, Any]:
    if _IN_KUBERNETES not in environ and not any(name.startswith("K8S_") for name in environ):
        return {}
    found = {key: next((environ[n] for n in names if environ.get(n)), None) for key, names in _K8S.items()}
    if _IN_KUBERNETES in environ and found["k8s.pod.name"] is None:
        found["k8s.pod.name"] = environ.get("HOSTNAME")
    return found


def _container() -> dict[str, Any]:
    for path in ("/proc/self/cgroup", "/proc/self/mountinfo"):
        try:
            text = Path(path).read_text()
        except OSError:
            continue
        if path.endswith("mountinfo"):
            text = "\n".join(
                line for line in text.splitlines() if "/containers/" in line or "/docker/" in line
            )
        match = _CONTAINER_ID.search(text)
        if match:
            return {"container.id": match[1]}
    return {}
