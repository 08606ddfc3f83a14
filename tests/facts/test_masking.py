"""Credentials in messages are masked; the words around them stay."""

from __future__ import annotations

import time

import pytest

from otel_stdlib.facts.secrets import mask_secrets


@pytest.mark.parametrize(
    "text",
    [
        "JSONDecodeError: unexpected token: expected ',' or '}' at line 1",
        "syntax error: unexpected token: EOF",
        "invalid token: identifier expected",
        "password: authentication failed for user",
        "password: not given",
        "Password: must be set.",
        "secret: no such file",
        "the secret: cannot be read",
        "API key: missing",
        "api_key: Required",
        "authorization: failed",
        "authorization: denied by policy",
        "tokens: 17, max_tokens=4096, token_count=3",
        "token_type is bearer",
        "if token == 'end' and a::token::b",
        "password_file=/run/secrets/pg is a directory",
        "12 of 15 tests passed: well done",
        'connection to server at "db" (10.0.0.1), port 5432 failed: FATAL: role "me" does not exist',
        "GET https://example.com/users/@me answered 404",
        "see https://example.com/?mail=a@example.com",
        "Bearer authentication is not enabled",
        "Basic authentication required",
        "keyword: value, keyboard: us",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    """Nothing of the message is lost."""
    assert text == mask_secrets(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2", "password=***"),
        ("password = hunter2 host=db", "password = *** host=db"),
        ("password: hunter2", "password: ***"),
        ("password: correct horse", "password: *** horse"),
        ("password='a b' host=db", "password=*** host=db"),
        ("password='it\\'s' host=db", "password=*** host=db"),
        ('{"password": "a\\"b", "user": "me"}', '{"password": ***, "user": "me"}'),
        ("{'token': b'abc', 'n': 1}", "{'token': ***, 'n': 1}"),
        ("password=expected", "password=***"),
        ("'password': 'not'", "'password': ***"),
        ("password=a,b;c)d host=db", "password=*** host=db"),
        ("(user=me, password=abc)", "(user=me, password=***)"),
        ("password=abc,host=db", "password=***,host=db"),
        ("password='cut off", "password=*** off"),
        ("PGPASSWORD=abc psql", "PGPASSWORD=*** psql"),
        ("pwd=abc", "pwd=***"),
        ("?user=me&pass=abc&x=1", "?user=me&pass=***&x=1"),
        ("passphrase: opensesame", "passphrase: ***"),
        ("client_secret=abc", "client_secret=***"),
        ("aws_secret_access_key=abc/def", "aws_secret_access_key=***"),
        ("secret_key: s3", "secret_key: ***"),
        ("private-key: s3", "private-key: ***"),
        ("X-Api-Key: a1b2", "X-Api-Key: ***"),
        ("API key: a1b2c3", "API key: ***"),
        ("X-Auth-Token: a1b2", "X-Auth-Token: ***"),
        ("token: a1b2", "token: ***"),
        ("token=abcdef", "token=***"),
        ("token: abcdefghijklmnopqrstuvwxyz", "token: ***"),
        ("sasl.password=abc", "sasl.password=***"),
        ("Authorization: Basic dXNlcjpw", "Authorization: ***"),
        ("{'authorization': 'Bearer a.b.c'}", "{'authorization': ***}"),
        ("Proxy-Authorization: Digest abc", "Proxy-Authorization: ***"),
        ("sent Bearer abcdef0123456789abcdef", "sent Bearer ***"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is expired", "jwt *** is expired"),
        ("https://me:pa/ss@w@host:9200/x", "https://***@host:9200/x"),
        ("postgresql://me@db/logs", "postgresql://***@db/logs"),
        ("http://host/a and redis://:abc@db:1/0", "http://host/a and redis://***@db:1/0"),
    ],
)
def test_a_credential_is_masked(text: str, masked: str) -> None:
    """All of it, and no more."""
    assert masked == mask_secrets(text)


@pytest.mark.parametrize("part", ["a.b-c", "password", "token: ", "://", "eyJa-", "pass = "])
def test_a_long_message_takes_no_time_to_speak_of(part: str) -> None:
    """Each pattern looks at a character a bounded number of times."""
    once = _processor_time(part * 1_000)
    assert _processor_time(part * 10_000) < 40 * max(once, 0.01)


def _processor_time(text: str) -> float:
    begin = time.process_time()
    mask_secrets(text)
    return time.process_time() - begin
