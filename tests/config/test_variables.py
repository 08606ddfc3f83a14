"""Variables, ``.env`` and secret files in a configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.config.document import parse_yaml
from otel_stdlib.config.errors import Problem
from otel_stdlib.config.variables import Environment, expand
from otel_stdlib.facts.filestate import look
from otel_stdlib.facts.renewal import renewed
from otel_stdlib.facts.secrets import Secret, is_secret_name, mask


def expanded(text: str, **environ: str) -> Any:
    """The values of a text with variables put in."""
    document = parse_yaml(text, "app.yaml")
    assert [] == expand(document, Environment(environ))
    return document.value


def problems(text: str, environment: Environment | None = None) -> list[Problem]:
    """What cannot be put in."""
    return expand(parse_yaml(text, "app.yaml"), environment or Environment({}))


class TestVariables:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("$NAME", "x"),
            ("${NAME}", "x"),
            ("a$NAME.b", "ax.b"),
            ("a${NAME}b", "axb"),
            ("$NAME$NAME", "xx"),
            ("${NONE:-d}", "d"),
            ("${NONE:-}", ""),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY}", ""),
            ("${NONE:-$NAME}", "x"),
            ("${NONE:-${NAME}y}", "xy"),
            ("${NAME:-$NONE}", "x"),
            ("$$NAME", "$NAME"),
            ("a$$b", "a$b"),
            ("100 $", "100 $"),
            ("%Y.$1", "%Y.$1"),
        ],
    )
    def test_spellings(self, text: str, value: str) -> None:
        """As a shell would put them in."""
        assert value == expanded(f"'v': '{text}'", NAME="x", EMPTY="")["v"]

    def test_unquoted_values_are_read_again(self) -> None:
        """A number in a variable is a number, in quotes it stays text."""
        text = "a: $N\nb: '$N'\nc: ${NO:-true}\nd: ${NO:-2.5}\ne: $LIST\n"
        assert {"a": 5432, "b": "5432", "c": True, "d": 2.5, "e": "[1, 2]"} == expanded(
            text, N="5432", LIST="[1, 2]"
        )

    def test_secrets_stay_text(self) -> None:
        """A password of digits is no number, quoted or not."""
        assert {"password": "0123"} == expanded("password: $PW", PW="0123")

    def test_keys_are_left_alone(self) -> None:
        """Only values are looked at."""
        assert {"$NAME": 1} == expanded("$NAME: 1")

    def test_format_strings_of_the_dollar_style_are_left_alone(self) -> None:
        """``style: $`` of the standard library's formatters uses the same sign."""
        text = "f: {style: $, format: '$levelname ${message}'}"
        assert "$levelname ${message}" == expanded(text)["f"]["format"]


class TestMissing:
    def test_an_undefined_variable_has_its_place(self) -> None:
        """Line, path and the nearest name."""
        document = parse_yaml("a:\n  b: '$PASWORD'\n", "app.yaml")
        (problem,) = expand(document, Environment({"PASSWORD": "x"}))
        expected = "app.yaml:2:3: a.b: the environment variable PASWORD is not set; did you mean 'PASSWORD'?"
        assert expected == str(problem)
        assert None is document.value["a"]["b"]

    @pytest.mark.parametrize(
        ("text", "words"), [("${A", "never closed"), ("${}", "no variable"), ("${A-b}", "no variable")]
    )
    def test_wrong_spellings(self, text: str, words: str) -> None:
        """They are errors, not text."""
        (problem,) = problems(f"a: '{text}'")
        assert words in problem.message


class TestSecretFiles:
    def test_the_file_is_the_value(self, tmp_path: Path) -> None:
        """One line end at its end is not part of it."""
        path = tmp_path / "pw"
        path.write_text("s3cret\n")
        value = expanded(f"a: '${{file:{path}}}'\nb: 'x-${{file:$DIR/pw}}'", DIR=str(tmp_path))
        assert {"a": "s3cret", "b": "x-s3cret"} == value
        assert "'***'" == repr(value["a"])

    def test_a_missing_file(self, tmp_path: Path) -> None:
        """Its name and the system's reason."""
        (problem,) = problems(f"a: '${{file:{tmp_path}/none}}'")
        assert f"the secret file {tmp_path}/none cannot be read: No such file or directory" == problem.message

    def test_a_directory(self, tmp_path: Path) -> None:
        """It cannot be read."""
        (problem,) = problems(f"a: '${{file:{tmp_path}}}'")
        assert "Is a directory" in problem.message

    def test_a_relative_path(self) -> None:
        """What it means would depend on the working folder."""
        (problem,) = problems("a: '${file:pw}'")
        assert "absolute path" in problem.message

    def test_no_text_and_too_much(self, tmp_path: Path) -> None:
        """Neither is a secret."""
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        (tmp_path / "large").write_bytes(b"x" * 70_000)
        found = problems(f"a: '${{file:{tmp_path}/bytes}}'\nb: '${{file:{tmp_path}/large}}'")
        assert ["is not UTF-8", "is larger than 64 KiB"] == [
            p.message.split("/")[-1].split(" ", 1)[1] for p in found
        ]

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs user ids")
    def test_an_unreadable_file(self, tmp_path: Path) -> None:
        """Without the permission it is one clear error; tried as a user that has none."""
        path = tmp_path / "pw"
        path.write_text("s3cret")
        path.chmod(0)
        code = (
            "import os, sys\n"
            "from otel_stdlib.config.document import parse_yaml\n"
            "from otel_stdlib.config.variables import Environment, expand\n"
            "if os.geteuid() == 0: os.setgroups([]); os.setegid(65534); os.seteuid(65534)\n"
            "print(expand(parse_yaml(\"a: '${file:%s}'\" % sys.argv[1], 'app.yaml'), Environment({}))[0])\n"
        )
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(folder.stat().st_mode | 0o055)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert (f"app.yaml:1:1: a: the secret file {path} cannot be read: Permission denied\n", "") == (
            done.stdout,
            done.stderr,
        )


