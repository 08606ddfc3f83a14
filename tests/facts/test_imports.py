"""Drivers are imported one at a time, and early only where greenlets are in use."""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.facts import imports
from otel_stdlib.facts.threads import Thread
from tests.support import eventually
from tests.tree import ROOT

_SLOW = """
import time
import otel_stdlib_overlap as overlap
overlap.running += 1
overlap.most = max(overlap.most, overlap.running)
time.sleep(0.05)
overlap.running -= 1
"""


@pytest.fixture
def slow_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of modules that take a while to import, and note how many of them are at it."""
    names = [f"otel_stdlib_slow_{number}" for number in range(4)]
    (tmp_path / "otel_stdlib_overlap.py").write_text("running = most = 0\n", encoding="utf-8")
    for name in names:
        (tmp_path / f"{name}.py").write_text(_SLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in (*names, "otel_stdlib_overlap"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return names


def test_threads_import_one_after_another(slow_modules: list[str]) -> None:
    """Each takes its turn, and all are loaded in the end."""
    threads = [Thread(lambda name=name: imports.load(name), "otel-stdlib-test") for name in slow_modules]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    assert all(thread.join(60) for thread in threads)
    assert all(name in sys.modules for name in slow_modules)
    assert sys.modules["otel_stdlib_overlap"].most == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_does_not_wait_for_its_parents_imports(
    slow_modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that does not end keeps no fork back for long, and the child has turns of its own."""
    imports.load(slow_modules[0])
    monkeypatch.setattr(imports, "_LONGEST", 0.01)
    with imports._turns.lock:
        child = os.fork()
        if child == 0:
            os._exit(1 if imports._turns.lock.locked() else 0)
        assert imports._turns.lock.locked()
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_waits_for_imports_under_way_and_in_the_queue(slow_modules: list[str]) -> None:
    """A child would wait for good for a module that its parent had half imported: no thread there completes it."""
    threads = [Thread(lambda name=name: imports.load(name), "otel-stdlib-test") for name in slow_modules]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    eventually(lambda: any(name in sys.modules for name in slow_modules), 60, 0.0)
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(30, exit=True)
        os._exit(0 if all(name in sys.modules for name in slow_modules) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert all(thread.join(60) for thread in threads)
    imports.load("json")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_in_an_import_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own thread is the one that imports."""
    source = (
        "import os\nchild = os.fork()\nif child == 0:\n    os._exit(0)\nstatus = os.waitpid(child, 0)[1]\n"
    )
    (tmp_path / "otel_stdlib_forks.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(imports, "_LONGEST", 3600.0)
    imports.load("otel_stdlib_forks")
    assert sys.modules.pop("otel_stdlib_forks").status == 0


def test_a_missing_module_frees_the_turn() -> None:
    """What fails to import keeps nobody else from importing."""
    for _ in range(2):
        with pytest.raises(ImportError):
            imports.load("otel_stdlib_no_such_module")
    assert not imports._turns.lock.locked()


_CONFIGURE = """
import json, logging, sys, warnings
warnings.simplefilter("ignore")
if sys.argv[1] == "gevent":
    from gevent import monkey
    monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet
    eventlet.monkey_patch()
from otel_stdlib import handlers
handlers.ElasticsearchHandler()
handlers.KafkaHandler(bootstrap_servers=["127.0.0.1:1"], topic="t")
handlers.OTLPHandler()
handlers.OTLPHandler(protocol="grpc")
drivers = ["elastic_transport", "confluent_kafka", "urllib3", "grpc", "opentelemetry.proto.logs.v1.logs_pb2"]
print(json.dumps([name in sys.modules for name in drivers]))
"""


@pytest.mark.parametrize("library", ["none", "gevent", "eventlet"])
def test_drivers_are_loaded_when_a_patched_process_is_configured(library: str) -> None:
    """Then no hub stops for them while it serves; other processes load them when delivery begins."""
    if sys.version_info >= (3, 15):
        pytest.skip("gevent, eventlet and confluent-kafka have no wheels yet")
    done = subprocess.run(
        [sys.executable, "-c", _CONFIGURE, library],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [library != "none"] * 5
