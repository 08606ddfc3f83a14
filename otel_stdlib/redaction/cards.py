"""Checks of numbers: payment cards, IBANs, phone numbers."""

from __future__ import annotations

import re

__all__ = ["is_card", "is_iban", "is_phone"]

#: How far before a number a word for a card counts, in characters.
_NEAR = 32
_CARD_WORD = re.compile(r"(?i)(?<![a-z])(?:card|pan|visa|mastercard|amex|credit|debit|cc)(?![a-z])")
_GROUPED = re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}")
#: Beginnings and lengths that are issued.
_ISSUED = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|62[0-9]{14,17}"
)


def is_card(found: re.Match[str]) -> bool:
    """Luhn's sum, and groups of four, or an issued beginning at its length, or a word for a card just before it."""
    text = found[0]
    digits = re.sub(r"[ -]", "", text)
    if not _luhn(digits) or len(set(digits)) == 1:
        return False
    if len(digits) != len(text):
        return _GROUPED.fullmatch(text) is not None
    if _ISSUED.fullmatch(digits):
        return True
    before = found.string[max(0, found.start() - _NEAR) : found.start()]
    return _CARD_WORD.search(before.rpartition("\0")[2]) is not None


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 * (value > 4)
        total += value
    return total % 10 == 0


def is_iban(found: re.Match[str]) -> bool:
    """The check digits of ISO 13616."""
    text = found[0].replace(" ", "")
    if not 15 <= len(text) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def is_phone(found: re.Match[str]) -> bool:
    """As many digits as an international number has."""
    return 8 <= sum(letter.isdigit() for letter in found[0]) <= 15
