"""Which keys name a secret: by words, never by substrings."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.memo import keep

__all__ = ["KeyRules", "words_of"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
#: Longer keys are not remembered.
_MEMO_KEY = 128


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _sequences(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(line.split()) for line in text.splitlines() if line.strip())


#: A secret wherever these words are in a key, one after the other.
_ANYWHERE = _sequences("""
    password\npasswords\npasswd\npassphrase\npasscode\npwd\nuserpassword\ndbpassword\npgpassword
    secret\nsecrets\nclientsecret\ncredential\ncredentials\nauthorization
    api key\napi keys\napikey\napikeys\napi token\napitoken\nprivate key\nprivatekey\nsecret key\nsecretkey
    access key\naccesskey\nsigning key\nsigningkey\nencryption key\nmaster key\naccount key\nstorage key
    shared access signature\nconnection string\ntoken value\ncsrftoken\nxsrftoken\nauthtoken\naccesstoken
    refreshtoken\nidtoken\nbearertoken\naccess tokens\nrefresh tokens\nauth tokens\napi tokens\nbearer tokens
    sessionid\njsessionid\nphpsessid\nconnect sid\nset cookie\ncvv\ncvc\ncvv2\nsecurity code\npin code
    db pass\nuser pass\nmysql pass\nsmtp pass\nftp pass\nbasic auth\nhttp auth
""")
#: A secret as a key's last words: ``access_token``, and neither ``max_tokens`` nor ``token_count``.
_LAST = _sequences("token\nsession\ncookie\ncookies\notp")
_ALONE = _sequences("auth\njwt\nsid\nsessid\nbearer")
#: Before these, as a key's first word, it is a secret too: ``session_id``.
_FIRST, _SECOND = frozenset({"session", "cookie"}), frozenset({"id", "token"})
#: What a key ends with that tells something of a secret and not the secret.
_ABOUT = _words(
    "age arn at changed count counts enabled expiration expired expires expiry file index len length "
    "limit limits name path policies policy required size type types usage valid version "
)
_LONGEST = 3


def words_of(key: str) -> tuple[str, ...]:
    """The words of a key in lower case: split at anything but letters, and at camelCase.

    >>> words_of("x-apiKey2")
    ('x', 'api', 'key')
    """
    return tuple(word.lower() for word in _WORD.findall(key))


class KeyRules:
    """Decides which keys name a secret. Any thread may ask.

    Args:
        keys: ``default``, words such as ``iban`` or ``tax number``, and patterns such as ``customer.*``. A pattern is
            compared with the key and with its path (``customer.name`` of ``{"customer": {"name": ...}}``).
        keep: words that are a complete key, or patterns: these keys never name a secret.

    Raises:
        ConfigError: an entry is not a text with a word in it.
    """

    def __init__(self, keys: Iterable[object], keep: Iterable[object] = ()) -> None:
        self._default = False
        self._own: set[tuple[str, ...]] = set()
        patterns = []
        for entry in keys:
            if entry == "default":
                self._default = True
            elif _is_pattern("keys", entry):
                patterns.append(str(entry))
            else:
                self._own.add(words_of(str(entry)))
        kept = []
        self._keep: set[tuple[str, ...]] = set()
        for entry in keep:
            if _is_pattern("keep_keys", entry):
                kept.append(str(entry))
            else:
                self._keep.add(words_of(str(entry)))
        self._patterns, self._kept = _compiled(patterns), _compiled(kept)
        self._longest = max([_LONGEST, *(len(words) for words in self._own)])
        #: Whether the path of a key counts.
        self.wants_path = self._patterns is not None or self._kept is not None
        self._memo: dict[str, bool] = {}

    def is_secret(self, key: str, path: str = "") -> bool:
        """Whether the value of ``key`` is to be masked; ``path`` is the dotted one of a nested key."""
        name = path or key
        found = self._memo.get(name)
        if found is None:
            found = self._decide(key, name)
            if len(name) <= _MEMO_KEY:
                keep(self._memo, name, found)
        return found

    def _decide(self, key: str, path: str) -> bool:
        words = words_of(key)
        if not words and self._patterns is None:
            return False
        if words in self._keep or _matches(self._kept, key, path):
            return False
        if _matches(self._patterns, key, path):
            return True
        if self._has(words, self._own):
            return True
        return self._default and (
            words in _ALONE
            or words[-1:] in _LAST
            or (len(words) == 2 and words[0] in _FIRST and words[1] in _SECOND)
            or (self._has(words, _ANYWHERE) and words[-1] not in _ABOUT)
        )

    def _has(self, words: tuple[str, ...], sequences: Iterable[tuple[str, ...]]) -> bool:
        return any(
            words[start : start + length] in sequences
            for start in range(len(words))
            for length in range(1, min(self._longest, len(words) - start) + 1)
        )


def _is_pattern(option: str, entry: object) -> bool:
    if not isinstance(entry, str) or not ("*" in entry or words_of(entry)):
        raise ConfigError(
            f"redaction: an entry of {option!r} must be a word, several, or a pattern with '*', not {entry!r}",
            option=option,
        )
    return "*" in entry


def _compiled(patterns: list[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(fnmatch.translate(pattern.lower()) for pattern in patterns))


def _matches(pattern: re.Pattern[str] | None, key: str, path: str) -> bool:
    return pattern is not None and (
        pattern.match(key.lower()) is not None or pattern.match(path.lower()) is not None
    )
