"""Log through an installed otel_stdlib, in a folder that holds nothing of the project."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import stat
import subprocess
import sys
from pathlib import Path

import otel_stdlib
from otel_stdlib._native import core, missing

here = Path.cwd()
assert not Path(otel_stdlib.__file__).is_relative_to(here), otel_stdlib.__file__
assert (Path(otel_stdlib.__file__).parent / "py.typed").is_file()

CONFIG = {
    "version": 1,
    "handlers": {
        "file": {"class": "otel_stdlib.handlers.JSONLFileHandler", "filename": str(here / "out.jsonl")},
        "queue": {
            "()": "otel_stdlib.OTelQueueHandler",
            "handlers": ["file"],
            "spool": {"directory": str(here / "state" / "spool")},
        },
    },
    "root": {"level": "INFO", "handlers": ["queue"]},
}

flavour = "compiled" if core is not None else "pure"
wanted = next((each for each in ("compiled", "pure") if each in sys.argv), flavour)
assert flavour == wanted, f"{wanted} is expected, but it is {flavour}: {missing}"

if "child" in sys.argv:
    logging.config.dictConfig(CONFIG)
    logging.getLogger("smoke").info("hello %s", "wheel", extra={"answer": 42})
    sys.exit()

subprocess.run([sys.executable, "-W", "error", __file__, "child"], check=True)
(line,) = (here / "out.jsonl").read_text(encoding="utf-8").splitlines()
record = json.loads(line)
assert record["body"] == "hello wheel", record
assert record["attributes"]["answer"] == 42, record
assert stat.S_IMODE(os.stat(here / "out.jsonl").st_mode) == 0o600
assert not os.listdir(here / "state" / "spool"), "the spool was not emptied at exit"
print(f"the installed wheel works ({flavour}):", otel_stdlib.__file__)
