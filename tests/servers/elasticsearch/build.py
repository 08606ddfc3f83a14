"""Lays published jars out as Elasticsearch's home folder: `lib/` and `modules/NAME/`.

A plugin's class must come from its own module folder's loader, and one jar twice on a path is refused, so the
jars are sorted. Each module gets a descriptor of ours, because the jars' own ask for the Java module path.
The jars are under their makers' licences: fetched for tests, never shipped.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import re
import shutil
import zipfile
from pathlib import Path

from tests.servers.cache import built, fingerprint
from tests.servers.java import compile_jar, fetch_jars, find_java

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JAVA = 21

MODULES = {
    "transport-netty4": ("org.elasticsearch.transport.netty4.Netty4Plugin", None),
    "x-pack-core": ("org.elasticsearch.xpack.core.XPackPlugin", None),
    "x-pack-security": ("org.elasticsearch.xpack.security.Security", "x-pack-core"),
    "missing-parts": ("testing.MissingParts", None),
}
#: Which module's folder a jar belongs to, by the start of its name; the others go to lib/.
FOLDERS = {
    "transport-netty4-": ("transport-netty4", "x-pack-security"),
    "netty-": ("transport-netty4", "x-pack-security"),
    "x-pack-security-": ("x-pack-security",),
    "x-pack-core-": ("x-pack-core",),
    "http": ("x-pack-core",),
    "commons-": ("x-pack-core",),
    "unboundid-": ("x-pack-core",),
    "ecj-": (),
}
SERVICE = "META-INF/services/org.elasticsearch.features.FeatureSpecification"


def version() -> str:
    """The Elasticsearch version that the pom asks for."""
    found = re.search(r"<es\.version>(.+?)</es\.version>", POM.read_text())
    assert found is not None
    return found.group(1)


def build_elasticsearch() -> Path:
    """The home folder, built (about 15 s, most of it fetching) if this recipe's is not in the cache."""
    sources = [path for path in HERE.rglob("*") if path.suffix in {".java", ".xml"}]
    return built("elasticsearch", fingerprint([*sources, Path(__file__)]), _build)


def _build(home: Path) -> None:
    java = find_java(JAVA)
    jars = home / "jars"
    fetch_jars(POM, jars)
    (home / "lib").mkdir()
    for name in MODULES:
        (home / "modules" / name).mkdir(parents=True)
        _describe(home / "modules" / name / "plugin-descriptor.properties", name)
    _compile(java, jars, home)
    for jar in jars.glob("*.jar"):
        for folder in _folders(jar.name):
            os.link(jar, home / folder / jar.name)
    shutil.rmtree(jars)
    _link_zstd(home)


def _folders(jar: str) -> list[str]:
    for start, modules in FOLDERS.items():
        if jar.startswith(start):
            return [f"modules/{module}" for module in modules]
    return ["lib"]


def _describe(path: Path, name: str) -> None:
    plugin_class, extended = MODULES[name]
    lines = [f"name={name}", f"description={name}", f"classname={plugin_class}", f"java.version={JAVA}"]
    lines += [f"version={version()}", f"elasticsearch.version={version()}"]
    lines += [f"extended.plugins={extended}"] if extended else []
    path.write_text("\n".join(lines) + "\n")


def _compile(java: Path, jars: Path, home: Path) -> None:
    ecj = next(jars.glob("ecj-*.jar"))
    source = HERE / "java"
    compile_jar(java, ecj, jars, [source / "TestNode.java"], home / "lib" / "test-node.jar")
    stubs = list((source / "stubs").rglob("*.java"))
    compile_jar(java, ecj, jars, stubs, home / "modules" / "x-pack-security" / "stubs.jar")
    parts = home / "modules" / "missing-parts" / "missing-parts.jar"
    compile_jar(java, ecj, jars, list((source / "testing").glob("*.java")), parts)
    with zipfile.ZipFile(parts, "a") as archive:
        archive.writestr(SERVICE, "testing.MissingParts$Features\n")


def _link_zstd(home: Path) -> None:
    """The system's libzstd, for `best_compression` and `logsdb` indices, which fail without it."""
    name = ctypes.util.find_library("zstd")
    arch = {"x86_64": "linux-x64", "aarch64": "linux-aarch64"}.get(platform.machine())
    if name is None or arch is None:
        return
    for folder in ("/lib", "/usr/lib", "/lib64", "/usr/lib64"):
        for library in sorted(Path(folder).glob(f"**/{name}")):
            platform_dir = home / "lib" / "platform" / arch
            platform_dir.mkdir(parents=True)
            shutil.copyfile(library.resolve(), platform_dir / "libzstd.so")
            return
