"""What a configuration says of the resource: the service's name, more attributes, and which ones to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_names, nearest
from otel_stdlib.record.resource import KNOWN_ATTRIBUTES, Resource, detect_resource

__all__ = ["ResourceOptions"]

_NAMES = ("attributes", "exclude", "include")
#: The one attribute that OpenTelemetry requires.
_SERVICE = "service.name"


@dataclass(frozen=True)
class ResourceOptions:
    """The options ``service_name``, ``service_version`` and ``resource``.

    Raises:
        ConfigError: a value is wrong; the message quotes the option.
    """

    service_name: str | None = None
    service_version: str | None = None
    #: Added to what is detected; they are always kept.
    attributes: Mapping[str, Any] = field(default_factory=dict)
    #: Names or glob patterns of the detected attributes to keep; None: all of them.
    include: Sequence[str] | None = None
    #: Names or glob patterns of the detected attributes to leave out, from those included.
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("service_name", "service_version"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ConfigError(f"option {name!r} must be a string, not {value!r}; quote it", option=name)
        if not isinstance(self.attributes, Mapping):
            raise ConfigError(
                f"option 'resource.attributes' must be a mapping, not {self.attributes!r}", option="resource"
            )
        for name in ("include", "exclude"):
            _check_patterns(name, getattr(self, name))

    @classmethod
    def of(
        cls,
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        *,
        allow_attributes: bool = False,
    ) -> ResourceOptions:
        """Options as configuration files give them.

        Args:
            service_name: the attribute ``service.name``.
            service_version: the attribute ``service.version``.
            resource: a mapping of ``include``, ``exclude`` and ``attributes``.
            allow_attributes: ``resource`` may be the attributes themselves instead.
        """
        given: Mapping[str, Any] = {} if resource is None else resource
        if not isinstance(given, Mapping):
            raise ConfigError(
                f"option 'resource' must be a mapping of {', '.join(_NAMES)}, not {given!r}",
                option="resource",
            )
        if allow_attributes and not any(name in given for name in _NAMES):
            _refuse_misspelt(given)
            given = {"attributes": given}
        try:
            check_names(given, _NAMES, "unknown option {} of 'resource'")
        except ConfigError as error:
            hint = "; put attributes under 'attributes'" if "." in str(error.option) else ""
            raise ConfigError(f"{error}{hint}", option="resource") from None
        return cls(
            service_name,
            service_version,
            given.get("attributes") or {},
            given.get("include"),
            given.get("exclude") or (),
        )

    def __bool__(self) -> bool:
        given = self.service_name or self.service_version or self.attributes or self.exclude
        return bool(given) or self.include is not None

    def over(self, other: ResourceOptions) -> ResourceOptions:
        """These options where they are given, else ``other``'s; attributes are merged."""
        return ResourceOptions(
            self.service_name or other.service_name,
            self.service_version or other.service_version,
            {**other.attributes, **self.attributes},
            other.include if self.include is None else self.include,
            self.exclude or other.exclude,
        )

    def detect(self) -> Resource:
        """The resource of this process. Some milliseconds the first time."""
        found = detect_resource(self.service_name, self.service_version, self.attributes)
        if self.include is None and not self.exclude:
            return found
        always = {_SERVICE, *self.attributes, *(["service.version"] if self.service_version else ())}
        kept = {
            name: value for name, value in found.attributes.items() if name in always or self._keeps(name)
        }
        return Resource.of(kept, (*found.problems, *self._useless(found.attributes)))

    def _keeps(self, name: str) -> bool:
        included = self.include is None or any(fnmatchcase(name, pattern) for pattern in self.include)
        return included and not any(fnmatchcase(name, pattern) for pattern in self.exclude)

    def _useless(self, found: Mapping[str, Any]) -> list[str]:
        """A line for each pattern that can match nothing."""
        names = {*KNOWN_ATTRIBUTES, *found}
        return [
            f"resource.{option}: {pattern!r} matches no attribute of the resource"
            f"{nearest(pattern, names, listed=False)}"
            for option in ("include", "exclude")
            for pattern in getattr(self, option) or ()
            if not any(fnmatchcase(name, pattern) for name in names)
        ]


def _check_patterns(name: str, value: object) -> None:
    if value is None:
        return
    words = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    if not words or not all(isinstance(pattern, str) and pattern for pattern in value):  # type: ignore[attr-defined]
        raise ConfigError(
            f"option 'resource.{name}' must be a list of attribute names or patterns such as 'process.*', "
            f"not {value!r}",
            option="resource",
        )


def _refuse_misspelt(given: Mapping[Any, Any]) -> None:
    """A misspelt ``include`` would become an attribute, and nothing would be left out."""
    for name in given:
        if "." not in str(name) and (near := get_close_matches(str(name), _NAMES, 1, 0.8)):
            raise ConfigError(
                f"unknown option {name!r} of 'resource'; did you mean {near[0]!r}?", option="resource"
            )
