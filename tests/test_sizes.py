"""Files, functions and classes stay small enough to read in one go."""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from pathlib import Path

import pytest

from tests.tree import PACKAGE, ROOT, modules, parse

FILE_LINES = 300
MEDIAN_LINES = 160
FUNCTION_CODE_LINES = 60
#: Functions that may be longer, each with its reason.
LONGER = {"encode@record/encoder.py": 90}  # every call made from it would cost each log call about 1 %
CLASS_CODE_LINES = 250

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(path: Path) -> set[int]:
    """The numbers of the lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parse(path)):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Module)) and ast.get_docstring(node, clean=False):
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def ids(path: Path) -> str:
    """A file's path as a test id."""
    return str(path.relative_to(ROOT))


def _python_files() -> list[Path]:
    own = [p for folder in ("tests", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py")]
    return [*modules(), *sorted(own)]


@pytest.mark.parametrize("path", _python_files(), ids=ids)
def test_a_file_is_short(path: Path) -> None:
    """No file is longer than 300 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


def test_the_median_file_is_short() -> None:
    """Half of the files with code in them have at most 160 lines."""
    lengths = [n for p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 0]
    assert statistics.median(lengths) <= MEDIAN_LINES


@pytest.mark.parametrize("path", modules(), ids=ids)
def test_functions_and_classes_are_short(path: Path) -> None:
    """A function has at most 60 lines of code and a class 250."""
    code = code_lines(path)
    long = []
    for node in ast.walk(parse(path)):
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            continue
        size = len(code.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
        allowed = LONGER.get(f"{node.name}@{path.parent.name}/{path.name}", FUNCTION_CODE_LINES)
        if size > (CLASS_CODE_LINES if isinstance(node, ast.ClassDef) else allowed):
            long.append(f"{node.name}: {size}")
    assert [] == long


@pytest.mark.parametrize("path", [p for p in modules() if p.name == "__init__.py"], ids=ids)
def test_a_package_file_only_exports(path: Path) -> None:
    """An ``__init__`` holds imports, dunder names and, where names come late, ``__getattr__`` and ``__dir__``."""
    other = [ast.unparse(node).splitlines()[0] for node in parse(path).body if not _is_export(node)]
    assert [] == other


def _is_export(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.FunctionDef):
        return node.name in {"__getattr__", "__dir__"}
    if isinstance(node, ast.If):
        return ast.unparse(node.test).endswith("TYPE_CHECKING")
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        # ``_LATE`` may map a name to the module it is loaded from.
        return all(isinstance(t, ast.Name) and t.id.startswith("_") for t in targets)
    return False


def test_the_package_is_found() -> None:
    """The structure tests look at the checkout, not at an installed copy."""
    assert (ROOT / PACKAGE / "py.typed").is_file()
