"""Where spools live, and whether that place can be trusted.

A directory is used only when it is ours alone: made 0700, opened without following a link,
owned by this user, closed to others, its parent not writable by everyone, on a local file
system. Otherwise records stay in memory, and the reason is said once.
"""

from __future__ import annotations

import os
import stat
import weakref
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.spool.segment import SAFE_OPEN, Descriptor

__all__ = [
    "LOCAL_FILE_SYSTEMS",
    "advice",
    "choose_root",
    "file_system_of",
    "open_directory",
    "open_root",
    "own_root",
]

#: File systems on which a shared mapping and ``flock`` are known to keep their promises on one kernel.
LOCAL_FILE_SYSTEMS = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "zfs",
        "f2fs",
        "tmpfs",
        "ramfs",
        "overlay",
        "bcachefs",
        "jfs",
        "reiserfs",
        "nilfs2",
        "apfs",
        "hfs",
        "ufs",
    ]
)
#: The folders that this process has open, by process id and path: a process that reconfigures its
#: logging again and again opens and checks each of them once.
_opened: weakref.WeakValueDictionary[tuple[int, Path], Descriptor] = weakref.WeakValueDictionary()
#: Whose process this is before it gives up its privileges.
_STARTED_AS = os.geteuid() if hasattr(os, "geteuid") else -1
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | SAFE_OPEN


def choose_root(
    directory: str | os.PathLike[str] | None, service: str, environ: Mapping[str, str] = os.environ
) -> Path:
    """The folder that holds this service's spools.

    Raises:
        SpoolUnavailable: nothing names an absolute folder.
    """
    if directory is not None:
        return Path(os.path.abspath(os.fspath(directory)))
    explicit = environ.get("OTEL_STDLIB_SPOOL_DIR")
    if explicit:
        return Path(os.path.abspath(explicit))
    # systemd's StateDirectory=: it makes the folders, gives them to the service's user, and lists them.
    base = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if not os.path.isabs(base):
        base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        # A uid without a passwd entry and without HOME has no home: ``expanduser`` would answer "~".
        home = environ.get("HOME") or (environ.get("USERPROFILE", "") if os.name == "nt" else "")
        if not os.path.isabs(home):
            raise SpoolUnavailable(
                "no folder for the spool: neither 'directory', OTEL_STDLIB_SPOOL_DIR, STATE_DIRECTORY, "
                "XDG_STATE_HOME nor HOME names an absolute path"
            )
        base = os.path.join(home, ".local", "state")
    return Path(base, "otel-stdlib", _file_name(service))


def _has_changed_user() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() not in (0, _STARTED_AS)


def advice() -> str:
    """What to do where the folder is refused because the process gave up its privileges; "" where it did not."""
    if not _has_changed_user():
        return ""
    return (
        f"; this process gave up its privileges: name a folder that uid {os.geteuid()} owns (spool option "
        "'directory', or OTEL_STDLIB_SPOOL_DIR)"
    )


def own_root(path: Path, service: str) -> Path | None:
    """Where a process keeps its spool that gave up its privileges, and with them ``path``; None: nowhere.

    Beside ``path`` under the user's number, else in the state folder of the user's home.
    """
    if not _has_changed_user():
        return None
    import pwd

    places = [path.with_name(f"{path.name}-{os.geteuid()}")]
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = ""
    if os.path.isabs(home):
        places.append(Path(home, ".local", "state", "otel-stdlib", _file_name(service)))
    for place in places:
        try:
            open_root(place)
        except SpoolUnavailable:
            continue
        return place
    return None


def _file_name(service: str) -> str:
    kept = "".join(c if c.isalnum() or c in "._-" else "_" for c in service)[:80]
    return kept.lstrip(".") or "service"


def open_root(path: Path) -> Descriptor:
    """Make and open the folder for spools. Any thread.

    A folder that this process has open still is looked at, not opened: it must be the same one, and
    as closed to others as it was. That spares the log call that needs it most of its system calls.

    Raises:
        SpoolUnavailable: it cannot be made, or must not be trusted.
    """
    key = (os.getpid(), path)
    known = _opened.get(key)
    if known is not None and _is_as_it_was(path, known):
        return known
    _opened[key] = descriptor = _open_root(path)
    return descriptor


def _is_as_it_was(path: Path, known: Descriptor) -> bool:
    try:
        found = os.lstat(path)
        if not os.path.samestat(found, os.fstat(known.fd)) or _is_common(path.parent):
            return False
        _check_closed(path, found)
    except (OSError, SpoolUnavailable):
        return False  # opening it tells what is wrong
    return True


def _is_common(folder: Path) -> bool:
    return os.name == "posix" and bool(os.stat(folder).st_mode & stat.S_IWOTH)


def _open_root(path: Path) -> Descriptor:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_common(path.parent):
            raise SpoolUnavailable(
                f"{path.parent} is writable by everyone; name another folder (option 'directory', or "
                "OTEL_STDLIB_SPOOL_DIR)"
            )
        path.mkdir(mode=0o700, exist_ok=True)
        descriptor = open_directory(path)
        descriptor.reopen = partial(os.open, path, _DIRECTORY)
    except OSError as error:
        raise SpoolUnavailable(f"{path}: {error.strerror or error}") from error
    kind = file_system_of(os.path.realpath(path))
    if kind is not None and kind not in LOCAL_FILE_SYSTEMS:
        raise SpoolUnavailable(f"{path} is on a {kind} file system, which is not known to be local")
    return descriptor


def open_directory(path: str | Path, dir_fd: int | None = None) -> Descriptor:
    """Open a folder that only this user can enter.

    Raises:
        SpoolUnavailable: it is somebody else's or open to others.
        OSError: it cannot be opened, or is a link.
    """
    descriptor = Descriptor(os.open(path, _DIRECTORY, dir_fd=dir_fd))
    _check_closed(path, os.fstat(descriptor.fd))
    return descriptor


def _check_closed(path: str | Path, facts: os.stat_result) -> None:
    if hasattr(os, "geteuid"):
        if facts.st_uid != os.geteuid():
            raise SpoolUnavailable(f"{path} belongs to uid {facts.st_uid}")
        if facts.st_mode & 0o077:
            raise SpoolUnavailable(f"{path} is open to others (mode {stat.S_IMODE(facts.st_mode):04o})")


def file_system_of(path: str, mountinfo: str | None = None) -> str | None:
    """The type of the file system that holds an absolute real path; None where the system does not say."""
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return None
    best = -1
    kind = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = fields[4]
        for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
            point = point.replace(code, character)
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later line is the visible one.
        if inside and len(point) >= best:
            best = len(point)
            kind = right.split(" ")[0]
    return kind
