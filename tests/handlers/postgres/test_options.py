from __future__ import annotations

import re
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.postgres import PostgresOptions
from otel_stdlib.handlers.postgres.connect import connect_parameters, identity_of
from otel_stdlib.handlers.postgres.names import TableName, literal, quote, shorten
from otel_stdlib.handlers.postgres.options import parse_retention


def test_the_seeds_options_are_taken() -> None:
    """The names and values of the seed's configuration."""
    options = PostgresOptions.of(
        {
            "host": "localhost",
            "port": 5432,
            "database": "logs",
            "user": "postgres",
            "password": "s3cret",
            "table_name": "otel_logs",
        }
    )
    assert ("postgres", "localhost:5432/logs/otel_logs") == identity_of(options)
    assert "s3cret" not in repr(options)


def test_defaults() -> None:
    """What the documentation says of the defaults."""
    options = PostgresOptions()
    assert (10_000, 8 << 20, 0.2) == (options.batch_records, options.batch_bytes, options.batch_age)
    assert 2_500 == options.policy.enough
    assert (True, "none", "standard", False) == (
        options.create_table,
        options.partition,
        options.indexes,
        options.views,
    )
    assert (10.0, 30.0, 4) == (options.connect_timeout, options.statement_timeout, options.pool_size)
    assert ("postgres", "localhost:5432/logs/otel_logs") == identity_of(options)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"tabel_name": "x"}, "table_name"),
        ({"passwort": "hunter2"}, "password"),
        ({"batch_size": 1}, "batch"),
    ],
)
def test_an_unknown_option_names_the_nearest(given: dict[str, Any], near: str) -> None:
    """The message has the option that was meant, and never the value."""
    with pytest.raises(ConfigError) as caught:
        PostgresOptions.of(given)
    assert next(iter(given)) == caught.value.option
    assert near in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("host", 7),
        ("port", "5432"),
        ("port", 0),
        ("password", 1234),
        ("table_name", ""),
        ("table_name", "a.b.c"),
        ("table_name", "x" * 64),
        ("sslmode", "verify"),
        ("connect_timeout", 0),
        ("statement_timeout", "30s"),
        ("pool_size", 0),
        ("pool_size", True),
        ("batch_records", 0),
        ("batch_age", -1),
        ("create_table", "yes"),
        ("partition", "weekly"),
        ("indexes", "gin"),
        ("synchronous_commit", "maybe"),
        ("retention", "30d"),
        ("retry_delay", -1),
        ("columns", ["user_id"]),
        ("columns", {"user_id": "tinyint"}),
        ("columns", {"body": "text"}),
        ("columns", {"a": {"typ": "text"}}),
        ("dsn", "host=x password=hunter2 no_such_key=1"),
    ],
)
def test_a_wrong_value_is_refused_by_name(option: str, value: Any) -> None:
    """Every check quotes the option that it is about, and no secret."""
    with pytest.raises(ConfigError) as caught:
        identity_of(PostgresOptions.of({option: value}))
    assert option == caught.value.option
    assert repr(option) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(("text", "days"), [("30d", 30), ("8w", 56), (7, 7), (" 1 day ", 1), ("2 weeks", 14)])
def test_retention_is_days(text: Any, days: int) -> None:
    """Days or weeks, as text or as a number of days."""
    assert days == parse_retention(text)


@pytest.mark.parametrize("text", ["", "d", "0d", "1h", "-3d", 1.5, True])
def test_retention_is_nothing_else(text: Any) -> None:
    """Parts of days, nothing and less are refused."""
    with pytest.raises(ConfigError, match="retention"):
        parse_retention(text)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("otel_logs", '"otel_logs"'),
        ("logs.Otel", '"logs"."Otel"'),
        ('a"b', '"a""b"'),
        ('"x.y"."q""z"', '"x.y"."q""z"'),
        ("t; DROP TABLE u", '"t; DROP TABLE u"'),
    ],
)
def test_table_names_are_quoted(text: str, sql: str) -> None:
    """Whatever stands in a name is a name."""
    if text == 'a"b':
        with pytest.raises(ConfigError, match="table_name"):
            TableName.parse(text)
        assert sql == quote(text)
    else:
        assert sql == TableName.parse(text).sql


