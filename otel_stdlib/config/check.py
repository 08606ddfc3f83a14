"""Checking a document against the published schema, with messages for people."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any

from otel_stdlib.config.converted import LIVE, plain_view
from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.schema import load_schema
from otel_stdlib.facts.errors import MissingExtraError
from otel_stdlib.facts.options import nearest
from otel_stdlib.facts.secrets import mask

__all__ = ["check_schema", "has_validator", "in_order", "is_under"]

_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def has_validator() -> bool:
    """Whether ``jsonschema`` is installed."""
    return importlib.util.find_spec("jsonschema") is not None


def check_schema(document: Document, definition: str, *, required: bool = False) -> list[Problem]:
    """What the schema's ``definition`` finds wrong, in the order of the file.

    Objects that no file can hold, and what ``dictConfig`` puts something else in place of, are not judged.
    Without ``jsonschema`` it finds unknown options of a ``logger:`` document only; values are
    checked again by what takes them.

    Raises:
        MissingExtraError: ``required``, and ``jsonschema`` is not installed.
    """
    if not has_validator():
        if required:
            raise MissingExtraError("checking a configuration against its schema", "config")
        return in_order(list(_unknown_options(document))) if definition == "document" else []
    from jsonschema import Draft202012Validator

    schema = load_schema()
    validator = Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]})
    found: dict[tuple[Path, str], Problem] = {}
    for error in validator.iter_errors(plain_view(document.value)):
        if error.instance is LIVE:
            continue
        for problem in _problems(document, error):
            found.setdefault((problem.path, problem.message), problem)
    return in_order(list(found.values()))


def _unknown_options(document: Document) -> Iterator[Problem]:
    """Options that a ``logger:`` document does not have, and back ends that are no list."""
    definitions = load_schema()["$defs"]
    section = document.value.get("logger")
    if not isinstance(section, Mapping):
        return
    backends = section.get("backends")
    parts: list[tuple[Path, object, Mapping[str, Any]]] = [
        (("logger",), section, definitions["logger"]),
        (("logger", "reload"), section.get("reload"), definitions["logger"]["properties"]["reload"]),
    ]
    if isinstance(backends, list):
        parts += [
            (("logger", "backends", index), entry, definitions["backend"])
            for index, entry in enumerate(backends)
        ]
    elif backends is not None:
        where: Path = ("logger", "backends")
        yield document.problem(where, f"must be a list, not {_show(backends, where)}")
    for path, value, schema in parts:
        for key in value if isinstance(value, Mapping) else ():
            if key not in schema["properties"]:
                message = f"unknown option {key!r}{nearest(key, schema['properties'])}"
                yield document.problem((*path, str(key)), message)


def in_order(problems: list[Problem]) -> list[Problem]:
    """Problems in the order of the file."""
    return sorted(problems, key=lambda problem: (problem.place.line, problem.place.column))


def is_under(path: Path, problems: list[Problem]) -> bool:
    """Whether one of ``problems`` stands at ``path`` or below it."""
    return any(problem.path[: len(path)] == path for problem in problems)


def _problems(document: Document, error: Any) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    value, rule = error.instance, error.validator_value
    if error.validator == "additionalProperties" and isinstance(value, Mapping):
        known = error.schema.get("properties", {})
        for key in value:
            if key not in known:
                yield document.problem((*path, str(key)), f"unknown option {key!r}{nearest(key, known)}")
    elif error.validator == "type":
        kinds = [rule] if isinstance(rule, str) else list(rule)
        yield document.problem(
            path, f"must be {_either([_NAMES[kind] for kind in kinds])}, not {_show(value, path)}"
        )
    elif error.validator == "enum":
        allowed = ", ".join(map(str, rule))
        yield document.problem(
            path, f"must be one of {allowed}, not {_show(value, path)}{_near(value, rule)}"
        )
    elif error.validator == "const":
        yield document.problem(path, f"must be {rule!r}, not {_show(value, path)}")
    elif error.validator == "required":
        for key in rule:
            if key not in value:
                yield document.problem(path, f"needs the option {key!r}")
    elif error.validator in ("minimum", "exclusiveMinimum"):
        word = "at least" if error.validator == "minimum" else "above"
        yield document.problem(path, f"must be {word} {rule}, not {_show(value, path)}")
    elif error.validator == "anyOf" and all(set(part) <= {"type", "enum"} for part in rule):
        words = [str(item) for part in rule for item in part.get("enum", ())]
        kinds = [_NAMES[part["type"]] for part in rule if "type" in part]
        message = f"must be {_either([*words, *kinds])}, not {_show(value, path)}{_near(value, words)}"
        yield document.problem(path, message)
    else:
        yield document.problem(path, f"does not fit: {_show(value, path)}")


def _near(value: object, allowed: list[Any]) -> str:
    return nearest(value, [str(item) for item in allowed], listed=False)


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _show(value: object, path: Path) -> str:
    name = next((key for key in reversed(path) if isinstance(key, str)), None)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = mask(value, name)
    text = repr(shown) if isinstance(shown, (str, int, float)) else f"{type(value).__name__} {shown}"
    return text if len(text) <= 80 else f"{text[:77]}..."
