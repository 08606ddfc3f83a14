"""Configuring the children of ``multiprocessing`` as their parent is configured."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from otel_stdlib.config.dictconfig import last_source, load_dict_config
from otel_stdlib.facade.configure import configure_logger, facade_source
from otel_stdlib.facts.errors import ConfigError

__all__ = ["multiprocessing_initializer"]


def multiprocessing_initializer(
    source: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Callable[[], None]:
    """Return a function that configures logging in a child process.

    A child started by ``spawn`` or ``forkserver`` (the default from Python 3.14 on) begins with an empty logging
    configuration: it drops INFO records and prints warnings to stderr. Pass this function to the pool::

        with ProcessPoolExecutor(initializer=otel_stdlib.multiprocessing_initializer()) as pool:
            ...

    A child that has this configuration already, because it was forked or has loaded it itself, stays as it is.

    Args:
        source: a YAML file or a mapping for ``load_dict_config``. By default the child gets what this process
            passed to ``load_dict_config`` or ``configure_logger``.
        environ: where the child looks variables up instead of ``os.environ``.

    Raises:
        ConfigError: no configuration is known or given, or it cannot be sent to another process.
    """
    initialize: Callable[[], None]
    if source is not None:
        place = source if isinstance(source, Mapping) else os.path.abspath(source)
        initialize = partial(_load, place, environ)
    elif (known := last_source()) is not None:
        initialize = partial(_load, *known)
    elif (settings := facade_source()) is not None:
        initialize = partial(_configure, *settings)
    else:
        raise ConfigError(
            "there is no configuration to hand on: call load_dict_config() or configure_logger() first, "
            "or pass the file or mapping to multiprocessing_initializer()"
        )
    try:
        pickle.dumps(initialize)
    except Exception as error:
        raise ConfigError(
            f"the configuration cannot be sent to another process ({type(error).__name__}: {error}): "
            f"pass a file, or a mapping without live objects, to multiprocessing_initializer()"
        ) from error
    return initialize


def _load(source: Any, environ: Mapping[str, str] | None) -> None:
    if last_source() != (source, environ):
        load_dict_config(source, environ=environ)


def _configure(path: str | None, overrides: Mapping[str, Any], strict: bool) -> None:
    configure_logger(path, strict=strict, **overrides)
