"""Texts and values with what redaction has to make of them, exact in both directions.

The secrets are made up, and put together here so that no scanner of repositories takes them for real ones.
"""

from __future__ import annotations

M = "[REDACTED]"
_BODY = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIEow{_BODY}\n{_BODY}\n-----END RSA PRIVATE KEY-----"

#: One secret by rule of the default value rules that need no key.
SECRETS = {
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + _BODY[:36],
    "gitlab": "glpat-" + _BODY[:20],
    "slack": "xoxb-" + "123456789012-" + _BODY[:24],
    "stripe": "sk_live_" + _BODY[:24],
    "openai": "sk-proj-" + _BODY,
    "anthropic": "sk-ant-api03-" + _BODY,
    "google": "AIza" + _BODY[:35],
    "npm": "npm_" + _BODY[:36],
    "pypi": "pypi-AgEIcHlwaS5vcmc" + _BODY + _BODY,
    "sendgrid": "SG." + _BODY[:22] + "." + (_BODY + _BODY)[:43],
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + _BODY,
    "private_key": PEM,
}

#: A text, what becomes of it, and the rule.
MASKED_TEXTS = [
    ("password=hunter2", f"password={M}", "key_value"),
    ("login password: hunter2, then", f"login password: {M}, then", "key_value"),
    ("PASSWORD = 'two words'", f"PASSWORD = '{M}'", "key_value"),
    ('{"password": "a\\"b", "n": 1}', f'{{"password": "{M}", "n": 1}}', "key_value"),
    (r"{\"apiKey\": \"abc\"}", rf"{{\"apiKey\": \"{M}\"}}", "key_value"),
    ("{'api_key': 'abc'}", f"{{'api_key': '{M}'}}", "key_value"),
    ("api key: abc", f"api key: {M}", "key_value"),
    ("x-api-key: abc", f"x-api-key: {M}", "key_value"),
    ("client_secret=a(b)c d", f"client_secret={M} d", "key_value"),
    ("token => abc1", f"token => {M}", "key_value"),
    ("password=b'xyz'", f"password=b'{M}'", "key_value"),
    ('password: str = "abc"', f'password: str = "{M}"', "key_value"),
    ("Authorization: Bearer abcdefgh", f"Authorization: Bearer {M}", "key_value"),
    ("Authorization: Token abc", f"Authorization: Token {M}", "key_value"),
    ("Cookie: sid=1; theme=dark\nHost: x", f"Cookie: {M}\nHost: x", "key_value"),
    ("Set-Cookie: sid=1; Path=/", f"Set-Cookie: {M}", "key_value"),
    ("db_pass=abc", f"db_pass={M}", "key_value"),
    ("session_id=17", f"session_id={M}", "key_value"),
    ("got Bearer abc123def456 here", f"got Bearer {M} here", "bearer"),
    ("Basic dXNlcjpwYXNz", f"Basic {M}", "bearer"),
    ("postgres://user:p%40ss@db/x", "postgres://REDACTED:REDACTED@db/x", "url"),
    ("redis://:hunter2@cache:6379/0", "redis://REDACTED:REDACTED@cache:6379/0", "url"),
    ("https://u:a@b@host/", "https://REDACTED:REDACTED@host/", "url"),
    ("GET /file?sig=abc%2F&x=1", "GET /file?sig=REDACTED&x=1", "url"),
    (
        "https://s3/x?X-Amz-Signature=ab12&X-Amz-Date=1",
        "https://s3/x?X-Amz-Signature=REDACTED&X-Amz-Date=1",
        "url",
    ),
    ("https://x/?a=1&access_token=abc#top", "https://x/?a=1&access_token=REDACTED#top", "url"),
    ("jwt:" + SECRETS["jwt"] + ".", f"jwt:{M}", "jwt"),
    *((f"before {secret} after", f"before {M} after", rule) for rule, secret in SECRETS.items()),
]

#: Left exactly as they are. Most were masked by other products, whose users reported it.
CLEAN_TEXTS = [
    "author=joe, auth_types=basic, authors: two",
    "browserSessionId=5e9f8a session_count=3 max_tokens=100 input_tokens=7",
    "id 1234567812345670 of the batch",
    "123e4567-e89b-12d3-a456-426614174000 9f1c2d3e-1234-4567-8901-123456789012",
    "at 1700000000006 ms",
    "hmac-sha256:" + "0123456789abcdef" * 4,
    "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
    "Authorization: Bearer",
    "Authorization: ",
    "basic authentication and bearer tokenization are needed",
    "Unexpected token: expected a name",
    "password: must have eight characters",
    "password=None token=null secret: true",
    "conn = connect(password=password, token=self.token, secret=get_secret())",
    "password_changed_at=2026-01-01 secret_name=db token_count=3 token_type=bearer",
    "http://host:8080/a?email=a@b",
    "https://git@github.com/x ssh://git@host/x mailto:a@b",
    "risk-assessment-of-the-quarter task-12345678901234567890 sk-learn-is-a-very-long-name-here",
    "2026-11-30T10:00:00+01:00 10.0.0.1:8080 a=b c:d",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "password",
    "the secret of the token",
    "x?y=1&z=2",
]

_SECRET = """
    password Password user_password passwd x-api-key apiKey API_KEY api.key APIKey apikey token
    access_token accessToken X-Auth-Token secret client_secret clientSecret private_key privateKey
    authorization Proxy-Authorization auth cookie Cookie set-cookie session session_id sessionId
    SESSION_TOKEN csrftoken aws_secret_access_key AWS_SECRET_ACCESS_KEY credentials db.password
    password2 connect.sid otp
"""
_OTHER = """
    author authors auth_types authority browserSessionId max_tokens input_tokens session_count
    token_count tokens token_type tokenizer secretary key keys monkey cookie_count password_changed_at
    secret_name compass passenger order_id trace_id user name keyboard bearer_count session_duration 123
    é
"""
#: A key and whether its value is masked.
KEYS = dict.fromkeys(_SECRET.split(), True) | dict.fromkeys(_OTHER.split(), False)

#: With the opt-in rules: a text, and what becomes of it.
OPT_IN = [
    ("card", "pay 4111 1111 1111 1111 now", f"pay {M} now"),
    ("card", "4111-1111-1111-1111", M),
    ("card", "4111111111111111", M),
    ("card", "378282246310005", M),
    ("card", "card number 9000000000000001", f"card number {M}"),
    ("card", "9000000000000001 of the batch", None),
    ("card", "4111111111111112", None),
    ("card", "1700000000006 epoch", None),
    ("card", "0000000000000000", None),
    ("card", "123e4567-e89b-12d3-a456-4111111111111111", None),
    ("card", "4111111111111111ab", None),
    ("card", "span=4539578763621486", None),
    ("card", "hmac-sha256:4111111111111111", None),
    ("email", "mail to joe.doe+x@example.co.uk now", f"mail to {M} now"),
    ("email", "a @ b, @decorator, user@host", None),
    ("ip", "from 10.0.0.1, then", f"from {M}, then"),
    ("ip", "from 2001:db8::1 port", f"from {M} port"),
    ("ip", "10:00:00 v1.2.3 999.1.1.1 1.2.3.4.5", None),
    ("iban", "to DE89 3704 0044 0532 0130 00 today", f"to {M} today"),
    ("iban", "GB82WEST12345698765432", M),
    ("iban", "DE89370400440532013001", None),
    ("phone", "call +49 30 1234567 now", f"call {M} now"),
    ("phone", "+1-202-555-0173", M),
    ("phone", "1+1 = 2, +5%, 2026-11-30", None),
]
