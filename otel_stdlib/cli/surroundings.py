"""What a handler needs around it: folders that can be written, certificates that are there, the right port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.handlers.base import EncodingHandler
from otel_stdlib.spool.place import choose_root

__all__ = ["find_missing", "spool_trouble"]

#: Options that name a file which must be there.
_FILES = ("ca_certs", "certificate", "client_certificate", "client_key", "sslrootcert")
_PORTS = {4317: "grpc", 4318: "http/protobuf"}


def find_missing(handler: Any) -> Iterator[tuple[str, str]]:
    """Option and message for each thing that a made handler would stumble over. Opens and makes nothing."""
    options = getattr(handler, "options", None)
    target = getattr(options, "target", None)
    if handler.__class__.__name__ == "JSONLFileHandler" and isinstance(target, str):
        trouble = _write_trouble(Path(target))
        if trouble:
            yield "filename", f"cannot be written: {trouble}"
    for name in _FILES:
        path = getattr(options, name, None)
        if isinstance(path, (str, os.PathLike)) and path and str(path) != "system":
            trouble = _read_trouble(Path(path))
            if trouble:
                yield name, trouble
    protocol = getattr(options, "protocol", None)
    if protocol is not None:
        yield from _port(str(getattr(options, "endpoint", "")), str(protocol))
    if isinstance(handler, EncodingHandler) and handler.pipeline.options.directory is not None:
        trouble = spool_trouble(handler.pipeline.options.directory)
        if trouble:
            yield "spool", f"records would be kept in memory only: {trouble}"


def _port(endpoint: str, protocol: str) -> Iterator[tuple[str, str]]:
    try:
        port = urlsplit(endpoint).port
    except ValueError:
        return
    expected = _PORTS.get(port or 0)
    if expected is not None and expected.partition("/")[0] != protocol.partition("/")[0]:
        other = 4318 if port == 4317 else 4317
        message = f"port {port} is the one for the protocol {expected!r}, and 'protocol' is {protocol!r}: "
        yield "endpoint", f"{message}use port {other}, or set 'protocol: {expected}'"


def spool_trouble(directory: str | os.PathLike[str] | None) -> str:
    """Why a folder cannot hold spools; "" when it can, as far as looking tells."""
    try:
        root = choose_root(directory, "service")
    except SpoolUnavailable as error:
        return str(error)
    if not root.exists():
        return _make_trouble(root.parent)
    if not root.is_dir():
        return f"{root} is not a folder"
    found = root.stat()
    if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        return f"{root} must belong to this user and be closed to others (mode 0700)"
    return "" if _may(root, os.W_OK | os.X_OK) else f"no permission to write in {root}"


def _write_trouble(path: Path) -> str:
    if path.exists():
        return (
            "" if _may(path, os.W_OK) and _may(path.parent, os.W_OK | os.X_OK) else f"no permission at {path}"
        )
    return _make_trouble(path.parent)


def _make_trouble(folder: Path) -> str:
    """Why nothing can be made in a folder, which may itself have to be made."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return "" if _may(folder, os.W_OK | os.X_OK) else f"no permission to write in {folder}"


def _read_trouble(path: Path) -> str:
    try:
        if not path.exists():
            return f"there is no file {str(path)!r}"
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if _may(path, os.R_OK) else f"no permission to read {path}"


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)
