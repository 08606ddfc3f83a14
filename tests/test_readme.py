"""What the README and the pages of docs/ show works as it stands there."""

from __future__ import annotations

import inspect
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from otel_stdlib import OTelQueueHandler
from otel_stdlib.spool.options import SpoolOptions
from tests.tree import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


class Example(NamedTuple):
    """One block of code on a page."""

    page: Path
    line: int
    language: str
    text: str


def examples(language: str) -> list[Any]:
    """Every block of a language, as test parameters."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 1
                example = Example(page, line, match[1], match[2])
                found.append(pytest.param(example, id=f"{page.name}:{line}"))
    return found


def run(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in ``folder`` with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("example", examples("python"))
def test_a_python_example_runs(example: Example, tmp_path: Path) -> None:
    """A program runs in an empty folder without a word on stderr; a test among the pages need only compile."""
    compile(example.text, f"{example.page.name}:{example.line}", "exec")
    if "def test_" in example.text:
        return
    done = run(["-c", example.text], tmp_path)
    assert (0, "") == (done.returncode, done.stderr)


def test_yaml_examples_are_yaml() -> None:
    """Configuration on a page parses to a mapping or a list."""
    for param in examples("yaml"):
        (example,) = param.values
        assert isinstance(yaml.safe_load(example.text), (dict, list)), param.id


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [] == [link for link in links if not (page.parent / link).exists()]


def test_the_first_example_writes_the_record_it_describes(tmp_path: Path) -> None:
    """The configuration of the README leaves one complete line in its file."""
    (first, *_) = (param.values[0] for param in examples("python"))
    assert 0 == run(["-c", first.text], tmp_path).returncode
    (line,) = (tmp_path / "app.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(line)
    assert "order 7 placed" == record["body"]
    assert "c-1017" == record["attributes"]["customer"]
    assert {"timestamp", "severity_text", "severity_number", "scope", "resource"} <= record.keys()


def test_containers_write_records_to_stdout(tmp_path: Path) -> None:
    """Both ways on the page print the same complete line, with the slim resource that they ask for."""
    programs = [p.values[0].text for p in examples("python") if p.values[0].page.name == "containers.md"]
    assert ["queue" in program for program in programs] == [False, True]
    found = []
    for program in programs:
        done = run(["-c", program], tmp_path, OTEL_STDLIB_SPOOL_DIR=str(tmp_path / "spool"))
        assert (0, "") == (done.returncode, done.stderr)
        (line,) = done.stdout.splitlines()
        record = json.loads(line)
        assert {"service.name", "service.instance.id"} == record["resource"].keys()
        assert "shop" == record["resource"]["service.name"]
        assert "c-1017" == record["attributes"]["customer"]
        found.append({**record, "timestamp": "", "attributes": sorted(record["attributes"]), "resource": {}})
    assert found[0] == found[1]


def test_the_two_commands_stand_on_one_line_each() -> None:
    """CI runs these very lines, so there is exactly one of each."""
    lines = [
        line
        for line in PAGES[0].read_text(encoding="utf-8").splitlines()
        if line.startswith("python3 -m venv")
    ]
    assert ["quickstart.py", "pytest"] == [line.split()[-1].rpartition("/")[2] for line in lines]


def test_the_quickstart_runs(tmp_path: Path) -> None:
    """Everything logged is delivered, by the killed writer too; a trace, a record and three commands are shown."""
    script = str(ROOT / "examples" / "quickstart.py")
    spool = str(tmp_path / "spool")
    done = run([script, "--requests", "40", "--threads", "4"], tmp_path, OTEL_STDLIB_SPOOL_DIR=spool)
    assert 0 == done.returncode, done.stdout + done.stderr
    found = re.search(r"logged (\d+), delivered (\d+), dropped (\d+)", done.stdout)
    assert found is not None
    logged, delivered, dropped = map(int, found.groups())
    assert logged == delivered > 40
    assert 0 == dropped
    (path,) = (tmp_path / "logs").glob("quickstart-*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    by_scope = {
        name: [r for r in records if name == r["scope"]["name"]] for name in ("werkzeug", "shop.stock")
    }
    access, counted = by_scope["werkzeug"], by_scope["shop.stock"]
    assert 40 == len(access)
    assert 40 == len({record["trace_id"] for record in access})
    # The killed writer: what it says is what is in the file.
    returned = int(re.findall(r"had returned +(\d+)", done.stdout)[0])
    assert [str(returned)] == re.findall(r"in the file now +(\d+)", done.stdout)
    assert "lost 0, doubled 0" in done.stdout
    numbers = sorted(record["attributes"]["number"] for record in counted)
    assert list(range(len(numbers))) == numbers
    assert (
        3000 <= returned <= len(numbers) <= returned + 1
    )  # the call that was cut may have stored its record
    assert delivered + len(counted) == len(records)
    # One record of the application, and no resource.
    shown = json.loads(done.stdout[done.stdout.index("\n{") : done.stdout.index("\n}") + 2])
    assert "shop.orders" == shown["scope"]["name"]
    assert "resource" not in shown
    for command in re.findall(r"^    (.+ -m otel_stdlib .+)$", done.stdout, re.MULTILINE):
        assert 0 == run(command.split()[1:], tmp_path, OTEL_STDLIB_SPOOL_DIR=spool).returncode, command
    assert 3 == done.stdout.count(" -m otel_stdlib ")


def test_logging_yaml_loads_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented configuration takes records of a plain logger and of a server's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)  # put back behind ``fast_records``
    config = yaml.safe_load((ROOT / "logging.yaml").read_text(encoding="utf-8"))
    logging.config.dictConfig(config)
    (queue,) = logging.getLogger().handlers
    logging.getLogger("app").info("one")
    logging.getLogger("uvicorn.error").warning("two")
    assert queue.flush(60)  # type: ignore[call-arg]
    lines = (tmp_path / "logs" / "app.jsonl").read_text(encoding="utf-8").splitlines()
    assert ["one", "two"] == [json.loads(line)["body"] for line in lines]
    queue.stop(10.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [OTelQueueHandler.__init__, SpoolOptions], ids=["queue", "spool"])
def test_every_option_stands_in_the_docs(options: Any) -> None:
    """A row of a table in ``docs/configuration.md`` has its name."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    page = text.split("## The `version: 1` document")[1].split("\n## ")[0]
    heads = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    names = inspect.signature(options).parameters.keys() - {"self"}
    assert names
    assert {name for name in names if f"`{name}`" not in heads} == set()
