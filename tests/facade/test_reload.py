"""Reloading: by call, by file, by signal; nothing is lost or doubled."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelLogger, StateError, configure_logger, log_debug, log_info
from otel_stdlib.config.errors import ConfigFileError
from tests.support import eventually, own_threads

Records = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]

FILE = """
logger:
  log_level: INFO
  backends:
    - backend_type: filesystem
      config: {log_file: $OUT/a.jsonl}
"""
WATCHED = FILE + "  reload: {watch: true, interval: 0.02}\n"


def reloaders() -> list[int | None]:
    """The threads that look at files."""
    return [thread.ident for thread in threading.enumerate() if thread.name == "otel-stdlib-reload"]


def bodies(records: list[dict[str, Any]]) -> list[Any]:
    """The bodies of records."""
    return [record["body"] for record in records]


class TestByCall:
    def test_another_target(self, records: Records, write_config: Write) -> None:
        """Before and after are where they belong."""
        logger = configure_logger(write_config(FILE))
        log_info("a")
        write_config(FILE.replace("a.jsonl", "b.jsonl"))
        logger.reload()
        log_info("b")
        logger.close()
        assert (["a"], ["b"]) == (bodies(records("a.jsonl")), bodies(records("b.jsonl")))

    def test_only_a_level_connects_nothing_anew(self, write_config: Write) -> None:
        """The very handlers stay."""
        logger = configure_logger(write_config(FILE))
        log_info("a")
        eventually(lambda: len(own_threads()) == 2)  # they show themselves when they run
        before, threads = list(logging.getLogger().handlers), {t.ident for t in threading.enumerate()}
        write_config(FILE.replace("INFO", "DEBUG").replace("config:", "level: ERROR\n      config:"))
        logger.reload()
        assert before == logging.getLogger().handlers
        assert threads == {t.ident for t in threading.enumerate()}
        assert logging.DEBUG == logging.getLogger().level
        assert [logging.ERROR] == [h.level for h in before[-1].handlers]  # type: ignore[attr-defined]

    def test_a_broken_file_keeps_the_old_one(self, records: Records, write_config: Write) -> None:
        """The error says why."""
        logger = configure_logger(write_config(FILE))
        for text in ("logger: [", "", FILE.replace("filesystem", "nope"), FILE.replace("INFO", "LOUD")):
            write_config(text)
            with pytest.raises(ConfigFileError):
                logger.reload()
        log_info("a")
        logger.close()
        assert ["a"] == bodies(records("a.jsonl"))

    def test_closed(self) -> None:
        """There is nothing to reload."""
        logger = configure_logger()
        logger.close()
        with pytest.raises(StateError, match="closed"):
            logger.reload()


class TestByFile:
    def test_a_change_is_seen(self, records: Records, write_config: Write) -> None:
        """Without any loop; another change too."""
        logger = configure_logger(write_config(WATCHED))
        for name in ("b", "c"):
            write_config(WATCHED.replace("a.jsonl", f"{name}.jsonl"))
            eventually(lambda name=name: f"{name}.jsonl" in repr(logger.settings.backends))
            log_info(name)
        logger.close()
        assert (["b"], ["c"]) == (bodies(records("b.jsonl")), bodies(records("c.jsonl")))
        eventually(lambda: [] == own_threads())

    def test_a_change_while_the_file_is_read(
        self, write_config: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is written right behind the first reading is seen all the same."""
        read = OTelLogger._read

        def and_changed(self: OTelLogger, *arguments: Any) -> Any:
            found = read(self, *arguments)
            monkeypatch.setattr(OTelLogger, "_read", read)
            write_config(WATCHED.replace("INFO", "DEBUG"))
            return found

        path = write_config(WATCHED)
        monkeypatch.setattr(OTelLogger, "_read", and_changed)
        logger = configure_logger(path)
        eventually(lambda: logger.settings.log_level == "DEBUG")

    def test_a_broken_change_is_said_and_mended(
        self, records: Records, write_config: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The old one runs on until the file is good again."""
        logger = configure_logger(write_config(WATCHED))
        write_config(WATCHED.replace("filesystem", "nope"))
        said = eventually(lambda: capsys.readouterr().err)
        assert "the former one stays" in said
        assert "there is no back end 'nope'" in said
        log_info("a")
        write_config(WATCHED.replace("INFO", "DEBUG"))
        eventually(lambda: logger.settings.log_level == "DEBUG")
        log_debug("b")
        logger.close()
        assert ["a", "b"] == bodies(records("a.jsonl"))

    def test_watching_can_be_switched_off(self, write_config: Write) -> None:
        """By the file itself."""
        logger = configure_logger(write_config(WATCHED))
        write_config(FILE)
        eventually(lambda: not any("reload" in name for name in own_threads()))
        assert logger.is_running

    def test_a_forked_child_looks_too(self, records: Records, write_config: Write) -> None:
        """The thread is not in the child: it gets one of its own."""
        path = write_config(WATCHED)
        code = (
            "import os, sys, time\n"
            "from otel_stdlib import configure_logger, log_debug\n"
            "logger = configure_logger(sys.argv[1])\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    text = open(sys.argv[1]).read().replace('INFO', 'DEBUG')\n"
            "    open(sys.argv[1] + '.new', 'w').write(text)\n"
            "    os.replace(sys.argv[1] + '.new', sys.argv[1])\n"
            "    end = time.monotonic() + 20\n"
            "    while logger.settings.log_level != 'DEBUG' and time.monotonic() < end: time.sleep(0.01)\n"
            "    log_debug('child')\n"
            "    logger.close()\n"
            "    os._exit(0)\n"
            "os.waitpid(pid, 0)\n"
            "logger.close()\n"
        )
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environ,
        )
        assert (0, "") == (done.returncode, done.stderr)
        assert ["child"] == bodies(records("a.jsonl"))

    def test_another_pace(self, write_config: Write) -> None:
        """The thread stays."""
        logger = configure_logger(write_config(WATCHED))
        before = eventually(reloaders)
        write_config(WATCHED.replace("0.02", "0.03").replace("INFO", "DEBUG"))
        eventually(lambda: logger.settings.reload_interval == 0.03)
        assert before == reloaders()

    def test_a_changed_secret_is_seen(self, records: Records, write_config: Write, tmp_path: Path) -> None:
        """A file that the configuration takes a value from counts as a part of it, also when it was away."""

        def put(name: str) -> None:
            (tmp_path / "new").write_text(f"{name}\n")
            (tmp_path / "new").replace(tmp_path / "name")

        put("a")
        logger = configure_logger(
            write_config(WATCHED.replace("$OUT/a.jsonl", "'$OUT/${file:$OUT/name}.jsonl'"))
        )
        log_info("a")
        for name in ("b", "c"):
            (tmp_path / "name").unlink()
            put(name)
            eventually(
                lambda name=name: logger.settings.backends[0].config["log_file"].endswith(f"/{name}.jsonl")
            )
            log_info(name)
        logger.close()
        assert (["a"], ["b"], ["c"]) == tuple(bodies(records(f"{name}.jsonl")) for name in "abc")

    def test_a_secret_that_was_missing(
        self, records: Records, write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Once its file is there the configuration is loaded again."""
        logger = configure_logger(
            write_config(WATCHED.replace("$OUT/a.jsonl", "'$OUT/${file:$OUT/name}.jsonl'"))
        )
        assert "cannot be read" in capsys.readouterr().err
        (tmp_path / "new").write_text("late")
        (tmp_path / "new").replace(tmp_path / "name")
        eventually(lambda: logger.settings.backends)
        log_info("late")
        logger.close()
        assert ["late"] == bodies(records("late.jsonl"))

    def test_a_file_that_goes_away(self, records: Records, write_config: Write) -> None:
        """Nothing happens until it is back."""
        path = write_config(WATCHED)
        logger = configure_logger(path)
        path.unlink()
        log_info("a")
        write_config(WATCHED.replace("INFO", "DEBUG"))
        eventually(lambda: logger.settings.log_level == "DEBUG")
        logger.close()
        assert ["a"] == bodies(records("a.jsonl"))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
class TestBySignal:
    def test_it_reloads_and_is_given_back(self, write_config: Write) -> None:
        """The handler that was there before is called as well, and stands there again at the end."""
        seen: list[int] = []

        def theirs(number: int, frame: object) -> None:
            seen.append(number)

        signal.signal(signal.SIGHUP, theirs)
        try:
            logger = configure_logger(write_config(FILE + "  reload: {signal: HUP}\n"))
            write_config((FILE + "  reload: {signal: HUP}\n").replace("INFO", "DEBUG"))
            os.kill(os.getpid(), signal.SIGHUP)
            eventually(lambda: logger.settings.log_level == "DEBUG")
            assert [signal.SIGHUP] == seen
            logger.close()
            assert theirs is signal.getsignal(signal.SIGHUP)
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def test_from_another_thread_it_is_only_said(
        self, write_config: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Python allows signal handlers in the main thread only."""
        path = write_config(FILE + "  reload: {signal: SIGHUP}\n")
        before = signal.getsignal(signal.SIGHUP)  # a run under nohup ignores it
        thread = threading.Thread(target=configure_logger, args=(path,))
        thread.start()
        thread.join()
        assert configure_logger().is_running
        assert "main thread" in capsys.readouterr().err
        assert before is signal.getsignal(signal.SIGHUP)


def test_100_reloads_under_load_lose_and_double_nothing(records: Records, write_config: Write) -> None:
    """Eight threads log while the configuration changes 100 times, back ends included."""
    logger = configure_logger(write_config(FILE))
    stop = threading.Event()
    counts = [0] * 8

    def work(number: int) -> None:
        while not stop.is_set():
            log_info("x", thread=number, n=counts[number])
            counts[number] += 1
            stop.wait(0.001)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        for i in range(100):
            write_config(
                FILE.replace("a.jsonl", f"{'ab'[i % 2]}.jsonl").replace("INFO", ("DEBUG", "INFO")[i // 2 % 2])
            )
            logger.reload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert logger.close(30)
    found = Counter(
        (record["attributes"]["thread"], record["attributes"]["n"])
        for name in ("a.jsonl", "b.jsonl")
        for record in records(name)
    )
    expected = Counter((number, n) for number, count in enumerate(counts) for n in range(count))
    assert Counter() == expected - found, "lost"
    assert Counter() == found - expected, "doubled"
    eventually(lambda: [] == own_threads())
