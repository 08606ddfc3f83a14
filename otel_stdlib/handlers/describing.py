"""The formatter that a handler encodes with, and what the handler's own options say of the resource."""

from __future__ import annotations

import logging

from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.resource_options import ResourceOptions

__all__ = ["DescribingHandler"]


class DescribingHandler(logging.Handler):
    """A handler with an ``OTelFormatter``: its own, the queue handler's, or a default one."""

    _default_formatter: OTelFormatter | None = None
    #: What this handler's options say of the resource; they win over the formatter's.
    _described = ResourceOptions()
    _describing: tuple[OTelFormatter, OTelFormatter] | None = None

    def record_formatter(self) -> OTelFormatter:
        """The formatter that shapes lines here: its own, the queue handler's, or the default one."""
        formatter = self.formatter
        if not isinstance(formatter, OTelFormatter):
            if self._default_formatter is None:
                self._default_formatter = OTelFormatter()
            formatter = self._default_formatter
        if not self._described:
            return formatter
        if self._describing is None or self._describing[0] is not formatter:
            self._describing = (formatter, formatter.describing(self._described))
        return self._describing[1]

    def service_name(self) -> str:
        """The name of the service, which names the spool's folder."""
        return str(self.record_formatter().resource().attributes.get("service.name", "service"))
