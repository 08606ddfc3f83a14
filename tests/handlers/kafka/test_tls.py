"""A broker that speaks TLS, and certificates that are renewed while we run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.handlers.kafka.helpers import stored_uids
from tests.handlers.kafka.test_outage import handling
from tests.servers.kafka import KafkaBroker
from tests.servers.tls import Authority, RenewedAuthority


@pytest.mark.long
@pytest.mark.parametrize("transactional", [False, True])
def test_a_renewed_authority_is_read_again(
    kafka_node: Callable[..., KafkaBroker],
    renewed_authority: RenewedAuthority,
    tmp_path: Path,
    transactional: bool,
) -> None:
    """The broker's certificate and the mounted file of authorities change; every record arrives once."""
    broker = kafka_node(authority=renewed_authority.first)
    broker.create_topic("renewed")
    client = {"security.protocol": "ssl", "ssl.ca.location": str(renewed_authority.trusted)}
    options = {"client": client, "transactional": transactional, "timeout": 5.0}
    with handling(broker.tls_bootstrap, "renewed", tmp_path, **options) as (handler, logger):
        logger.info("before")
        assert handler.flush(60)
        renewed_authority.renew(broker)
        logger.info("after")
        assert handler.flush(90)
    found = stored_uids(broker, "renewed")
    assert 2 == len(found)
    assert {1} == set(Counter(found).values())


@pytest.mark.long
def test_an_unknown_authority_lets_records_wait(
    kafka_node: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    """The reason is in the report, and trusting the authority is all that it takes."""
    (tmp_path / "known").mkdir()
    (tmp_path / "other").mkdir()
    known, other = Authority(tmp_path / "known"), Authority(tmp_path / "other")
    mounted = tmp_path / "ca.pem"
    shutil.copy(other.ca, mounted)
    broker = kafka_node(authority=known)
    broker.create_topic("unknown")
    client = {"security.protocol": "ssl", "ssl.ca.location": str(mounted)}
    with handling(broker.tls_bootstrap, "unknown", tmp_path, client=client, timeout=5.0) as (handler, logger):
        logger.info("waits")
        assert not handler.flush(8)
        (report,) = handler.health()["destinations"].values()
        assert "SSL" in report["last_error"]
        shutil.copy(known.ca, mounted)
        assert handler.flush(90)
    assert 1 == len(stored_uids(broker, "unknown"))
