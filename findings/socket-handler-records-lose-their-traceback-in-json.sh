#!/usr/bin/env bash
# ecs-logging 2.3.0 and JSON-log-formatter 1.2.1 behind logging.handlers.SocketHandler, as in the logging cookbook.
#
# Seen: SocketHandler cannot pickle a traceback; it renders it to `exc_text` and sends the record with `exc_info` None.
# At the receiver both formatters read `exc_info` alone: the line has neither type nor message nor stack of the exception,
# and nothing says so. logging.Formatter and python-json-logger 4.2.0 write `exc_text`. The same record formatted in the
# process that logged it has everything.
# Source: ecs_logging/_stdlib.py, _record_error_*; logging/handlers.py, SocketHandler.makePickle.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/receive.py" <<'PY'
import logging
import logging.handlers
import pickle

import ecs_logging
import json_log_formatter
from pythonjsonlogger.json import JsonFormatter


class Wire(logging.handlers.SocketHandler):
    """Keeps what it would send."""

    def send(self, data):
        self.sent = data


class Here(logging.Handler):
    """Keeps the record itself."""

    def emit(self, record):
        self.record = record


here, wire = Here(), Wire("127.0.0.1", 9020)
logger = logging.getLogger("app")
logger.handlers = [here, wire]
try:
    {}["order"]
except KeyError:
    logger.exception("payment failed")
received = logging.makeLogRecord(pickle.loads(wire.sent[4:]))
for name, formatter in {
    "logging.Formatter": logging.Formatter(),
    "python-json-logger": JsonFormatter(),
    "ecs-logging": ecs_logging.StdlibFormatter(),
    "JSON-log-formatter": json_log_formatter.JSONFormatter(),
}.items():
    found = ["KeyError" in formatter.format(record) for record in (received, here.record)]
    print(f"{name}: received {found[0]}, in the process that logged {found[1]}")
PY
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
    ecs-logging==2.3.0 JSON-log-formatter==1.2.1 python-json-logger==4.2.0
seen=$("$work/venv/bin/python" "$work/receive.py")
echo "whether the line has the exception:"
echo "$seen"
expected="logging.Formatter: received True, in the process that logged True
python-json-logger: received True, in the process that logged True
ecs-logging: received False, in the process that logged True
JSON-log-formatter: received False, in the process that logged True"
[[ $seen == "$expected" ]]
