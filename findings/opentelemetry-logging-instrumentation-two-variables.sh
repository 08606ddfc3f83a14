#!/usr/bin/env bash
# opentelemetry-instrumentation-logging 0.66b2 with opentelemetry-sdk 1.45.2.
#
# Seen: LoggingInstrumentor().instrument(), which opentelemetry-instrument calls, attaches a handler that exports every record
# to the root logger, by default. OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=false, which says "off" for the SDK's
# handler of the same purpose, changes nothing about it. OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION=false turns it off.
# An application that has a handler of its own for OpenTelemetry exports every record twice until someone finds that name.
# Source: opentelemetry.instrumentation.logging.LoggingInstrumentor._instrument.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-instrumentation-logging==0.66b2
handlers() {
    env "$@" "$work/venv/bin/python" - <<'PY'
import logging
from opentelemetry.instrumentation.logging import LoggingInstrumentor
LoggingInstrumentor().instrument()
print(*([type(handler).__module__ for handler in logging.getLogger().handlers] or ["none"]))
PY
}
default=$(handlers A=1)
sdk_off=$(handlers OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=false)
own_off=$(handlers OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION=false)
echo "by default                                           : handlers on the root logger: $default"
echo "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=false: handlers on the root logger: $sdk_off"
echo "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION=false           : handlers on the root logger: $own_off"
[[ $default == opentelemetry.* && $sdk_off == opentelemetry.* && $own_off == none ]]
