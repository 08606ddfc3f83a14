"""The package's source as the structure tests see it: files, rooms, imports, functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PACKAGE", "ROOT", "Import", "imports", "modules", "parse", "room_of"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "otel_stdlib"


def modules(under: str = "") -> list[Path]:
    """Every source file of the package, or of one room of it."""
    found = sorted((ROOT / PACKAGE / under).rglob("*.py"))
    assert found, f"no source under {under!r}"
    return found


def parse(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a module stands in; "" for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


class Import(NamedTuple):
    """One import of a module of ours by another."""

    importer: str
    imported: str
    line: int
    #: Not inside a function and not only for type checking: it runs when the importer is imported.
    at_import: bool


def imports(path: Path) -> Iterator[Import]:
    """The imports of the package's own modules in one file, those inside functions too."""
    tree = parse(path)
    deferred = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_type_checking(outer)
        for node in ast.walk(outer)
    }
    for node in ast.walk(tree):
        for target in _targets(node):
            yield Import(name_of(path), target, getattr(node, "lineno", 0), id(node) not in deferred)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
        assert node.level == 0
        # ``from otel_stdlib.spool import frame`` imports the module, not a name of the room.
        return [
            full if _exists(full := f"{node.module}.{alias.name}") else str(node.module)
            for alias in node.names
        ]
    return []


def _exists(module: str) -> bool:
    place = ROOT.joinpath(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
