"""What is in a secret's place: a constant, or a keyed hash. Never anything of the secret itself."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

from otel_stdlib.facts.errors import ConfigError

__all__ = ["DEFAULT_MASK", "FAILED", "OWN_NAMES", "URL_MASK", "Masks"]

DEFAULT_MASK = "[REDACTED]"
#: In URLs, as OpenTelemetry's semantic conventions have it.
URL_MASK = "REDACTED"
#: In the place of a field for which a rule failed.
FAILED = "[REDACTION FAILED]"
_RULE = "{rule}"
#: What is masked for another reason than a value rule.
OWN_NAMES = ("key", "key_value", "url", "oversize", "cut", "depth", "failed")
_LONGEST = 64
#: A short key can be guessed, and with it what was hashed.
_SHORTEST_KEY = 8


class Masks:
    """Makes masks and recognises them.

    Args:
        mask: the text; ``{rule}`` in it is the name of the rule.
        hash_key: when given, a mask is ``<rule>:<16 hex digits>`` of HMAC-SHA256 under this key, so that equal
            secrets can be found by equal masks.
        names: of all rules, which masks may hold.

    Raises:
        ConfigError: an option is wrong.
    """

    def __init__(
        self, mask: object = DEFAULT_MASK, hash_key: object = None, names: Iterable[str] = ()
    ) -> None:
        if not isinstance(mask, str) or not mask.strip() or len(mask) > _LONGEST or not mask.isprintable():
            raise ConfigError(
                f"redaction: option 'mask' must be a text of 1 to {_LONGEST} printable characters, not {mask!r}",
                option="mask",
            )
        if hash_key is not None and (not isinstance(hash_key, str) or len(hash_key) < _SHORTEST_KEY):
            raise ConfigError(
                f"redaction: option 'hash_key' must be a text of {_SHORTEST_KEY} characters or more",
                option="hash_key",
            )
        self._mask = mask
        self._key = None if hash_key is None else str(hash_key).encode("utf-8", "surrogatepass")
        # The names and no other: ``password:0123456789abcdef`` is a secret, and not a mask.
        name = "|".join(sorted(map(re.escape, {*names, *OWN_NAMES}), reverse=True))
        if self._key:
            own = rf"(?<![\w.-])(?:{name}):[0-9a-f]{{16}}(?![0-9a-f])"
        else:
            own = re.escape(mask).replace(re.escape(_RULE), f"(?:{name})")
        #: Any mask, as a pattern without groups.
        self.pattern = rf"{own}|{re.escape(FAILED)}|{URL_MASK}(?![A-Za-z0-9])"
        self._any = re.compile(self.pattern)

    def of(self, rule: str, secret: str) -> str:
        """The mask of what ``rule`` found."""
        if self._key is None:
            return self._mask.replace(_RULE, rule)
        digest = hmac.new(self._key, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"{rule}:{digest.hexdigest()[:16]}"

    def is_mask(self, text: str) -> bool:
        """Whether a text is nothing but a mask."""
        return self._any.fullmatch(text) is not None

    def end_of(self, text: str, start: int) -> int:
        """Where the mask ends that begins at ``start``; 0: none does."""
        found = self._any.match(text, start)
        return 0 if found is None else found.end()

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where masks are in a text."""
        return [found.span() for found in self._any.finditer(text)]
