"""``otel-stdlib spool ls | cat | drain``, as a program, over spools that killed processes left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.spool.ids import is_spool_id
from tests.faults.harness import PREAMBLE, bodies, conserve, environment, run, spools

KILLED = """
configure()
for i in range(20): say(f"r-{i}")
os.kill(os.getpid(), signal.SIGKILL)
"""

#: Leaves its records undelivered: its file cannot be made until the way is clear.
BLOCKED = """
changed = config()
changed["handlers"]["file"]["filename"] = os.path.join(FOLDER, "in-the-way", "app.jsonl")
logging.config.dictConfig(changed)
for i in range(20): say(f"r-{i}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def command(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "otel_stdlib.cli", "spool", *arguments],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def left(tmp_path: Path) -> str:
    """The id of a spool with twenty records that nobody delivered."""
    (tmp_path / "in-the-way").write_text("a file where a folder should be")
    run(tmp_path, BLOCKED, check=False)
    (spool_id,) = spools(tmp_path)
    return spool_id


def config_file(folder: Path, filename: Path, name: str = "file") -> str:
    """A configuration with one JSONL handler behind a queue handler."""
    path = folder / "logging.yaml"
    path.write_text(
        "version: 1\n"
        "disable_existing_loggers: false\n"
        "handlers:\n"
        f"  {name}:\n"
        "    class: otel_stdlib.handlers.JSONLFileHandler\n"
        f"    filename: {filename}\n"
        "  queue:\n"
        "    (): otel_stdlib.OTelQueueHandler\n"
        f"    handlers: [{name}]\n"
        "root:\n"
        "  level: INFO\n"
        "  handlers: [queue]\n"
    )
    return str(path)


class TestLs:
    def test_says_where_since_when_and_for_whom(self, tmp_path: Path, left: str) -> None:
        """Id, state, number, age and destination stand in it; nothing is changed by looking."""
        done = command(tmp_path, "ls")
        assert done.returncode == 0, done.stderr
        assert f"{left}  left by a dead process, 20 records" in done.stdout
        assert "since 20" in done.stdout
        assert f"file (jsonl {tmp_path}/in-the-way/app.jsonl): 20 waiting, the oldest from 20" in done.stdout
        assert command(tmp_path, "ls").stdout == done.stdout

    def test_deletes_what_is_delivered(self, tmp_path: Path, left: str) -> None:
        """A program that never logs itself, rq's parent for one, tidies up so; what waits stays."""
        run(tmp_path, 'configure()\nsay("d")\nassert queue_handler().flush(60)\nos._exit(0)\n')
        assert len(spools(tmp_path)) == 2
        done = command(tmp_path, "ls")
        assert done.stdout.startswith("removed 1 spools of dead processes in which nothing waited\n")
        assert spools(tmp_path) == [left]

    def test_a_living_process_is_seen_as_such(self, tmp_path: Path) -> None:
        """Its spool is in use, and looking at it takes nothing away from it."""
        script = 'configure()\nsay("live")\nprint("ready", flush=True)\nsys.stdin.read()\nsay("more")\n'
        with subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + script],
            env=environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert "in use, 1 records" in command(tmp_path, "ls").stdout
            process.communicate("go", timeout=90)
        assert process.returncode == 0
        conserve(tmp_path)
        assert spools(tmp_path) == []

    def test_nothing_there(self, tmp_path: Path) -> None:
        """An empty or missing folder is no error."""
        done = command(tmp_path, "ls", "--directory", str(tmp_path / "nowhere"))
        assert done.returncode == 0
        assert "no spools in" in done.stdout

    def test_an_open_folder_is_refused_in_words(self, tmp_path: Path) -> None:
        """A folder that is not trusted is named, without a traceback."""
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        done = command(tmp_path, "ls", "--directory", str(tmp_path / "open"))
        assert done.returncode == 1
        assert "open to others" in done.stderr
        assert "Traceback" not in done.stderr


class TestCat:
    def test_whole_lines(self, tmp_path: Path, left: str) -> None:
        """Each record is a line of JSON with uid and resource, in order."""
        done = command(tmp_path, "cat")
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["body"] for line in lines] == [f"r-{i}" for i in range(20)]
        assert all(line["attributes"]["log.record.uid"].startswith(left) for line in lines)
        assert all("process.pid" in line["resource"] for line in lines)

    def test_only_what_a_destination_has_not_got(self, tmp_path: Path, left: str) -> None:
        """By name or kind; a name that is none is an error that lists those that are."""
        for name in ("file", "jsonl"):
            assert len(command(tmp_path, "cat", "--for", name, left).stdout.splitlines()) == 20
        done = command(tmp_path, "cat", "--for", "kafka")
        assert done.returncode == 1
        assert "has no destination 'kafka'; it has file" in done.stderr

    def test_an_unknown_spool(self, tmp_path: Path, left: str) -> None:
        """An id that is not there is an error, not an empty answer."""
        done = command(tmp_path, "cat", "01AAAAAAAAAAAAAAAAAAAAAAAA")
        assert done.returncode == 1
        assert "no spool 01AAAAAAAAAAAAAAAAAAAAAAAA" in done.stderr

    def test_a_damaged_record_costs_itself_only(self, tmp_path: Path, left: str) -> None:
        """A flipped byte in one record leaves the nineteen others readable."""
        segment = tmp_path / "spools" / left / "00000001.seg"
        data = bytearray(segment.read_bytes())
        data[data.index(b'"body":"r-7"') + 9] ^= 0x20
        segment.write_bytes(data)
        lines = command(tmp_path, "cat").stdout.splitlines()
        assert [json.loads(line)["body"] for line in lines] == [f"r-{i}" for i in range(20) if i != 7]

    def test_a_reader_that_goes_away(self, tmp_path: Path, left: str) -> None:
        """``| head`` ends it quietly."""
        shell = f"{sys.executable} -m otel_stdlib.cli spool cat | head -n 1"
        done = subprocess.run(
            ["sh", "-c", shell],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout)["body"] == "r-0"
        assert done.stderr == ""


