"""The seed's ``logger:`` document: what it becomes, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.config import check as check_module
from otel_stdlib.config.errors import ConfigFileError
from otel_stdlib.config.translate import load_settings
from otel_stdlib.facts.errors import MissingExtraError

SEED = """
logger:
  service_name: "my-service"
  service_version: "1.0.0"
  log_level: "DEBUG"
  enable_console: true

  backends:
    - backend_type: "filesystem"
      config:
        log_file: "./logs/my-service.jsonl"
        max_bytes: 10485760  # 10MB
        backup_count: 5
    - backend_type: "elasticsearch"
      config:
        hosts: ["https://localhost:9200"]
        index_pattern: "my-app-logs-%Y.%m.%d"
        basic_auth: ["elastic", "$ELASTIC_PASSWORD"]
        ca_certs: "/path/to/http_ca.crt"
        verify_certs: true
        timeout: 30
        max_retries: 3
        retry_delay: 2
        health_check_interval: 30
        circuit_breaker_threshold: 5
        circuit_breaker_timeout: 60
        max_workers: 10
    - backend_type: "postgres"
      config:
        host: "localhost"
        port: 5432
        database: "logs"
        user: "postgres"
        password: "$POSTGRES_PASSWORD"
        table_name: "otel_logs"
"""


def write(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "logger_config.yaml"
    path.write_text(text)
    return path


def wrong(folder: Path, text: str, **environ: str) -> list[str]:
    """The problems of a text, without the file's name."""
    with pytest.raises(ConfigFileError) as caught:
        load_settings(write(folder, text), environ=environ)
    return [str(problem).removeprefix(f"{folder}/logger_config.yaml:") for problem in caught.value.problems]


class TestSeed:
    def test_the_complete_example(self, tmp_path: Path) -> None:
        """Every option of the seed's example is known and arrives."""
        settings, problems, _ = load_settings(
            write(tmp_path, SEED), environ={"ELASTIC_PASSWORD": "e1", "POSTGRES_PASSWORD": "p1"}
        )
        assert [] == problems
        assert ("my-service", "1.0.0", "DEBUG", True) == (
            settings.service_name,
            settings.service_version,
            settings.log_level,
            settings.enable_console,
        )
        assert ["filesystem", "elasticsearch", "postgres"] == [spec.type for spec in settings.backends]
        assert ["elastic", "e1"] == settings.backends[1].config["basic_auth"]
        assert "p1" == settings.backends[2].config["password"]

    def test_secrets_do_not_show(self, tmp_path: Path) -> None:
        """Not in the repr of the settings either."""
        settings, _, _ = load_settings(
            write(tmp_path, SEED), environ={"ELASTIC_PASSWORD": "hunter2", "POSTGRES_PASSWORD": "hunter2"}
        )
        assert "hunter2" not in repr(settings)

    def test_undefined_secrets_are_errors_with_their_lines(self, tmp_path: Path) -> None:
        """Both are named at once."""
        assert [
            "18:33: logger.backends[1].config.basic_auth[1]: the environment variable ELASTIC_PASSWORD is not set",
            "34:9: logger.backends[2].config.password: the environment variable POSTGRES_PASSWORD is not set",
        ] == wrong(tmp_path, SEED)

    def test_without_strict_only_what_is_wrong_is_left_out(self, tmp_path: Path) -> None:
        """The file back end stays, those without their secret go."""
        settings, problems, _ = load_settings(write(tmp_path, SEED), strict=False, environ={})
        assert ["filesystem"] == [spec.type for spec in settings.backends]
        assert 2 == len(problems)


def logger(body: str) -> str:
    """A document with ``body`` under ``logger:``."""
    return "logger:\n" + "".join(f"  {line}\n" for line in body.splitlines())


