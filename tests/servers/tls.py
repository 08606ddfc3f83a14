"""A throw-away certificate authority for servers on 127.0.0.1 and localhost."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.servers.cache import Unavailable


@dataclass(frozen=True)
class Certificate:
    """A server's (or client's) certificate chain and key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates that clients trust who trust `ca`; one authority may serve many servers."""

    def __init__(self, directory: Path) -> None:
        try:
            import trustme
        except ImportError as error:
            raise Unavailable("TLS needs trustme: pip install trustme") from error
        self._authority = trustme.CA()
        self.directory = directory
        #: The authority's own certificate, for `ca_certs` and its like.
        self.ca = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(
        self, directory: Path, *, name: str = "server", expired: bool = False, owner: str | None = None
    ) -> Certificate:
        """Writes NAME.pem and NAME.key into `directory`, for 127.0.0.1 and localhost; the key is 0600.

        An `expired` certificate ended yesterday. `owner` is the user that the files belong to, when we are root.
        """
        now = dt.datetime.now(dt.timezone.utc)
        end = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=2)
        leaf = self._authority.issue_cert(
            "localhost",
            "127.0.0.1",
            common_name="localhost",
            not_before=now - dt.timedelta(days=2),
            not_after=end,
        )
        made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
        made.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        made.key.touch(0o600)
        made.key.chmod(0o600)
        leaf.private_key_pem.write_to_path(str(made.key))
        if owner is not None:
            for path in (made.certificate, made.key):
                shutil.chown(path, owner)
        return made


class Certified(Protocol):
    """A server that issues its certificate anew at each start."""

    authority: Authority | None

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it."""


class RenewedAuthority:
    """Two authorities, and the file that a client trusts: a copy of the first one's, then of the second one's."""

    def __init__(self, directory: Path) -> None:
        made = []
        for name in ("first", "second"):
            (directory / name).mkdir()
            made.append(Authority(directory / name))
        self.first, self.second = made
        #: For `ca_certs` and its like.
        self.trusted = directory / "trusted.pem"
        shutil.copy(self.first.ca, self.trusted)

    def renew(self, server: Certified) -> None:
        """Restarts a server with a certificate of the second authority, and lets clients trust that."""
        server.stop()
        server.authority = self.second
        shutil.copy(self.second.ca, self.trusted)
        server.start()
