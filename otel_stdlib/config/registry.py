"""The back ends that a configuration may name, and how the name leads to a class.

In this order: those of this package, those registered with ``register_backend``, those that
installed packages offer under the entry point group ``otel_stdlib.backends``, and dotted paths
(``package.module.Class`` or ``package.module:Class``).
"""

from __future__ import annotations

import importlib
import inspect
from importlib import metadata
from typing import Any, NamedTuple

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import nearest

__all__ = [
    "BUILT_IN",
    "GROUP",
    "BuiltIn",
    "backend_names",
    "built_in_name",
    "find_backend",
    "import_path",
    "register_backend",
]

GROUP = "otel_stdlib.backends"


class BuiltIn(NamedTuple):
    """A back end of this package: its room under ``handlers``. The classes are imported when they are asked for."""

    package: str
    class_name: str
    options_name: str
    #: Other names for it.
    aliases: tuple[str, ...] = ()

    @property
    def public(self) -> str:
        """The handler as configurations name it."""
        return f"otel_stdlib.handlers.{self.class_name}"

    @property
    def handler(self) -> str:
        """Where the handler is."""
        return f"otel_stdlib.handlers.{self.package}.handler.{self.class_name}"

    @property
    def options(self) -> str:
        """Where the dataclass of its options is."""
        return f"otel_stdlib.handlers.{self.package}.options.{self.options_name}"


BUILT_IN = {
    "filesystem": BuiltIn("jsonl", "JSONLFileHandler", "JSONLOptions", ("file", "jsonl")),
    "elasticsearch": BuiltIn("elasticsearch", "ElasticsearchHandler", "ElasticsearchOptions"),
    "postgres": BuiltIn("postgres", "PostgresHandler", "PostgresOptions", ("postgresql",)),
    "kafka": BuiltIn("kafka", "KafkaHandler", "KafkaOptions"),
    "otlp": BuiltIn("otlp", "OTLPHandler", "OTLPOptions"),
}
_ALIASES = {alias: name for name, entry in BUILT_IN.items() for alias in (name, *entry.aliases)}

_registered: dict[str, type[Any]] = {}


def register_backend(name: object, backend: object) -> None:
    """Let configurations name ``backend`` as ``backend_type: name``. A later call replaces an earlier one.

    Args:
        name: text without a dot or colon; not the name of a back end of this package.
        backend: a class with the methods of ``LogBackendInterface`` or ``BatchBackendInterface``,
            or a ``logging.Handler``.

    Raises:
        ConfigError: the name is taken or none, or ``backend`` is no class.
    """
    if not isinstance(name, str) or not name or set(name) & {".", ":"}:
        raise ConfigError(
            f"a back end's name must be text without '.' and ':', not {name!r}", option="backend_type"
        )
    if name in _ALIASES:
        raise ConfigError(f"the back end {name!r} is one of otel_stdlib's own", option="backend_type")
    if not inspect.isclass(backend):
        raise ConfigError(f"the back end {name!r} must be a class, not {backend!r}", option="backend_type")
    _registered[str(name)] = backend


def backend_names() -> list[str]:
    """Every name that a configuration may use, dotted paths apart."""
    return sorted({*_ALIASES, *_registered, *(point.name for point in metadata.entry_points(group=GROUP))})


def built_in_name(name: str) -> str | None:
    """The first name of a back end of this package; None for others."""
    return _ALIASES.get(name)


def find_backend(name: str) -> type[Any]:
    """The class that ``backend_type: name`` stands for.

    Raises:
        ConfigError: no such back end, or it cannot be imported.
    """
    own = _ALIASES.get(name)
    if own is not None:
        return _class(import_path(BUILT_IN[own].handler), name)
    if name in _registered:
        return _registered[name]
    for point in metadata.entry_points(group=GROUP):
        if point.name == name:
            try:
                return _class(point.load(), name)
            except Exception as error:
                raise ConfigError(
                    f"the back end {name!r} of {point.value} cannot be loaded: {type(error).__name__}: {error}",
                    option="backend_type",
                ) from error
    if "." in name or ":" in name:
        return _class(import_path(name), name)
    raise ConfigError(f"there is no back end {name!r}{nearest(name, backend_names())}", option="backend_type")


def _class(found: Any, name: str) -> type[Any]:
    if not inspect.isclass(found):
        raise ConfigError(
            f"the back end {name!r} is no class but {type(found).__name__}", option="backend_type"
        )
    return found


def import_path(path: str) -> Any:
    """What ``package.module.name`` or ``package.module:name`` leads to.

    Raises:
        ConfigError: a part of it is not there, or importing it fails.
    """
    module_name, separator, rest = path.partition(":")
    names = rest.split(".") if separator else []
    while True:
        try:
            found: Any = importlib.import_module(module_name)
            break
        except ImportError as error:
            # "a.b.C" may be a class in "a.b", but a module that fails inside is not "not there".
            missing = isinstance(error, ModuleNotFoundError) and _is_parent(error.name, module_name)
            parent, dot, last = module_name.rpartition(".")
            if not missing or not dot or separator:
                raise ConfigError(f"cannot import {path!r}: {error}") from error
            module_name, names = parent, [last, *names]
        except Exception as error:
            raise ConfigError(f"importing {path!r} failed: {type(error).__name__}: {error}") from error
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            near = nearest(name, [n for n in dir(found) if not n.startswith("_")], listed=False)
            owner = getattr(found, "__name__", module_name)
            raise ConfigError(f"cannot import {path!r}: {owner!r} has no {name!r}{near}") from None
    return found


def _is_parent(missing: str | None, name: str) -> bool:
    return missing is not None and (name == missing or name.startswith(f"{missing}."))
