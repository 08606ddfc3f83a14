"""Children of ``multiprocessing``: what they log before and after their start, and how they are configured."""

from __future__ import annotations

import concurrent.futures
import logging
import multiprocessing
import sys
from pathlib import Path

import pytest

import otel_stdlib
from otel_stdlib import ConfigError
from otel_stdlib.config import dictconfig
from tests.faults.harness import PREAMBLE, bodies, run, spools

pytestmark = pytest.mark.fault

METHODS = ["fork", "forkserver", "spawn"]


def script(folder: Path, code: str) -> None:
    """Run a program that children import as their main module."""
    program = folder / "program.py"
    program.write_text(PREAMBLE + code)
    run(
        folder,
        f"sys.argv = [{str(program)!r}]; import runpy; runpy.run_path({str(program)!r}, run_name='__main__')",
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_child_that_logged_while_it_was_imported_drains_at_its_end(tmp_path: Path, method: str) -> None:
    """The configuration and a first record at the top of the module, as most programs have them."""
    script(
        tmp_path,
        f"""
import multiprocessing
configure()
log.info("imported")
def work(n): log.info(f"child-{{n}}")
def text():
    with open(os.path.join(FOLDER, "out", "app.jsonl")) as file: return file.read()
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    for n in range(3):
        child = context.Process(target=work, args=(n,))
        child.start(); child.join()
        assert child.exitcode == 0
        assert f'"body":"child-{{n}}"' in text(), text()  # by the child itself
""",
    )
    assert all(bodies(tmp_path)[f"child-{n}"] == 1 for n in range(3))
    assert [] == spools(tmp_path)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
def test_a_pool_is_configured_like_its_parent(tmp_path: Path, method: str, pool: str) -> None:
    """INFO records of children that import nothing of the configuration are delivered, exactly once."""
    if method == "fork" and sys.version_info >= (3, 12):
        pytest.skip("a process with threads warns of a fork")
    made = (
        "context.Pool(2, initializer)"
        if pool == "Pool"
        else "ProcessPoolExecutor(2, context, initializer=initializer)"
    )
    script(
        tmp_path,
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import otel_stdlib
def work(n): log.info(f"child-{{n}}"); return len(logging.getLogger().handlers)
if __name__ == "__main__":
    otel_stdlib.load_dict_config(config())
    log.info("parent")
    context = multiprocessing.get_context("{method}")
    initializer = otel_stdlib.multiprocessing_initializer()
    pool = {made}
    assert {{1}} == set(pool.map(work, range(20)))
    if hasattr(pool, "close"): pool.close(); pool.join()
    else: pool.shutdown()
""",
    )
    assert {f"child-{n}": 1 for n in range(20)} | {"parent": 1} == dict(bodies(tmp_path))
    assert [] == spools(tmp_path)


class TestInitializer:
    def test_the_facade_hands_on_its_file_and_options(self, tmp_path: Path) -> None:
        """What ``configure_logger`` was called with last, whatever ``load_dict_config`` was given before."""
        otel_stdlib.load_dict_config({"version": 1, "disable_existing_loggers": False})
        logger = otel_stdlib.configure_logger(service_name="parent", log_level="INFO")
        try:
            initialize = otel_stdlib.multiprocessing_initializer()
        finally:
            logger.close()
        assert (None, {"service_name": "parent", "log_level": "INFO"}, False) == initialize.args  # type: ignore[attr-defined]

    def test_nothing_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then the message says what to call or to pass."""
        monkeypatch.setattr(dictconfig, "_last", None)
        with pytest.raises(ConfigError, match="load_dict_config"):
            otel_stdlib.multiprocessing_initializer()

    def test_live_objects(self) -> None:
        """What cannot be sent to another process is refused here and not in each child."""

        def make() -> logging.Handler:
            return logging.NullHandler()

        config = {"version": 1, "handlers": {"x": {"()": make}}}
        with pytest.raises(ConfigError, match="cannot be sent to another process"):
            otel_stdlib.multiprocessing_initializer(config)

    def test_a_configuration_of_plain_dictconfig(self, tmp_path: Path) -> None:
        """It is passed as it is."""
        target = tmp_path / "a.jsonl"
        config = {
            "version": 1,
            "handlers": {"file": {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": str(target)}},
            "root": {"level": "INFO", "handlers": ["file"]},
        }
        context = multiprocessing.get_context("spawn")
        initializer = otel_stdlib.multiprocessing_initializer(config)
        with concurrent.futures.ProcessPoolExecutor(1, context, initializer=initializer) as pool:
            pool.submit(logging.info, "from a child").result(60)
        assert '"body":"from a child"' in target.read_text()
