"""Variables in a configuration: ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${file:path}``, ``$$``.

A value that is nothing but unquoted text is read as YAML again when a variable was put in, so
``port: ${PORT:-5432}`` is a number; in quotes, or under the name of a secret, it stays text.
A secret remembers what it was made from, so that it can be read again when it has been rotated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import yaml

from otel_stdlib.config.document import Document, is_plain_tuple
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.facts.filestate import FileState, look
from otel_stdlib.facts.options import nearest
from otel_stdlib.facts.renewal import RenewableSecret
from otel_stdlib.facts.secrets import Secret, is_secret_name
from otel_stdlib.facts.unexpanded import Expanded

__all__ = ["Environment", "expand"]

_MAX_SECRET_BYTES = 64 << 10
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<body>(?:[^{}$]|\$(?!\{)|\$\{[^{}]*\})*)\}|(?P<open>\{))"
)
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class Environment:
    """The variables: the process's, then those of a ``.env`` file beside the configuration or in the working folder.

    Reading ``.env`` needs python-dotenv; without it the file is only mentioned where a variable
    is missing. The process's own environment is never changed.

    Args:
        environ: in place of ``os.environ``.
        folders: where ``.env`` is looked for; the first one that has it is used.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, folders: tuple[str, ...] = ()) -> None:
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._folders = folders
        #: What to add when a variable is missing.
        self.note = ""
        self._file: Mapping[str, str | None] = {}
        #: The ``.env`` file that is used, and what it was like before it was read.
        self.read_files: dict[str, FileState] = {}
        for folder in folders:
            path = os.path.join(folder, ".env")
            if os.path.isfile(path):
                self._read(path)
                return

    def renewed(self) -> Environment:
        """The variables of now."""
        return Environment(self._environ, self._folders)

    def _read(self, path: str) -> None:
        self.read_files[path] = look(path)
        try:
            from dotenv import dotenv_values
        except ImportError:
            self.note = f" ({path} is not read without python-dotenv: pip install 'otel_stdlib[dotenv]')"
            return
        try:
            self._file = dotenv_values(path)
        except (OSError, UnicodeDecodeError) as error:
            self.note = f" ({path} cannot be read: {error})"

    def get(self, name: str) -> str | None:
        """The value of a variable, or None."""
        value = self._environ.get(name)
        return self._file.get(name) if value is None else value

    def names(self) -> list[str]:
        """All names that are known."""
        return [*self._environ, *self._file]


def expand(document: Document, environment: Environment) -> list[Problem]:
    """Put variables and secrets into a document's values, in place; what could not be done.

    Where there is a problem the value becomes None.
    """
    expander = _Expander(document, environment)
    document.value = expander.walk(document.value, (), None)
    document.read_files.update(environment.read_files)
    return expander.problems


class _Expander:
    def __init__(self, document: Document, environment: Environment) -> None:
        self._document = document
        self._environment = environment
        self.problems: list[Problem] = []

    def walk(self, value: Any, path: Path, name: object) -> Any:
        if isinstance(value, dict):
            return {key: self._member(value, key, path) for key in value}
        if isinstance(value, list):
            return self._items(value, path, name)
        if is_plain_tuple(value):
            return tuple(self._items(value, path, name))
        if type(value) in (str, Secret):  # another subclass, such as an enumeration's, is no text of a file
            return self._text(value, path, is_secret_name(name))
        return value

    def _items(self, values: Sequence[Any], path: Path, name: object) -> list[Any]:
        # ``basic_auth: [user, password]``: what follows the first is the secret.
        return [
            self.walk(item, (*path, index), name if index or len(values) == 1 else None)
            for index, item in enumerate(values)
        ]

    def _member(self, parent: dict[str, Any], key: str, path: Path) -> Any:
        if key in ("format", "fmt") and parent.get("style") == "$":
            return parent[key]  # a format string of the standard library's ``$`` style
        return self.walk(parent[key], (*path, str(key)), key)

    def _text(self, text: str, path: Path, secret: bool) -> Any:
        if "$" not in text:
            return Secret(text) if secret else text
        filling = _Filling(self._environment, self._document.read_files)
        try:
            result = filling.fill(text)
        except ValueError as error:
            self.problems.append(self._document.problem(path, str(error)))
            return None
        if secret or filling.hidden:
            return RenewableSecret.of(result, partial(_fill_again, text, self._environment))
        if path in self._document.plain and result != text and not text.startswith("$$"):
            return _read_again(result)
        return Expanded(result) if result != text and "${" in result else result


def _fill_again(text: str, environment: Environment) -> str:
    return _Filling(environment.renewed(), {}).fill(text)


class _Filling:
    """Puts variables and files into a text. ``read_files`` gets the files, each as it was before it was read."""

    def __init__(self, environment: Environment, read_files: dict[str, FileState]) -> None:
        self._environment = environment
        self._read_files = read_files
        #: Whether a secret was among what was put in.
        self.hidden = False

    def fill(self, text: str) -> str:
        """``text`` with its variables replaced.

        Raises:
            ValueError: one has no value, or is none.
        """
        return _VARIABLE.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["open"]:
            raise ValueError("'${' is never closed; a dollar sign itself is '$$'")
        body = match["name"] or match["body"]
        if body.startswith("file:"):
            self.hidden = True
            path = self.fill(body[5:])
            if os.path.isabs(path):
                self._read_files.setdefault(path, look(path))
            return _read_secret(path)
        parts = _BODY.fullmatch(body)
        if parts is None:
            raise ValueError(
                f"{match[0]!r} is no variable: write ${{NAME}}, ${{NAME:-default}} or ${{file:path}}"
            )
        value = self._environment.get(parts["name"])
        self.hidden = self.hidden or is_secret_name(parts["name"])
        # As in a shell, ``:-`` also stands in for an empty value.
        if value or (value is not None and parts["default"] is None):
            return value
        if parts["default"] is None:
            raise ValueError(self._missing(parts["name"]))
        return self.fill(parts["default"])

    def _missing(self, name: str) -> str:
        near = nearest(name, self._environment.names(), listed=False)
        return f"the environment variable {name} is not set{near}{self._environment.note}"


def _read_again(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    # Only what a scalar can be: a variable must not bring in structure.
    return value if isinstance(value, (str, int, float, bool, type(None))) else text


def _read_secret(path: str) -> str:
    """The text of a secret file without its last line end."""
    read: Callable[[], bytes] = FilePath(path).read_bytes
    if not os.path.isabs(path):
        raise ValueError(f"the secret file {path!r} must be an absolute path")
    try:
        if os.path.getsize(path) > _MAX_SECRET_BYTES:
            raise ValueError(f"the secret file {path} is larger than {_MAX_SECRET_BYTES >> 10} KiB")
        text = read().decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {path} is not UTF-8") from None
    except OSError as error:
        raise ValueError(f"the secret file {path} cannot be read: {error.strerror}") from None
    return text[:-1].removesuffix("\r") if text.endswith("\n") else text
