"""YAML documents: values with their places, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_stdlib.config.document import parse_yaml, read_yaml, wrap_mapping
from otel_stdlib.config.errors import ConfigFileError, Place


def refused(text: str) -> ConfigFileError:
    """The error that a text gives."""
    with pytest.raises(ConfigFileError) as caught:
        parse_yaml(text, "app.yaml")
    return caught.value


class TestPlaces:
    def test_every_value_has_line_and_column(self) -> None:
        """Keys and list items are found by path, counted from 1."""
        document = parse_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n", "app.yaml")
        assert {"a": {"b": 1, "c": ["x", "y"]}} == document.value
        assert Place("app.yaml", 2, 3) == document.place(("a", "b"))
        assert Place("app.yaml", 5, 7) == document.place(("a", "c", 1))

    def test_a_path_that_is_not_there_has_the_place_above(self) -> None:
        """What is missing is missing from somewhere."""
        document = parse_yaml("a:\n  b: 1\n", "app.yaml")
        assert document.place(("a",)) == document.place(("a", "nothing", 3))

    def test_quoted_text_is_told_from_plain_text(self) -> None:
        """Only unquoted text is read again after a variable was put in."""
        assert {("a",)} == parse_yaml("a: x\nb: 'x'\nc: \"x\"\nd: 5\n").plain


class TestMerge:
    def test_merge_keys_are_overridden_by_own_ones(self) -> None:
        """``<<`` gives defaults."""
        text = "base: &b {x: 1, y: 2}\nmore: &m {y: 5, z: 6}\nown:\n  <<: [*b, *m]\n  x: 3\n"
        document = parse_yaml(text, "app.yaml")
        assert {"x": 3, "y": 2, "z": 6} == document.value["own"]
        assert 5 == document.place(("own", "x")).line

    def test_an_alias_gives_equal_values_of_its_own(self) -> None:
        """Changing one place changes no other."""
        value = parse_yaml("a: &x {k: [1]}\nb: *x\n").value
        value["a"]["k"].append(2)
        assert [1] == value["b"]["k"]


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("", 0, "is empty"),
            ("# nothing\n", 0, "is empty"),
            ("---\n", 0, "is empty"),
            ("- a\n- b\n", 1, "not a list"),
            ("just text\n", 1, "not a single value"),
            ("a: 1\nb: [1, 2\nc: 3\n", 3, "is not valid YAML"),
            ("a: 1\n\tb: 2\n", 2, "is not valid YAML"),
            ("a: 1\nb: 2\na: 3\n", 3, "stands twice here, first on line 1"),
            ("a: &x\n  b: *x\n", 2, "cyclic"),
            ("a: &x [1, *x]\n", 1, "cyclic"),
            ("a: &x\n  <<: *x\n  b: 1\n", 2, "cyclic"),
            ("a: !!python/object/apply:os.system ['true']\n", 1, "python/object"),
            ("a: !env X\n", 1, "!env"),
            ("1: x\n", 1, "put it in quotes"),
            ("yes: x\n", 1, "put it in quotes"),
            ("[a, b]: x\n", 1, "no text"),
            ("a:\n  <<: 5\n", 2, "must refer to a mapping"),
            ("a: 2024-13-45\n", 1, "cannot be read"),
            ("a: *nothing\n", 1, "nothing"),
            ("a: 1\n---\nb: 2\n", 2, "is not valid YAML"),
            ("a: \x00\n", 0, "is not valid YAML"),
        ],
    )
    def test_one_clear_error_with_its_place(self, text: str, line: int, words: str) -> None:
        """Each has the file, the line and the reason."""
        error = refused(text)
        assert "app.yaml" == error.file
        assert line == error.line
        assert words in str(error)
        assert 1 == len(error.problems)

    def test_aliases_that_multiply(self) -> None:
        """A document of a few hundred bytes cannot fill the memory."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
        assert "more than 100000 values" in str(refused("\n".join(lines)))

    def test_deep_nesting(self) -> None:
        """It is an error of the configuration, not of the stack."""
        assert "nested too deeply" in str(refused("a: " + "[" * 20000 + "]" * 20000))


class TestFiles:
    def test_missing_file(self, tmp_path: Path) -> None:
        """The name stands in the message."""
        with pytest.raises(ConfigFileError, match=r"none\.yaml: there is no such file"):
            read_yaml(tmp_path / "none.yaml")

    def test_directory(self, tmp_path: Path) -> None:
        """A directory is said to be one."""
        with pytest.raises(ConfigFileError, match="is a directory"):
            read_yaml(tmp_path)

    def test_other_encoding(self, tmp_path: Path) -> None:
        """The first wrong byte is named."""
        path = tmp_path / "latin.yaml"
        path.write_bytes("a: b\u00e4".encode("latin-1"))
        with pytest.raises(ConfigFileError, match="not UTF-8: byte 4 is 0xe4"):
            read_yaml(path)

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        """Some editors write one."""
        path = tmp_path / "bom.yaml"
        path.write_bytes(b"\xef\xbb\xbfa: 1\n")
        assert {"a": 1} == read_yaml(path).value


class TestMappings:
    def test_a_mapping_is_copied(self) -> None:
        """What is put in later does not change the caller's own."""
        given = {"a": {"b": ["x"]}}
        document = wrap_mapping(given)
        document.value["a"]["b"].append("y")
        assert {"a": {"b": ["x"]}} == given

    def test_a_mapping_that_contains_itself(self) -> None:
        """It is refused with the path."""
        given: dict[str, object] = {}
        given["a"] = {"b": given}
        with pytest.raises(ConfigFileError, match=r"a\.b: contains itself"):
            wrap_mapping(given)
