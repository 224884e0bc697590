"""Identifiers: a prefix that says of what, then time and chance, so that later ones sort behind earlier ones."""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


class Ids:
    """Makes ids such as `ses_0mf3k2a9x1f8q0r7c5`: unique, and growing within the process even if the clock does not."""

    def __init__(self) -> None:
        self._last = 0
        self._one = threading.Lock()

    def __call__(self, prefix: str) -> str:
        """A new id with the prefix."""
        with self._one:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return f"{prefix}_{_digits(self._last, 11)}{_digits(secrets.randbits(46), 9)}"


def _digits(number: int, width: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _ALPHABET[digit] + text
    return text.rjust(width, "0")