class TestDrain:
    def test_delivers_and_removes(self, tmp_path: Path) -> None:
        """What a killed process left is in its file once, and the spool is gone."""
        run(tmp_path, KILLED, check=False)
        done = command(tmp_path, "drain", "--config", config_file(tmp_path, tmp_path / "out" / "app.jsonl"))
        assert done.returncode == 0, done.stderr
        assert "-> file: delivered" in done.stdout
        conserve(tmp_path)
        assert spools(tmp_path) == []

    def test_keeps_what_these_handlers_cannot_take(self, tmp_path: Path, left: str) -> None:
        """Another destination's records stay, are named, and the exit status says so."""
        done = command(tmp_path, "drain", "--config", config_file(tmp_path, tmp_path / "out" / "app.jsonl"))
        assert done.returncode == 1
        assert f"{left}: still waits for file (jsonl {tmp_path}/in-the-way/app.jsonl)" in done.stderr
        assert "no handler of this configuration delivers there" in done.stderr
        assert spools(tmp_path) == [left]

    def test_to_another_destination_by_hand(self, tmp_path: Path, left: str) -> None:
        """``--to`` sends everything to the handler named, whatever it was meant for."""
        config = config_file(tmp_path, tmp_path / "out" / "app.jsonl", "rescue")
        done = command(tmp_path, "drain", left, "--config", config, "--to", "rescue")
        assert done.returncode == 0, done.stderr
        conserve(tmp_path)
        assert spools(tmp_path) == []

    def test_a_destination_that_is_down_leaves_everything(self, tmp_path: Path, left: str) -> None:
        """At the timeout the spool is as it was, and delivered later."""
        config = config_file(tmp_path, tmp_path / "in-the-way" / "app.jsonl")
        done = command(tmp_path, "drain", "--config", config, "--timeout", "0.5")
        assert done.returncode == 1
        assert re.search(r"not finished: last error: \w+: .*in-the-way", done.stdout)
        assert spools(tmp_path) == [left]
        (tmp_path / "in-the-way").unlink()
        assert command(tmp_path, "drain", "--config", config).returncode == 0
        lines = (tmp_path / "in-the-way" / "app.jsonl").read_text().splitlines()
        assert sorted(json.loads(line)["body"] for line in lines) == sorted(f"r-{i}" for i in range(20))
        assert spools(tmp_path) == []

    def test_a_living_process_keeps_its_spool(self, tmp_path: Path) -> None:
        """Its records are its own to deliver: nothing twice."""
        script = 'configure()\nsay("live")\nprint("ready", flush=True)\nsys.stdin.read()\nsay("more")\n'
        with subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + script],
            env=environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            config = config_file(tmp_path, tmp_path / "out" / "app.jsonl")
            done = command(tmp_path, "drain", "--config", config)
            assert done.returncode == 0
            (spool_id,) = spools(tmp_path)
            assert (
                f"{spool_id}: locked by a running process (written by process {process.pid})" in done.stderr
            )
            assert command(tmp_path, "drain", spool_id, "--config", config).returncode == 1
            assert [is_spool_id(name) for name in spools(tmp_path)] == [True]
            process.communicate("go", timeout=90)
        assert process.returncode == 0
        conserve(tmp_path)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("not-an-id",), "is no spool id"),
            (("01M891H8K4024506H6KDTPBNRN",), "no spool 01M891H8K4024506H6KDTPBNRN in"),
            (("--to", "nobody"), "has no handler 'nobody'"),
        ],
    )
    def test_mistakes_are_said_in_words(
        self, tmp_path: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        """Exit status 1 and one line."""
        config = config_file(tmp_path, tmp_path / "out" / "app.jsonl")
        done = command(tmp_path, "drain", "--config", config, *arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_configuration_that_is_missing(self, tmp_path: Path) -> None:
        """The file's name stands in the message."""
        done = command(tmp_path, "drain", "--config", str(tmp_path / "nowhere.yaml"))
        assert done.returncode == 1
        assert "nowhere.yaml" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [(), ("unknown",), ("drain",)])
def test_a_wrong_command_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit status 2 and the usage, as argparse has it."""
    done = command(tmp_path, *arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_bodies_are_nowhere_by_looking(tmp_path: Path, left: str) -> None:
    """``ls`` and ``cat`` deliver nothing."""
    command(tmp_path, "ls")
    command(tmp_path, "cat")
    assert bodies(tmp_path).total() == 0
    assert spools(tmp_path) == [left]
