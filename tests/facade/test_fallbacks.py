"""Wrong parts of a configuration fall back or are errors; processes of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import ConfigError, OTelQueueHandler, configure_logger, log_info
from otel_stdlib.config.errors import ConfigFileError
from tests.facade.parts import FILE, bodies
from tests.support import own_threads

Records = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


class TestFallback:
    """Without ``strict``, what is wrong is said and stands in for nothing else."""

    def check(
        self, capsys: pytest.CaptureFixture[str], records: Records, said: str, file: str = "logs/app.jsonl"
    ) -> None:
        """Records arrive in ``file``, and ``said`` is on stderr and in the health report."""
        logger = configure_logger()
        log_info("a")
        health = logger.get_health_status()
        logger.close()
        assert ["a"] == bodies(records(file))
        assert "degraded" == health["status"]
        assert any(said in problem for problem in health["problems"]), health["problems"]
        assert said in capsys.readouterr().err

    def test_a_missing_file(self, capsys: pytest.CaptureFixture[str], records: Records) -> None:
        """The defaults."""
        configure_logger("none.yaml")
        self.check(capsys, records, "none.yaml: there is no such file")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is empty"),
            ("- a\n", "not a list"),
            ("a: &x [*x]\n", "cyclic"),
            ("logger: [\n", "not valid YAML"),
            ("other: 1\n", "logger"),
        ],
    )
    def test_a_file_that_is_none(
        self, capsys: pytest.CaptureFixture[str], records: Records, write_config: Write, text: str, said: str
    ) -> None:
        """The defaults, and what was passed beside it."""
        logger = configure_logger(write_config(text), log_level="ERROR")
        assert "ERROR" == logger.settings.log_level
        logging.getLogger().setLevel(logging.INFO)
        self.check(capsys, records, said)

    @pytest.mark.parametrize(
        ("backend", "said"),
        [
            ("{backend_type: elastic}", "did you mean 'elasticsearch'?"),
            ("{backend_type: filesystem, config: {log_file: $OUT}}", "must be a file and is a directory"),
            ("{backend_type: filesystem, config: {log_file: x, max_byte: 5}}", "did you mean 'max_bytes'?"),
            ("{backend_type: filesystem, config: {log_file: x, max_bytes: much}}", "must be a whole number"),
            (
                "{backend_type: elasticsearch, config: {basic_auth: [a, $NO_SUCH_VARIABLE]}}",
                "NO_SUCH_VARIABLE is not set",
            ),
            ("{backend_type: postgres, config: {password: '${file:/no/file}'}}", "/no/file cannot be read"),
            ("{backend_type: elasticsearch, config: {hosts: [7]}}", "hosts"),
            ("{backend_type: no.such.Backend}", "No module named"),
            ("filesystem", "must be a mapping"),
        ],
    )
    def test_a_wrong_back_end_is_replaced_by_a_file(
        self,
        capsys: pytest.CaptureFixture[str],
        records: Records,
        write_config: Write,
        backend: str,
        said: str,
    ) -> None:
        """And the rest of the configuration counts."""
        configure_logger(write_config(f"logger:\n  service_name: shop\n  backends:\n    - {backend}\n"))
        self.check(capsys, records, said, "logs/shop.jsonl")

    def test_a_missing_driver(
        self, capsys: pytest.CaptureFixture[str], records: Records, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The line has the pip command."""
        monkeypatch.setitem(sys.modules, "psycopg2", None)
        configure_logger(backends=[{"backend_type": "postgres", "config": {"host": "localhost"}}])
        self.check(capsys, records, "pip install 'otel_stdlib[postgres]'")

    def test_other_back_ends_are_not_touched(self, records: Records, write_config: Write) -> None:
        """Where there is a file already, none is added."""
        text = FILE + "    - backend_type: nope\n"
        with configure_logger(write_config(text)) as logger:
            log_info("a")
            assert ["filesystem"] == list(logger.get_health_status()["backends"])
        assert ["a"] == bodies(records("shop.jsonl"))
        assert [] == records()

    def test_no_file_at_all_can_be_written(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Then people see their records on stderr."""
        (tmp_path / "logs" / "app.jsonl").mkdir(parents=True)
        with configure_logger() as logger:
            log_info("seen")
            assert ["console"] == list(logger.get_health_status()["backends"])
        assert " seen" in capsys.readouterr().err


def test_each_back_end_of_one_kind_has_a_fallback_of_its_own(
    capsys: pytest.CaptureFixture[str], records: Records
) -> None:
    """Three servers that are away: what waits for each is readable, and nobody is told that there is none."""
    quick = {"circuit_breaker_threshold": 1, "retry_delay": 0.01}
    away: list[dict[str, Any]] = [
        {"backend_type": "elasticsearch", "config": {"hosts": [f"http://127.0.0.1:{port}"], **quick}}
        for port in (9, 10, 11, 13)
    ]
    away[2]["name"], away[3]["name"] = "audit/eu", "audit_eu"
    logger = configure_logger(backends=away, shutdown_timeout=0.1)
    log_info("waits")
    backends = logger.get_health_status()["backends"]
    assert {"elasticsearch", "elasticsearch-2", "audit/eu", "audit_eu"} == set(backends)
    assert all("fallback" in backend for backend in backends.values())
    handlers = {handler.name: handler for handler in logging.getLogger().handlers[-1].handlers}  # type: ignore[attr-defined]
    assert {
        "elasticsearch": "logs/fallback-elasticsearch-app.jsonl",
        "elasticsearch-2": "logs/fallback-elasticsearch-2-app.jsonl",
        "audit/eu": "logs/fallback-audit%2Feu-app.jsonl",
        "audit_eu": "logs/fallback-audit_eu-app.jsonl",
    } == {
        name: os.path.relpath(handler.make_fallback()[0].identity.key) for name, handler in handlers.items()
    }
    logger.close(0)
    assert "is written already" not in capsys.readouterr().err


class TestStrict:
    def test_anything_wrong_is_an_error(self, write_config: Write) -> None:
        """And nothing runs."""
        for text in (FILE + "    - backend_type: nope\n", FILE.replace("DEBUG", "LOUD"), "[]\n"):
            with pytest.raises(ConfigFileError):
                configure_logger(write_config(text), strict=True)
            assert not any(isinstance(h, OTelQueueHandler) for h in logging.getLogger().handlers)
            assert [] == own_threads()

    def test_options_that_only_the_handler_knows(self, write_config: Write) -> None:
        """They have their place too."""
        path = write_config(FILE + "        mode: 7\n")
        with pytest.raises(
            ConfigError, match=rf"{path}:9:9: logger.backends\[0\].config.mode: option 'mode'"
        ):
            configure_logger(path, strict=True)

    def test_what_ran_before_runs_on(self, records: Records, write_config: Write) -> None:
        """A wrong second configuration changes nothing."""
        logger = configure_logger()
        with pytest.raises(ConfigFileError):
            configure_logger(write_config(FILE.replace("filesystem", "nope")), strict=True)
        log_info("a")
        logger.close()
        assert ["a"] == bodies(records())

    def test_overrides_are_checked_as_well(self) -> None:
        """Their place is the call."""
        with pytest.raises(
            ConfigError, match=r"configure_logger: logger\.log_levle: unknown option 'log_levle'"
        ):
            configure_logger(strict=True, log_levle="x")


class TestProcesses:
    def test_a_forked_child_logs_on(self, records: Records) -> None:
        """Into a spool of its own, into the same file."""
        code = (
            "import os\n"
            "from otel_stdlib import configure_logger, log_info\n"
            "logger = configure_logger()\n"
            "log_info('parent')\n"
            "pid = os.fork()\n"
            "log_info('child' if pid == 0 else 'parent again')\n"
            "logger.close()\n"
            "if pid: os.waitpid(pid, 0)\n"
            "os._exit(0)\n"
        )
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environ,
        )
        assert (0, "") == (done.returncode, done.stderr)
        assert ["child", "parent", "parent again"] == sorted(bodies(records()))

    def test_importing_starts_nothing(self) -> None:
        """Neither does the facade's existence."""
        assert [] == own_threads()
