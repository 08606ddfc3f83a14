"""A YAML text as plain values, with the place of each.

The text becomes PyYAML's nodes, which carry marks, and the nodes become values here: the
places are kept by path, and cyclic anchors, doubled keys and documents that blow up through
aliases are errors instead of surprises. Only the safe tags are known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from otel_stdlib.config.errors import ConfigFileError, Path, Place, Problem
from otel_stdlib.facts.filestate import FileState

__all__ = ["Document", "is_plain_tuple", "parse_yaml", "read_yaml", "wrap_mapping"]

#: No configuration is that large; a few nested aliases can be.
_MAX_VALUES = 100_000
_MAX_BYTES = 8 << 20
#: How deep an entry of a section lies: ``handlers.file``.
_ENTRY = 2
_CONTAINERS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass
class Document:
    """A configuration's values and where they stand.

    ``plain`` has the paths of text that stood without quotes: what variables make of it is read
    as YAML again. ``read_files`` are the other files that values came from, each as it was before it
    was read.
    """

    value: Any
    file: str
    places: dict[Path, Place] = field(default_factory=dict)
    plain: set[Path] = field(default_factory=set)
    read_files: dict[str, FileState] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """The place of a path, or of the nearest one above it that is there."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return Place(self.file)

    def at(self, path: Path) -> Any:
        """The value at a path; None where there is none."""
        value = self.value
        for part in path:
            if isinstance(value, dict):
                value = next((item for key, item in value.items() if str(key) == part), None)
            elif isinstance(value, (list, tuple)) and isinstance(part, int):
                value = value[part] if part < len(value) else None
            else:
                return None
        return value

    def problem(self, path: Path, message: str) -> Problem:
        """Something wrong at ``path``."""
        return Problem(self.place(path), path, message)

    def fail(self, path: Path, message: str) -> NoReturn:
        """Raise ``ConfigFileError`` for ``path``."""
        raise ConfigFileError(self.problem(path, message))


def read_yaml(path: str | os.PathLike[str]) -> Document:
    """The document in a file.

    Raises:
        ConfigFileError: the file is missing, cannot be read, is no UTF-8, or ``parse_yaml`` refuses it.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        _fail(name, "there is no such file")
    except IsADirectoryError:
        _fail(name, "is a directory, not a file")
    except OSError as error:
        _fail(name, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        _fail(name, f"is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}")
    if len(data) > _MAX_BYTES:
        _fail(name, f"is larger than {_MAX_BYTES >> 20} MiB: this is no configuration")
    return parse_yaml(text, name)


def parse_yaml(text: str, file: str = "<text>") -> Document:
    """The one document in ``text``.

    Raises:
        ConfigFileError: it is no YAML, empty, no mapping, cyclic, or has a key twice.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigFileError(Problem(place, (), f"is not valid YAML: {reason}")) from None
    except yaml.YAMLError as error:
        raise ConfigFileError(Problem(Place(file), (), f"is not valid YAML: {error}")) from None
    except RecursionError:
        _fail(file, "is nested too deeply")
    document = Document(None, file)
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
        _fail(file, "is empty: it must have a mapping, for example 'logger:' or 'version: 1'")
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        document.places[()] = _place(node, file)
        document.fail((), f"must have a mapping at the top, not {kind}")
    try:
        document.value = _Builder(loader, document).build(node, (), ())
    except RecursionError:
        document.fail((), "is nested too deeply")
    finally:
        loader.dispose()
    return document


def wrap_mapping(value: Mapping[str, Any], name: str = "<mapping>", *, live: bool = False) -> Document:
    """A mapping that came from no file: a document without lines.

    Args:
        value: the mapping; it is not changed.
        name: what errors call it.
        live: take apart what ``dictConfig`` takes apart, and keep every other object as it is. A mapping
            of another kind than ``dict`` is then the value of an option, below the sections' entries.

    Raises:
        ConfigFileError: it is no mapping, or contains itself.
    """
    document = Document(None, name)
    if not isinstance(value, Mapping):
        document.fail((), f"must be a mapping, not {type(value).__name__}")
    document.value = _copy(value, (), (), document, live)
    return document


