#!/usr/bin/env bash
# litestar 2.25.0 with and without picologging 0.9.3.
#
# Seen: LoggingConfig() without `logging_module` configures picologging as soon as that package is installed, for whatever
# reason. The same configuration then applies to picologging's loggers alone: what the application logs with
# logging.getLogger(__name__).info() goes nowhere, while Litestar's own logger writes to the configured file. Nothing is said.
# Source: litestar.logging.config.LoggingConfig.__post_init__; the option is LoggingConfig(logging_module="logging").
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/app.py" <<'PY'
import logging
import sys

from litestar.logging.config import LoggingConfig

out, *module = sys.argv[1:]
options = {"logging_module": module[0]} if module else {}
handlers = {"file": {"class": "logging.FileHandler", "filename": out}}
get_logger = LoggingConfig(handlers=handlers, root={"level": "INFO", "handlers": ["file"]}, **options).configure()
logging.getLogger("app").info("logging.getLogger")
get_logger("app").info("Litestar's logger")
logging.shutdown()
with open(out, encoding="utf-8") as file:
    print(", ".join(file.read().splitlines()))
PY
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check litestar==2.25.0
without=$("$work/venv/bin/python" "$work/app.py" "$work/1.log")
"$work/venv/bin/pip" install -q --disable-pip-version-check picologging==0.9.3
installed=$("$work/venv/bin/python" "$work/app.py" "$work/2.log")
chosen=$("$work/venv/bin/python" "$work/app.py" "$work/3.log" logging)
echo "without picologging                   : in the file: $without"
echo "picologging installed                 : in the file: $installed"
echo "installed, and logging_module=\"logging\": in the file: $chosen"
both="logging.getLogger, Litestar's logger"
[[ $without == "$both" && $installed == "Litestar's logger" && $chosen == "$both" ]]
