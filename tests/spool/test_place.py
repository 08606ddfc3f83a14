"""Where spools may live, and where not."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.spool.place import choose_root, file_system_of, open_directory, open_root

MOUNTS = """\
22 1 253:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /srv rw - nfs4 server:/export rw
31 22 0:41 / /srv/local\\040disk rw - xfs /dev/sdb rw
32 22 0:42 / /mnt rw - ext4 /dev/sdc rw
33 22 0:43 / /mnt rw - fuse.sshfs host: rw
"""


class TestChoose:
    def test_order(self) -> None:
        """Option, then variable, then state folder, then home."""
        environ = {
            "OTEL_STDLIB_SPOOL_DIR": "/a",
            "STATE_DIRECTORY": "/var/lib/shop:/var/lib/other",
            "XDG_STATE_HOME": "/b",
            "HOME": "/c",
        }
        assert choose_root("/o", "svc", environ) == Path("/o")
        assert choose_root(None, "svc", environ) == Path("/a")
        del environ["OTEL_STDLIB_SPOOL_DIR"]
        assert choose_root(None, "svc", environ) == Path("/var/lib/shop/otel-stdlib/svc")
        environ["STATE_DIRECTORY"] = "relative"
        assert choose_root(None, "svc", environ) == Path("/b/otel-stdlib/svc")
        del environ["XDG_STATE_HOME"]
        assert choose_root(None, "svc", environ) == Path("/c/.local/state/otel-stdlib/svc")

    @pytest.mark.parametrize("environ", [{}, {"HOME": "~"}, {"HOME": "", "XDG_STATE_HOME": "rel/ative"}])
    def test_never_a_relative_path(self, environ: dict[str, str]) -> None:
        """Without an absolute folder there is none."""
        with pytest.raises(SpoolUnavailable, match="absolute"):
            choose_root(None, "svc", environ)

    def test_service_names_become_one_path_component(self) -> None:
        """A service name cannot leave the folder."""
        root = choose_root(None, "../../etc/päss wd", {"XDG_STATE_HOME": "/b"})
        assert root.parent == Path("/b/otel-stdlib")
        assert root.name == "_.._etc_päss_wd"


class TestOpenRoot:
    def test_is_made_for_this_user_alone(self, tmp_path: Path) -> None:
        """Folders are made 0700."""
        open_root(tmp_path / "a" / "b")
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700

    def test_open_bits_are_refused(self, tmp_path: Path) -> None:
        """A folder that others may enter is not used."""
        (tmp_path / "open").mkdir(mode=0o700)
        (tmp_path / "open").chmod(0o750)
        with pytest.raises(SpoolUnavailable, match="open to others"):
            open_root(tmp_path / "open")

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        """Somebody else may have put the link there."""
        (tmp_path / "real").mkdir(mode=0o700)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with pytest.raises(SpoolUnavailable):
            open_root(tmp_path / "link")

    def test_a_parent_that_everyone_writes_is_refused(self, tmp_path: Path) -> None:
        """There anybody could have made the folder first."""
        (tmp_path / "common").mkdir()
        (tmp_path / "common").chmod(0o1777)
        with pytest.raises(SpoolUnavailable, match="writable by everyone"):
            open_root(tmp_path / "common" / "spools")

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        """A file where the folder should be is said, not overwritten."""
        (tmp_path / "file").write_text("mine")
        with pytest.raises(SpoolUnavailable):
            open_root(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a folder away")
    def test_another_owner_is_refused(self, tmp_path: Path) -> None:
        """A folder of another user is not used, even by root."""
        (tmp_path / "theirs").mkdir(mode=0o700)
        os.chown(tmp_path / "theirs", 65534, 65534)
        with pytest.raises(SpoolUnavailable, match="belongs to uid 65534"):
            open_directory(tmp_path / "theirs")

    def test_a_folder_that_is_open_already_is_not_opened_again(self, tmp_path: Path) -> None:
        """It is looked at: the same descriptor serves for as long as somebody has it."""
        first = open_root(tmp_path / "spools")
        assert open_root(tmp_path / "spools") is first
        number = first.fd
        del first
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)

    def test_another_folder_under_the_name_is_opened(self, tmp_path: Path) -> None:
        """Deleted and made again, or moved away, it is another one."""
        first = open_root(tmp_path / "spools")
        (tmp_path / "spools").rename(tmp_path / "away")
        second = open_root(tmp_path / "spools")
        assert os.path.samestat(os.fstat(second.fd), (tmp_path / "spools").stat())
        assert not os.path.samestat(os.fstat(second.fd), os.fstat(first.fd))

    @pytest.mark.skipif(os.name != "posix", reason="permission bits")
    def test_a_folder_that_was_opened_to_others_is_refused(self, tmp_path: Path) -> None:
        """What was trusted once is looked at each time, its parent too."""
        kept = open_root(tmp_path / "a" / "spools")
        (tmp_path / "a" / "spools").chmod(0o750)
        with pytest.raises(SpoolUnavailable, match="open to others"):
            open_root(tmp_path / "a" / "spools")
        (tmp_path / "a" / "spools").chmod(0o700)
        assert open_root(tmp_path / "a" / "spools").fd >= 0
        (tmp_path / "a").chmod(0o777)
        with pytest.raises(SpoolUnavailable, match="writable by everyone"):
            open_root(tmp_path / "a" / "spools")
        assert kept.fd >= 0

    def test_no_permission_is_said(self, tmp_path: Path) -> None:
        """Where nothing can be made, the reason is the system's."""
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from otel_stdlib.spool.place import open_root\n"
            "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "try: open_root(Path('/proc/nowhere/spools'))\n"
            "except Exception as e: print(type(e).__name__)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "SpoolUnavailable"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x", "ext4"),
        ("/srv/x", "nfs4"),
        ("/srv", "nfs4"),
        ("/srvx", "ext4"),
        ("/srv/local disk/x", "xfs"),
        ("/mnt/x", "fuse.sshfs"),
    ],
)
def test_file_system_of(path: str, kind: str) -> None:
    """The longest mount point counts, the later of two on one point, and escapes are undone."""
    assert file_system_of(path, MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on NFS is not used."""
    monkeypatch.setattr("otel_stdlib.spool.place.file_system_of", lambda _: "nfs4")
    with pytest.raises(SpoolUnavailable, match="nfs4"):
        open_root(tmp_path / "spools")
