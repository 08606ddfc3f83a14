"""The resource of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path

import pytest

from otel_stdlib.record import resource as room
from otel_stdlib.record.resource import Resource, detect_resource


class TestSources:
    def test_what_is_always_there(self) -> None:
        """Service, SDK, process, host and runtime are known, as one JSON object too."""
        found = detect_resource(environ={})
        attributes = found.attributes
        assert attributes["service.name"].startswith("unknown_service:")
        assert attributes["telemetry.sdk.name"] == "otel_stdlib"
        assert attributes["telemetry.sdk.language"] == "python"
        assert attributes["process.pid"] == os.getpid()
        assert attributes["process.runtime.name"] == sys.implementation.name
        assert {"host.name", "host.arch", "os.type", "telemetry.sdk.version"} <= set(attributes)
        assert uuid.UUID(attributes["service.instance.id"]).version == 4
        assert json.loads(found.json) == attributes

    def test_no_command_line_argument(self) -> None:
        """Arguments hold secrets: none is in the resource."""
        code = "from otel_stdlib.record.resource import detect_resource as d; print(d().json.decode())"
        out = subprocess.run(
            [sys.executable, "-c", code, "--token", "hunter2"], capture_output=True, text=True, check=True
        ).stdout
        assert "process.pid" in out
        assert "hunter2" not in out
        assert "command_args" not in out

    def test_order_of_the_sources(self) -> None:
        """Arguments win over the environment, ``OTEL_SERVICE_NAME`` over the attribute list."""
        environ = {
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=list,service.version=1,team=a%2Cb%3D,host.name=given",
            "OTEL_SERVICE_NAME": "variable",
        }
        found = detect_resource(environ=environ).attributes
        assert (found["service.name"], found["service.version"]) == ("variable", "1")
        assert (found["team"], found["host.name"]) == ("a,b=", "given")
        found = detect_resource("argument", "2", {"team": "c"}, environ=environ).attributes
        assert (found["service.name"], found["service.version"], found["team"]) == ("argument", "2", "c")

    def test_bad_entries_are_left_out_and_told(self) -> None:
        """An entry that is no ``key=value`` disturbs no other one."""
        environ = {"OTEL_RESOURCE_ATTRIBUTES": "good=1,bad,=worse,broken=%ff, ,also=2"}
        found = detect_resource(environ=environ)
        assert (found.attributes["good"], found.attributes["also"]) == ("1", "2")
        assert "bad" not in found.attributes
        assert len(found.problems) == 3
        assert "'bad'" in found.problems[0]

    def test_kubernetes(self) -> None:
        """The usual names of the downward API are read in a pod, and only there."""
        names = {"POD_NAME": "web-1", "POD_NAMESPACE": "shop", "NODE_NAME": "n1", "K8S_POD_UID": "u"}
        found = detect_resource(environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1", **names}).attributes
        assert (
            found["k8s.pod.name"],
            found["k8s.namespace.name"],
            found["k8s.node.name"],
            found["k8s.pod.uid"],
        ) == (
            "web-1",
            "shop",
            "n1",
            "u",
        )
        assert "k8s.pod.name" not in detect_resource(environ={"POD_NAME": "web-1"}).attributes

    def test_a_detector_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It leaves out its own attributes and no others."""

        def broken() -> dict[str, object]:
            raise OSError("no")

        monkeypatch.setattr(room, "_host", broken)
        room._detected.cache_clear()
        try:
            found = detect_resource(environ={}).attributes
        finally:
            room._detected.cache_clear()
        assert "host.name" not in found
        assert "process.pid" in found

    def test_any_value(self) -> None:
        """Attributes of any type become valid JSON."""
        found = Resource.of({"a": float("nan"), "b": "\ud800", 3: {1, 2}, "c": b"x"})
        assert json.loads(found.json) == {"a": "NaN", "b": "\\ud800", "3": [1, 2], "c": "eA=="}


class TestInstance:
    def test_one_per_process(self) -> None:
        """The instance id stays the same, unless the user sets one."""
        assert (
            detect_resource(environ={}).attributes["service.instance.id"]
            == detect_resource("other", environ={}).attributes["service.instance.id"]
        )
        environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=mine"}
        assert detect_resource(environ=environ).attributes["service.instance.id"] == "mine"

    def test_a_forked_child_is_another_instance(self) -> None:
        """A child has its own id and pid, and a user's id is kept."""
        parent = detect_resource(environ={}).attributes
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                mine = detect_resource(attributes={"service.instance.id": "mine"}, environ={}).attributes
                child = detect_resource(environ={}).attributes
                found = [child["service.instance.id"], child["process.pid"], mine["service.instance.id"]]
                os.write(write, json.dumps(found).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            instance, number, mine = json.loads(pipe.read())
        os.waitpid(pid, 0)
        assert instance != parent["service.instance.id"]
        assert (number, mine) == (pid, "mine")


def test_the_version_is_the_installed_one() -> None:
    """As its metadata has it."""
    room.package_version.cache_clear()
    assert metadata.version("otel_stdlib") == room.package_version()


def test_the_first_record_imports_nothing(tmp_path: Path) -> None:
    """A child that is forked while another thread imports a module waits for ever when it needs that one too."""
    program = (
        "import logging, sys\n"
        "from otel_stdlib.handlers import JSONLFileHandler\n"
        "handler = JSONLFileHandler(sys.argv[1] + '/a.jsonl', spool={'directory': sys.argv[1] + '/own/spools'})\n"
        "logger = logging.getLogger('app')\n"
        "logger.addHandler(handler)\n"
        "before = set(sys.modules)\n"
        "logger.warning('first')\n"
        "assert handler.flush(60)\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "\n" == done.stdout