def test_retention_needs_somebody_who_drops() -> None:
    """With 'create_table' off nothing would ever be dropped, so it is not taken in silence."""
    with pytest.raises(ConfigError, match="create_table"):
        PostgresOptions(partition="daily", retention="30d", create_table=False)


def test_names_stay_within_what_postgresql_keeps() -> None:
    """Long names are cut with a hash, so two tables never share one."""
    first, second = ("t" * 60 + end for end in "ab")
    assert 63 == len(shorten(first, "_offsets")) == len(shorten(second, "_offsets"))
    assert shorten(first, "_offsets") != shorten(second, "_offsets")
    assert shorten(first, "_offsets").endswith("_offsets")
    assert 63 >= len(shorten("ä" * 40, "_default").encode())


def test_constants_are_quoted() -> None:
    """Quotes and backslashes end no constant."""
    assert "'it''s'" == literal("it's")
    assert " E'a\\\\b'" == literal("a\\b")


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("localhost", "prefer"),
        ("127.0.0.1", "prefer"),
        ("::1", "prefer"),
        ("/run/postgresql", "prefer"),
        ("db.example.org", "verify-full"),
        ("localhost,db2", "verify-full"),
    ],
)
def test_tls_is_verified_for_other_machines(host: str, mode: str) -> None:
    """Without a word about TLS, another machine has to prove who it is."""
    found = connect_parameters(PostgresOptions(host=host), {}, 170_000)
    assert mode == found["sslmode"]
    assert ("system" if mode == "verify-full" else None) == found.get("sslrootcert")


def test_what_is_said_about_tls_counts() -> None:
    """The option, the connection string and the environment, in this order."""
    dsn = "host=db sslmode=require"
    assert "disable" == connect_parameters(PostgresOptions(dsn=dsn, sslmode="disable"), {})["sslmode"]
    assert "require" == connect_parameters(PostgresOptions(dsn=dsn), {})["sslmode"]
    assert "sslmode" not in connect_parameters(PostgresOptions(host="db"), {"PGSSLMODE": "require"})


def test_options_win_over_the_connection_string() -> None:
    """A DSN gives what no option gives; a URI is one too."""
    options = PostgresOptions(
        dsn="postgresql://u:p@db:6543/one?application_name=mine", database="two", password="q"
    )
    found = connect_parameters(options, {})
    assert ("db", "6543", "two", "u", "q") == tuple(
        found[name] for name in ("host", "port", "dbname", "user", "password")
    )
    assert "mine" == found["application_name"]
    assert ("postgres", "db:6543/two/otel_logs") == identity_of(options)
    assert "p@db" not in repr(options)


def test_no_startup_parameter_is_sent_that_a_pooler_refuses() -> None:
    """``options`` is what PgBouncer does not take."""
    assert "options" not in connect_parameters(PostgresOptions(), {})


def test_every_option_is_documented() -> None:
    """The table of options names each one and its default."""
    text = (Path(__file__).parents[3] / "docs" / "postgres.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+) \|([^|]*)\|", text, flags=re.MULTILINE)
    documented = {
        name: default.strip().strip("`")
        for names, defaults in rows
        for name, default in zip_longest(
            re.findall(r"`([a-z_]+)`", names), defaults.split(", "), fillvalue=""
        )
    }
    for item in fields(PostgresOptions):
        if not item.init:
            continue
        assert item.name in documented
        default = item.default
        if isinstance(default, bool):
            assert str(default).lower() == documented[item.name]
        elif isinstance(default, (int, float)) and default != 8 << 20:
            assert default == float(documented[item.name])
        elif isinstance(default, str):
            assert default == documented[item.name]
