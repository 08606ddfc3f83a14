"""Builds the compiled path where there is a C compiler; elsewhere the wheel is pure Python.

setuptools compiles, as it knows every compiler that Python is built with. Nothing here can fail the build.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOM = "otel_stdlib/_native"
_MODULE = "otel_stdlib._native._core"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the extension module into a wheel, or beside its sources for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the files of a wheel."""
        if os.environ.get("OTEL_STDLIB_NO_NATIVE", "0") not in ("", "0"):
            return
        # The C code leans on the GIL and on CPython's own objects.
        if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return
        # Kept until hatchling has packed what lies there.
        self._work = tempfile.TemporaryDirectory(prefix="otel-stdlib-build-")
        try:
            built = _compile(Path(self.root), Path(self._work.name))
        except (Exception, SystemExit) as error:
            self.app.display_warning(f"otel_stdlib is built without its compiled path: {error}")
            return
        if version == "editable":
            target = Path(self.root, _ROOM, built.name)
            target.unlink(missing_ok=True)  # a process may have the old one mapped
            target.write_bytes(built.read_bytes())
        else:
            build_data["force_include"][str(built)] = f"{_ROOM}/{built.name}"
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when it is done."""
        work = getattr(self, "_work", None)
        if work is not None:
            work.cleanup()


def _compile(root: Path, work: Path) -> Path:
    """The extension module, built in ``work``."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    flags = (
        ["/O2"]
        if sys.platform == "win32"
        else ["-O2", "-std=c11", "-ffp-contract=off", "-fvisibility=hidden"]
    )
    flags += os.environ.get("OTEL_STDLIB_CFLAGS", "").split()
    extension = Extension(
        _MODULE,
        sorted(str(path) for path in Path(root, _ROOM).glob("*.c")),
        depends=[str(path) for path in Path(root, _ROOM).glob("*.h")],
        extra_compile_args=flags,
        extra_link_args=os.environ.get("OTEL_STDLIB_LDFLAGS", "").split(),
    )
    command = build_ext(Distribution({"name": "otel_stdlib", "ext_modules": [extension]}))
    command.build_temp, command.build_lib = str(work / "temp"), str(work / "lib")
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(_MODULE))