class TestWrong:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("log_level: LOUD", "2:3: logger.log_level: there is no level 'LOUD' (known:"),
            ("log_level: DEBUGG", "did you mean 'DEBUG'?"),
            ("log_level: [1]", "must be text or a whole number, not a list"),
            ("enable_console: maybe", "2:3: logger.enable_console: must be true or false, not 'maybe'"),
            (
                "servce_name: x",
                "2:3: logger.servce_name: unknown option 'servce_name'; did you mean 'service_name'?",
            ),
            ("service_name: [a]", "logger.service_name: must be text, not a list"),
            ("backends: {a: 1}", "logger.backends: must be a list, not a mapping"),
            ("backends: [filesystem]", "logger.backends[0]: must be a mapping, not 'filesystem'"),
            ("backends: [{config: {}}]", "logger.backends[0]: needs the option 'backend_type'"),
            (
                "backends: [{backend_type: elastic}]",
                "there is no back end 'elastic'; did you mean 'elasticsearch'?",
            ),
            (
                "backends: [{backend_type: no.such.Thing}]",
                "cannot import 'no.such.Thing': No module named 'no'",
            ),
            (
                "backends: [{backend_type: 'json:dumps'}]",
                "the back end 'json:dumps' is no class but function",
            ),
            (
                "backends: [{backend_type: file, config: [x]}]",
                "config: must be a mapping or null, not a list",
            ),
            ("backends: [{backend_type: file, config: {max_byte: 1}}]", "did you mean 'max_bytes'?"),
            (
                "backends: [{backend_type: file, config: {max_bytes: 1MB}}]",
                "must be a whole number, not '1MB'",
            ),
            ("backends: [{backend_type: postgres, config: {password: [1]}}]", "config.password: must be"),
            (
                "backends: [{backend_type: file, config: {compress: gzp}}]",
                "must be gzip, true or false or null, not 'gzp'; did you mean 'gzip'?",
            ),
            ("backends: [{backend_type: file, levl: 5}]", "unknown option 'levl'; did you mean 'level'?"),
            ("spool: {durability: forever}", "must be one of process, os, record, memory, not 'forever'"),
            ("spool: {overflow: shedd}", "did you mean 'shed'?"),
            ("spool: {max_bytes: 5}", "logger.spool.max_bytes: option 'max_bytes' of 'spool' must be"),
            ("shutdown_timeout: -1", "must be at least 0, not -1"),
            ("reload: {signal: SIGHOP}", "there is no signal 'SIGHOP'; did you mean 'SIGHUP'?"),
            ("reload: {interval: 0}", "must be above 0, not 0"),
            ("levels: {urllib3: LOUD}", "logger.levels.urllib3: there is no level 'LOUD'"),
            ("service_name: $NO_SUCH_NAME", "the environment variable NO_SUCH_NAME is not set"),
            ("service_name: ${file:/no/such/file}", "the secret file /no/such/file cannot be read"),
        ],
    )
    def test_each_has_its_place_and_reason(self, tmp_path: Path, body: str, expected: str) -> None:
        """One problem, on line 2, named by path."""
        found = wrong(tmp_path, logger(body))
        assert 1 == len(found), found
        assert found[0].startswith("2:")
        assert expected in found[0]

    def test_a_secret_of_the_wrong_type_does_not_show(self, tmp_path: Path) -> None:
        """The message says what is wrong without the value."""
        (found,) = wrong(
            tmp_path,
            logger("backends: [{backend_type: file, config: {max_bytes: '${PASSWORD}'}}]"),
            PASSWORD="hunter2",
        )
        assert "hunter2" not in found
        assert "'***'" in found

    @pytest.mark.parametrize(
        "text", ["version: 1\n", "logging: {}\n", "logger: 5\n", "logger:\n", "logger: []\n"]
    )
    def test_no_logger_section(self, tmp_path: Path, text: str) -> None:
        """A document of another kind is refused."""
        assert [] != wrong(tmp_path, text)

    def test_all_problems_come_at_once_in_the_order_of_the_file(self, tmp_path: Path) -> None:
        """So that one run is enough to mend them."""
        found = wrong(tmp_path, logger("log_level: LOUD\nenable_console: 7\nbackends:\n- backend_type: nope"))
        assert ["2", "3", "5"] == [line.split(":")[0] for line in found]

    def test_without_the_validator_types_are_still_looked_at(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``strict`` asks for the extra; otherwise what matters is checked by hand."""
        monkeypatch.setattr(check_module, "has_validator", lambda: False)
        path = write(tmp_path, logger("enable_console: 7\nlog_level: LOUD"))
        with pytest.raises(MissingExtraError, match="config"):
            load_settings(path)
        settings, problems, _ = load_settings(path, strict=False)
        assert (False, "INFO", 2) == (settings.enable_console, settings.log_level, len(problems))

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("log_levl: INFO", "logger.log_levl: unknown option 'log_levl'; did you mean 'log_level'?"),
            ("backends: filesystem", "logger.backends: must be a list, not 'filesystem'"),
            ("backends:\n- backend_type: file\n  confg: {}", "logger.backends[0].confg: unknown option"),
            ("reload: {wach: true}", "logger.reload.wach: unknown option 'wach'; did you mean 'watch'?"),
        ],
    )
    def test_without_the_validator_unknown_options_are_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: str
    ) -> None:
        """The core alone does not pass over a word that was spelled wrong."""
        monkeypatch.setattr(check_module, "has_validator", lambda: False)
        _, problems, _ = load_settings(write(tmp_path, logger(body)), strict=False)
        assert 1 == len(problems), problems
        assert expected in str(problems[0])


class TestValues:
    def settings(self, **section: Any) -> Any:
        """Settings of a mapping."""
        return load_settings({"logger": section})[0]

    def test_nothing_but_the_name_is_needed(self) -> None:
        """Everything else has a default."""
        settings = self.settings(service_name="x")
        assert ("INFO", False, ()) == (settings.log_level, settings.enable_console, settings.backends)

    def test_levels(self) -> None:
        """Names in any case and numbers."""
        assert ("WARNING", 15, 7) == (
            self.settings(log_level="warning").log_level,
            self.settings(log_level=15).log_level,
            self.settings(log_level="7").log_level,
        )

    def test_a_back_end_can_be_switched_off(self) -> None:
        """By ``enabled: false``, for example from a variable."""
        assert () == self.settings(backends=[{"backend_type": "filesystem", "enabled": False}]).backends

    def test_a_name_and_a_level_of_a_back_end(self) -> None:
        """Both are optional."""
        (spec,) = self.settings(
            backends=[{"backend_type": "jsonl", "name": "audit", "level": "error"}]
        ).backends
        assert ("filesystem", "audit", "ERROR") == (spec.type, spec.name, spec.level)