def _copy(value: Any, path: Path, above: tuple[int, ...], document: Document, live: bool) -> Any:
    is_mapping = isinstance(value, dict if live and len(path) > _ENTRY else Mapping)
    if not is_mapping and not isinstance(value, (list, tuple)):
        return value
    if id(value) in above:
        document.fail(path, "contains itself")
    above = (*above, id(value))
    if is_mapping:
        return {key: _copy(item, (*path, str(key)), above, document, live) for key, item in value.items()}
    if is_plain_tuple(value):
        return tuple(_copy(item, (*path, i), above, document, live) for i, item in enumerate(value))
    if isinstance(value, list):
        return [_copy(item, (*path, index), above, document, live) for index, item in enumerate(value)]
    return value


def is_plain_tuple(value: object) -> bool:
    """Whether ``dictConfig`` looks into it: a named tuple stays as it is."""
    return isinstance(value, tuple) and not hasattr(value, "_fields")


class _Builder:
    """Values from nodes. ``above`` are the nodes that the present one stands in."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._count = 0
        #: Keys that a mapping took over by ``<<``, by the mapping's node.
        self._merged: dict[int, set[yaml.Node]] = {}

    def build(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:
        document = self._document
        document.places.setdefault(path, _place(node, document.file))
        if id(node) in above:
            document.fail(path, "an alias leads back to what it stands in: cyclic anchors have no value")
        self._count += 1
        if self._count > _MAX_VALUES:
            document.fail(path, f"has more than {_MAX_VALUES} values, aliases counted each time")
        above = (*above, id(node))
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _CONTAINERS:
            document.fail(
                path, f"has the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}, which is not known here"
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index), above) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if node.tag == "tag:yaml.org,2002:str" and node.style is None:
            document.plain.add(path)
        try:
            return self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            reason = getattr(error, "problem", None) or error
            document.fail(path, f"cannot be read: {reason}")

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> dict[str, Any]:
        self._merge(node, path, above)
        found: dict[str, Any] = {}
        first: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            # After a merge the mapping's own keys stand behind those that it takes over.
            if key in found and first[key] not in self._merged.get(id(node), ()):
                mark = _place(first[key], self._document.file)
                self._at(key_node, (*path, key), f"stands twice here, first on line {mark.line}")
            first[key] = key_node
            here = (*path, key)
            for known in [k for k in self._document.places if k[: len(here)] == here] if key in found else ():
                del self._document.places[known]
                self._document.plain.discard(known)
            self._document.places[here] = _place(key_node, self._document.file)
            found[key] = self.build(value_node, here, above)
        return found

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._at(node, path, "has a key that is no text")
        if node.tag != "tag:yaml.org,2002:str":
            self._at(node, path, f"has the key {node.value}, which is no text: put it in quotes")
        return str(node.value)

    def _merge(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> None:
        """Replace ``<<`` by what it refers to."""
        taken: list[tuple[yaml.Node, yaml.Node]] = []
        own: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                own.append((key, value))
                continue
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in reversed(sources):
                if not isinstance(source, yaml.MappingNode):
                    self._at(value, path, "'<<' must refer to a mapping or a list of mappings")
                if id(source) in above:
                    self._at(key, path, "'<<' leads back to what it stands in: cyclic anchors have no value")
                self._merge(source, path, (*above, id(source)))
                taken.extend(source.value)
        if taken:
            node.value = [*taken, *own]
            self._merged[id(node)] = {key for key, _ in taken}

    def _at(self, node: yaml.Node, path: Path, message: str) -> NoReturn:
        raise ConfigFileError(Problem(_place(node, self._document.file), path, message))


def _place(node: yaml.Node, file: str) -> Place:
    mark = node.start_mark
    return Place(file, mark.line + 1, mark.column + 1)


def _fail(file: str, message: str) -> NoReturn:
    raise ConfigFileError(Problem(Place(file), (), message))
