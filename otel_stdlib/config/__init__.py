"""Configurations: read, checked, and turned into what the pipeline is made from."""

from otel_stdlib.config.dictconfig import check_dict_config, load_dict_config
from otel_stdlib.config.document import Document, parse_yaml, read_yaml
from otel_stdlib.config.errors import ConfigFileError, Place, Problem
from otel_stdlib.config.registry import register_backend
from otel_stdlib.config.translate import BackendSpec, LoggerSettings, load_settings
from otel_stdlib.facts.secrets import mask

__all__ = [
    "BackendSpec",
    "ConfigFileError",
    "Document",
    "LoggerSettings",
    "Place",
    "Problem",
    "check_dict_config",
    "load_dict_config",
    "load_settings",
    "mask",
    "parse_yaml",
    "read_yaml",
    "register_backend",
]
