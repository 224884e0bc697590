"""Text that is fit for a title: one line, without what a list of sessions could not show."""

from __future__ import annotations

import unicodedata

LONGEST = 200
"""Characters of a title that a person gives."""

_READ = 20_000
_NOT_KEPT = frozenset({"Cc", "Cs"})
_UNSEEN = frozenset({"Cf", "Mn", "Me", "Zs"})
# Marks that turn the direction of all that follows; the single marks that Hebrew or Arabic need are others.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_JOINER = "\u200d"


def clean_title(text: str) -> str:
    """The text as a title: one line, single spaces, no control characters, at most `LONGEST` characters.

    Empty if nothing visible is left.
    """
    spaced = " ".join(text[:_READ].split())
    kept = "".join(each for each in spaced if each not in _TURNING and unicodedata.category(each) not in _NOT_KEPT)
    kept = " ".join(kept.split())
    if all(unicodedata.category(each) in _UNSEEN for each in kept):
        return ""
    return beginning(kept, LONGEST)


def beginning(text: str, length: int) -> str:
    """At most the first `length` characters; what is read as one sign is not cut in two."""
    if len(text) <= length:
        return text
    while length > 1 and (_joins(text[length]) or text[length - 1] == _JOINER):
        length -= 1
    return text[:length].rstrip()


def _joins(character: str) -> bool:
    return (
        character == _JOINER
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # tones of skin
    )
