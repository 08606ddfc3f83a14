"""The options of a JSONL file, checked where they are given."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_flag, check_names, check_whole
from otel_stdlib.handlers.jsonl.schedule import Schedule

__all__ = ["JSONLOptions"]

_Path = str | os.PathLike[str]


@dataclass(frozen=True)
class JSONLOptions:
    """One target file and how it is rotated. Sizes in bytes.

    Nothing is opened or made here; a folder that is missing is made when the file is opened.

    Raises:
        ConfigError: a value is wrong; the message quotes the option and the value.
    """

    #: The target; relative to the directory that is current now. Required, here or as ``log_file``.
    filename: _Path | None = None
    #: Another name of ``filename``; always None afterwards.
    log_file: _Path | None = None
    #: A file never grows past this, but for a single longer line; 0: no rotation by size.
    max_bytes: int = 0
    #: How many rotated files are kept.
    backup_count: int = 5
    #: Rotation by time: ``S``, ``M``, ``H``, ``D``, ``midnight`` or ``W0`` to ``W6``, as in
    #: ``logging.handlers.TimedRotatingFileHandler``.
    when: str | None = None
    #: How many of those units lie between two rotations.
    interval: int = 1
    #: Days begin at midnight UTC instead of local time.
    utc: bool = False
    #: ``"gzip"`` (or True): rotated files are compressed in the background.
    compress: Literal["gzip"] | bool | None = None
    #: Permission bits of the files made here, as a number or as octal digits in a string.
    mode: int | str = 0o600
    #: A JSON line is UTF-8; the option is here for configurations that say so.
    encoding: str = "utf-8"
    #: Each block of lines is on the disk, not only in the kernel, before its records count as stored.
    fsync: bool = False
    #: The file that processes agree through; None: a hidden one beside the target.
    sidecar: _Path | None = None

    def __post_init__(self) -> None:
        self._check_paths()
        for name, low in (("max_bytes", 0), ("backup_count", 0), ("interval", 1)):
            check_whole(name, getattr(self, name), low)
        for name in ("utc", "fsync"):
            check_flag(name, getattr(self, name))
        if self.compress not in (None, False, True, "gzip"):
            raise _wrong("compress", "must be 'gzip', true, false or null", self.compress)
        self._set("compress", "gzip" if self.compress else None)
        self._set("mode", _mode(self.mode))
        try:
            encoding = codecs.lookup(self.encoding).name
        except (LookupError, TypeError):
            encoding = ""
        if encoding != "utf-8":
            raise _wrong("encoding", "must be utf-8, which JSON lines are", self.encoding)
        if self.when is not None:
            Schedule(self.when, self.interval, self.utc)
        if self.rotates and self.backup_count < 1:
            needing = "max_bytes" if self.max_bytes else "when"
            raise _wrong("backup_count", f"must be 1 or more with {needing!r}", self.backup_count)

    def _check_paths(self) -> None:
        if self.filename is not None and self.log_file is not None:
            raise ConfigError(
                f"options 'filename' ({self.filename!r}) and 'log_file' ({self.log_file!r}) are one and the same: "
                "give only one",
                option="log_file",
            )
        if self.filename is None and self.log_file is None:
            raise ConfigError("a JSONL file needs the option 'filename'", option="filename")
        name = "filename" if self.log_file is None else "log_file"
        self._set("filename", _path(name, getattr(self, name)))
        self._set("log_file", None)
        if self.sidecar is not None:
            path = _path("sidecar", self.sidecar)
            if os.path.realpath(path) == self.target:
                raise _wrong("sidecar", "must be another file than the target", self.sidecar)
            self._set("sidecar", path)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def rotates(self) -> bool:
        """Whether the file is ever rotated from here."""
        return self.max_bytes > 0 or self.when is not None

    @property
    def target(self) -> str:
        """The absolute path of the file itself, symbolic links followed as they are now."""
        assert self.filename is not None
        return os.path.realpath(self.filename)

    @property
    def bits(self) -> int:
        """``mode`` as a number."""
        assert isinstance(self.mode, int)
        return self.mode

    @property
    def schedule(self) -> Schedule | None:
        """When the file is rotated by time."""
        return None if self.when is None else Schedule(self.when, self.interval, self.utc)

    def sidecar_of(self, target: str) -> str:
        """Where the sidecar of ``target`` lies."""
        if self.sidecar is not None:
            return os.fspath(self.sidecar)
        folder, name = os.path.split(target)
        return os.path.join(folder, f".{name}.otel-stdlib")

    @classmethod
    def of(cls, value: JSONLOptions | Mapping[str, Any]) -> JSONLOptions:
        """Options from a mapping, as configuration files give them."""
        if isinstance(value, cls):
            return value
        assert isinstance(value, Mapping)
        check_names(value, [field.name for field in fields(cls)], "unknown option {} of a JSONL file")
        return cls(**{str(name): value[name] for name in value})


def _wrong(option: str, rule: str, value: object) -> ConfigError:
    return ConfigError(f"option {option!r} {rule}, not {value!r}", option=option)


def _path(option: str, value: object) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise _wrong(option, "must be a path", value)
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise _wrong(option, "must be a path", value)
    # Looked at once: another process may rotate the file away between two looks.
    try:
        kind = stat.S_IFMT(os.stat(text).st_mode)
    except (OSError, ValueError):
        kind = stat.S_IFREG  # not there yet, or not to be seen: opening it will tell
    if text.endswith(os.sep) or kind == stat.S_IFDIR:
        raise _wrong(option, "must be a file and is a directory", value)
    if kind != stat.S_IFREG:
        raise _wrong(option, "must be a regular file", value)
    return os.path.abspath(text)


def _mode(value: object) -> int:
    try:
        bits = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        bits = None
    if not isinstance(bits, int) or isinstance(bits, bool) or bits & ~0o666 or bits & 0o600 != 0o600:
        raise _wrong("mode", "must be permission bits from 0600 to 0666", value)
    return bits
