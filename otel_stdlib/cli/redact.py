"""``otel-stdlib redact``: secrets in files that were written before redaction was on."""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from otel_stdlib.config.converted import Converted
from otel_stdlib.config.dictconfig import check_dict_config
from otel_stdlib.config.document import read_yaml
from otel_stdlib.config.errors import ConfigFileError
from otel_stdlib.config.translate import load_settings
from otel_stdlib.config.trial import make_handler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.base import EncodingHandler
from otel_stdlib.record.line import load_object
from otel_stdlib.record.redacted_line import LineRedactor, write_object
from otel_stdlib.redaction.engine import Tally
from otel_stdlib.redaction.options import Redaction

__all__ = ["add_parser", "redact_line", "redaction_of"]

_GZIP = b"\x1f\x8b"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``redact``."""
    parser = commands.add_parser("redact", help="find secrets in JSONL files, or mask them")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="JSONL files, also compressed ones (gzip)"
    )
    parser.add_argument("--config", help="a YAML file whose 'redaction' is used; left out: the defaults")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--check", action="store_true", help="report what would be masked; exit status 1 if anything"
    )
    what.add_argument("--in-place", action="store_true", help="write the files anew with secrets masked")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    redaction = Redaction() if arguments.config is None else redaction_of(arguments.config)
    found = False
    for path in arguments.files:
        if not path.is_file():
            raise ConfigError(f"there is no file {str(path)!r}")
    for path in arguments.files:
        try:
            tally = _check(path, redaction) if arguments.check else _rewrite(path, redaction)
        except (OSError, EOFError) as error:
            raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        found = found or bool(tally)
        rules = ", ".join(f"{rule} {count}" for rule, count in sorted(tally.items()))
        print(f"{path}: {rules or 'nothing found'}")
    return 1 if found and arguments.check else 0


def redaction_of(path: str) -> Redaction:
    """The redaction of a configuration.

    Raises:
        ConfigError: something is wrong with it, or it has none.
    """
    value = read_yaml(path).value
    if isinstance(value, dict) and "logger" in value:
        settings, _, _ = load_settings(path)
        found = Redaction.of(settings.redaction)
    else:
        document, problems = check_dict_config(path)
        if problems:
            raise ConfigFileError(problems)
        converted = Converted(document)
        made = [
            make_handler(("handlers", str(name)), converted) for name in converted.section("handlers") or ()
        ]
        pipelines = [handler.pipeline for handler in made if isinstance(handler, EncodingHandler)]
        found = next((each.redaction for each in pipelines if each.redaction is not None), None)
    if found is None:
        raise ConfigError(f"{path}: no handler has 'redaction'; leave out --config to use the defaults")
    return found


def redact_line(line: bytes, redaction: Redaction, tally: Tally) -> bytes:
    """One line of a file without its line end; ``line`` itself where it holds no secret."""
    here: Tally = {}
    redactor = redaction.redactor
    try:
        value: Any = load_object(line)
    except ValueError:
        text = line.decode("utf-8", "surrogateescape")
        made = redactor.text(text, here, bounded=False).encode("utf-8", "surrogateescape")
    else:
        value = _redacted(value, redaction, here)
        made = write_object(value) if here else line
    for rule, count in here.items():
        tally[rule] = tally.get(rule, 0) + count
    return made


def _redacted(value: Any, redaction: Redaction, tally: Tally) -> Any:
    lines = LineRedactor(redaction)
    if isinstance(value, dict):
        record = value.get("record", value)  # a dead letter has its record inside
        if isinstance(record, dict) and "body" in record and isinstance(record.get("attributes"), dict):
            lines.record(record, tally)
            return value
    return redaction.redactor.value(_by_pairs(value, redaction, tally), tally)


def _by_pairs(value: Any, redaction: Redaction, tally: Tally) -> Any:
    """OTLP's lists of ``{"key": ..., "value": {"stringValue": ...}}``, masked by their keys."""
    if isinstance(value, list):
        return [_by_pairs(member, redaction, tally) for member in value]
    if not isinstance(value, dict):
        return value
    if (
        value.keys() == {"key", "value"}
        and isinstance(value["key"], str)
        and isinstance(value["value"], dict)
    ):
        redactor = redaction.redactor
        inner = value["value"].get("stringValue", write_object(value["value"]).decode("utf-8", "replace"))
        if redactor.is_secret_key(value["key"]):
            masked = redactor.member(value["key"], inner, tally)
            return value if masked == inner else {"key": value["key"], "value": {"stringValue": masked}}
    return {key: _by_pairs(member, redaction, tally) for key, member in value.items()}


def _open(path: Path) -> BinaryIO:
    with open(path, "rb") as file:
        packed = file.read(2) == _GZIP
    return cast("BinaryIO", gzip.open(path, "rb")) if packed else open(path, "rb")


def _lines(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        yield from file


def _check(path: Path, redaction: Redaction) -> Tally:
    tally: Tally = {}
    for line in _lines(path):
        redact_line(line.rstrip(b"\r\n"), redaction, tally)
    return tally


def _rewrite(path: Path, redaction: Redaction) -> Tally:
    """Write a file anew, in one step: at a crash it is the old one or the new one.

    Raises:
        ConfigError: a handler writes it.
    """
    path = path.resolve()
    if path.with_name(f".{path.name}.otel").exists():
        raise ConfigError(f"{path}: a handler writes this file: rotate it first, or redact a copy of it")
    before = path.stat()
    tally: Tally = {}
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            with open(path, "rb") as file:
                packed = file.read(2) == _GZIP
            writer = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if packed else nullcontext(raw)
            with cast("AbstractContextManager[BinaryIO]", writer) as out:
                for line in _lines(path):
                    text = line.rstrip(b"\r\n")
                    out.write(redact_line(text, redaction, tally) + line[len(text) :])
            raw.flush()
            os.fchmod(raw.fileno(), before.st_mode & 0o7777)
            os.fsync(raw.fileno())
        after = path.stat()
        if (after.st_ino, after.st_size, after.st_mtime_ns) != (
            before.st_ino,
            before.st_size,
            before.st_mtime_ns,
        ):
            raise ConfigError(
                f"{path}: it was written to meanwhile and is unchanged: redact it when nothing writes it"
            )
        if tally:
            os.replace(name, path)
            _keep_owner(path, before)
        else:
            os.unlink(name)
    except BaseException:
        if os.path.exists(name):
            os.unlink(name)
        raise
    return tally


def _keep_owner(path: Path, before: os.stat_result) -> None:
    found = path.stat()
    if (found.st_uid, found.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.chown(path, before.st_uid, before.st_gid)
        except OSError:  # another user's file in a folder of ours: it stays closed to others
            return
