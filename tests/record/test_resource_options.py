"""``service_name``, ``service_version`` and ``resource``: what the resource holds in the end."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest

from otel_stdlib import OTelFormatter
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.record.rebuild import rebuild_record
from otel_stdlib.record.resource import KNOWN_ATTRIBUTES, detect_resource
from otel_stdlib.record.resource_options import ResourceOptions


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of the environment's own, and no pod around it."""
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def names(resource: dict[str, Any] | None, **more: Any) -> set[str]:
    """The names of the attributes that options leave."""
    return set(ResourceOptions.of(resource=resource, **more).detect().attributes)


class TestSelection:
    def test_nothing_given_keeps_everything(self) -> None:
        """As detected."""
        assert names(None) == names({}) == names({"include": None, "exclude": []})
        assert names(None) == set(detect_resource().attributes)

    def test_names_and_patterns(self) -> None:
        """``include`` chooses, ``exclude`` takes from that; both by exact name or by pattern."""
        assert names({"include": ["host.name", "telemetry.*"]}) == {
            "service.name",
            "host.name",
            "telemetry.sdk.name",
            "telemetry.sdk.language",
            "telemetry.sdk.version",
        }
        assert names({"include": ["process.*"], "exclude": ["process.[!p]*", "*.parent_pid"]}) == {
            "service.name",
            "process.pid",
        }
        assert names({"exclude": ["process.*"]}) == {n for n in names(None) if not n.startswith("process.")}
        assert names({"exclude": ["Process.pid"]}) == names(None)  # names are case-sensitive

    def test_the_service_and_what_the_configuration_adds_are_always_kept(self) -> None:
        """OpenTelemetry requires ``service.name``; nobody adds an attribute to leave it out."""
        found = ResourceOptions.of(
            "shop", "1.2", {"include": [], "exclude": ["*"], "attributes": {"team": "x"}}
        ).detect()
        assert found.attributes == {"service.name": "shop", "service.version": "1.2", "team": "x"}
        assert json.loads(found.json) == found.attributes
        assert found.problems == ()

    def test_the_environment_is_chosen_from_like_what_is_detected(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A platform may set more there than you want in each line."""
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=x,rack=7")
        assert names({"include": ["team"]}) == {"service.name", "team"}

    def test_a_pattern_that_can_match_nothing_is_reported(self) -> None:
        """With the nearest name; one for another place, such as a pod, is not."""
        found = ResourceOptions.of(resource={"exclude": ["procces.pid", "k8s.*", "container.id"]}).detect()
        assert found.problems == (
            "resource.exclude: 'procces.pid' matches no attribute of the resource; did you mean 'process.pid'?",
        )

    def test_every_detected_attribute_is_known(self) -> None:
        """Or a pattern for it would be called useless elsewhere."""
        pod = {"KUBERNETES_SERVICE_HOST": "1", "POD_NAME": "a", "POD_UID": "b", "NODE_NAME": "c"}
        assert set(detect_resource(environ=pod).attributes) <= set(KNOWN_ATTRIBUTES)


class TestErrors:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"exlude": []}, "unknown option 'exlude' of 'resource'; did you mean 'exclude'"),
            (
                {"include": [], "only": []},
                "unknown option 'only' of 'resource' (known: attributes, exclude, include)",
            ),
            ({"host.name": "x"}, "put attributes under 'attributes'"),
            ({"include": "process.*"}, "'resource.include' must be a list"),
            ({"exclude": [1]}, "'resource.exclude' must be a list"),
            ({"exclude": [""]}, "'resource.exclude' must be a list"),
            ({"attributes": ["x"]}, "'resource.attributes' must be a mapping"),
            (["include"], "option 'resource' must be a mapping of attributes, exclude, include"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_quoted(self, given: Any, message: str) -> None:
        """With what is allowed, and the nearest name."""
        with pytest.raises(ConfigError) as error:
            ResourceOptions.of(resource=given)
        assert message in str(error.value)
        assert error.value.option == "resource"

    @pytest.mark.parametrize("name", ["service_name", "service_version"])
    def test_a_number_is_no_name(self, name: str) -> None:
        """YAML reads ``1.0`` as a number, which would lose its last digit."""
        with pytest.raises(ConfigError, match=f"'{name}' must be a string, not 1.0; quote it") as error:
            ResourceOptions.of(**{name: 1.0})  # type: ignore[arg-type]
        assert error.value.option == name


class TestFormatter:
    def test_it_takes_attributes_alone_as_ever(self) -> None:
        """The former spelling, and the one with options."""
        for given in ({"team": "x"}, {"attributes": {"team": "x"}}):
            assert OTelFormatter(resource=given).resource().attributes["team"] == "x"
        slim = OTelFormatter(service_name="shop", resource={"include": []})
        assert slim.resource().attributes == {"service.name": "shop"}

    def test_a_misspelt_option_does_not_become_an_attribute(self) -> None:
        """Nothing would be left out, and nobody would notice."""
        with pytest.raises(
            ConfigError, match="unknown option 'excludes' of 'resource'; did you mean 'exclude'"
        ):
            OTelFormatter(resource={"excludes": ["process.*"]})

    def test_options_survive_pickling(self) -> None:
        """As handlers' formatters are sent to processes."""
        slim = pickle.loads(pickle.dumps(OTelFormatter(service_name="shop", resource={"include": []})))
        assert slim.resource().attributes == {"service.name": "shop"}

    def test_a_useless_pattern_is_said_once(self, capfd: pytest.CaptureFixture[str]) -> None:
        """On standard error, like the environment's mistakes."""
        formatter = OTelFormatter(resource={"include": ["hosts.nome"]})
        formatter.format(logging.makeLogRecord({"msg": "x"}))
        formatter.format(logging.makeLogRecord({"msg": "y"}))
        assert capfd.readouterr().err.count("'hosts.nome' matches no attribute") == 1

    def test_a_record_from_the_queue_keeps_its_resource(self) -> None:
        """Unless the formatter is told another one."""
        line = {"body": "x", "attributes": {}, "resource": {"service.name": "shop", "process.pid": 7}}
        record = rebuild_record(line, logging.INFO, 0)
        assert json.loads(OTelFormatter().format(record))["resource"] == line["resource"]
        own = OTelFormatter(service_name="own", resource={"include": []})
        assert json.loads(own.format(record))["resource"] == {"service.name": "own"}
        assert "resource" not in record.__dict__

    def test_a_record_without_a_known_process_formats(self) -> None:
        """``%(process)d`` is in many format strings."""
        record = rebuild_record({"body": "x", "attributes": {}, "resource": {}}, logging.INFO, 0)
        assert logging.Formatter("%(process)d %(message)s").format(record) == "0 x"
        assert "process.pid" not in json.loads(OTelFormatter().format(record))["attributes"]