class TestDotEnv:
    def test_it_is_read_and_the_environment_wins(self, tmp_path: Path) -> None:
        """Its variables are known, those of the process count more, and the process's are not changed."""
        pytest.importorskip("dotenv")
        (tmp_path / ".env").write_text("ONE=file\nTWO='from file'\n")
        document = parse_yaml("a: $ONE\nb: $TWO\n")
        assert [] == expand(
            document, Environment({"ONE": "process"}, (str(tmp_path / "none"), str(tmp_path)))
        )
        assert {"a": "process", "b": "from file"} == document.value
        assert "TWO" not in os.environ

    def test_without_python_dotenv_a_missing_variable_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is mentioned only where it might have helped."""
        monkeypatch.setitem(sys.modules, "dotenv", None)
        (tmp_path / ".env").write_text("ONE=file\n")
        (problem,) = problems("a: $ONE", Environment({}, (str(tmp_path),)))
        assert "pip install 'otel_stdlib[dotenv]'" in problem.message


class TestMask:
    @pytest.mark.parametrize(
        "name",
        [
            "password",
            "PGPASSWORD",
            "DB_PASS",
            "api_key",
            "basic_auth",
            "client_secret",
            "token",
            "x-api-key",
            "dsn",
        ],
    )
    def test_secret_names(self, name: str) -> None:
        """What is called like a secret is one."""
        assert is_secret_name(name)

    @pytest.mark.parametrize(
        "name", ["host", "key", "monkey", "tokens_per_second", "author", "passes", "compress"]
    )
    def test_other_names(self, name: str) -> None:
        """What only looks a little like one is none."""
        assert not is_secret_name(name)

    def test_nothing_secret_is_left(self) -> None:
        """Users may be seen, passwords in every form may not."""
        shown = mask(
            {
                "basic_auth": ["elastic", "hunter2"],
                "api_key": ["hunter2"],
                "password": "hunter2",
                "hosts": ["https://u:hunter2@h:9200", "http://plain:9200"],
                "note": Secret("hunter2"),
                "port": 5,
            }
        )
        assert "hunter2" not in repr(shown)
        assert ["elastic", "***"] == shown["basic_auth"]
        assert "http://plain:9200" == shown["hosts"][1]
        assert 5 == shown["port"]

    def test_a_secret_hides_in_repr_and_is_text_otherwise(self) -> None:
        """Messages that quote an option do not show it; drivers get it."""
        secret = Secret("hunter2")
        assert "'***'" == f"{secret!r}"
        assert "hunter2" == f"{secret}" == str(secret)


class TestRenewal:
    def test_files_and_variables_are_read_again(self, tmp_path: Path) -> None:
        """Inside longer texts too; variables as they are by then."""
        path = tmp_path / "pw"
        path.write_text("one\n")
        environ = {"TOKEN": "t1", "USER": "u"}
        document = parse_yaml(f"dsn: 'pg://u:${{file:{path}}}@h'\nh: 'Bearer ${{TOKEN}}'\nplain: $USER\n")
        assert [] == expand(document, Environment(environ))
        assert {"dsn": "pg://u:one@h", "h": "Bearer t1", "plain": "u"} == document.value
        path.write_text("two\n")
        environ.update(TOKEN="t2", USER="v")
        assert {"dsn": "pg://u:two@h", "h": "Bearer t2", "plain": "u"} == renewed(document.value)

    def test_a_changed_dotenv(self, tmp_path: Path) -> None:
        """Its variables are those of now."""
        pytest.importorskip("dotenv")
        (tmp_path / ".env").write_text("PASSWORD=one\n")
        document = parse_yaml("password: $PASSWORD\n")
        assert [] == expand(document, Environment({}, (str(tmp_path),)))
        (tmp_path / ".env").write_text("PASSWORD=two\n")
        assert {"password": "two"} == renewed(document.value)
        assert [str(tmp_path / ".env")] == list(document.read_files)

    def test_the_files_of_a_document(self, tmp_path: Path) -> None:
        """Each as it was before it was read; a missing one too, which may come."""
        path = tmp_path / "pw"
        path.write_text("one\n")
        before = look(path)
        document = parse_yaml(f"a: ${{file:{path}}}\nb: ${{file:{tmp_path}/none}}\nc: ${{file:relative}}\n")
        assert 2 == len(expand(document, Environment({})))
        assert {str(path): before, f"{tmp_path}/none": None} == document.read_files
