"""Files that a person mentions in a prompt: `@src/a.py`, `@src/a.py:10-20`, `@"two words.md"`, `@src/`.

Whether a mention is meant is decided by what exists. Code, in fences and between backticks, is left alone: there an
`@` is a decorator or a package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from acp_agent.session.prompt.addresses import Lines, without_lines

MOST_LOOKED_UP = 200
"""Words with an `@` that are looked up in one text."""

_MENTION = re.compile(
    r"(?<![A-Za-z0-9_.+%@/\\#$&~=`-])@"
    r"""(?:"(?P<double>[^"\n]{1,1000})"|'(?P<single>[^'\n]{1,1000})'|(?P<bare>(?:\\ |[^\s"'`<>|*?,;@]){1,1000}))"""
    r"(?P<behind>(?::L?|#L?)\d{1,7}(?:-L?\d{1,7})?)?",
    re.IGNORECASE,
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_STRIPPED = 8


def mentions(text: str) -> Iterator[Sequence[tuple[str, Lines | None]]]:
    """The mentions in a text: for each the paths that may be meant, with their lines, the likeliest first."""
    if "@" not in text:
        return
    for found in islice(_MENTION.finditer(_without_code(text)), MOST_LOOKED_UP):
        quoted = found["double"] or found["single"]
        if quoted is not None:
            ways = list(_ways(quoted + (found["behind"] or "")))
        else:
            ways = list(_bare(found["bare"].replace("\\ ", " ") + (found["behind"] or "")))
        if ways:
            yield ways


def _bare(word: str) -> Iterator[tuple[str, Lines | None]]:
    """Without quotes, a path may be followed by the punctuation of the sentence, or by a script without spaces."""
    for _ in range(_STRIPPED):
        if not any(char.isalnum() for char in word) and word not in (".", "./"):
            return
        yield from _ways(word)
        if word[-1].isalnum() or word[-1] in "/\\_-~+$":
            break
        word = word[:-1]
    if not word.isascii():
        start = re.match(r"[!-~]+", word)
        if start is not None:
            yield from _ways(start[0])


def _ways(path: str) -> Iterator[tuple[str, Lines | None]]:
    if path.startswith(("//", "\\\\")):
        return  # another machine's: to look there would tell it who we are
    yield path, None
    bare, lines = without_lines(path)
    if lines is not None:
        yield bare, lines


def _without_code(text: str) -> str:
    """The text with a space for each character of code."""
    kept: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            if mark is not None and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            kept.append("\n")
        elif mark is not None and "`" not in line[mark.end() :]:
            fence = mark[1]
            kept.append("\n")
        else:
            kept.append(_without_spans(line))
    return "".join(kept)


def _without_spans(line: str) -> str:
    if "`" not in line:
        return line
    runs = [(found.start(), found.end()) for found in re.finditer("`+", line)]
    partner: dict[int, int] = {}  # the next run of the same length, from the right, so that a line of runs costs little
    latest: dict[int, int] = {}
    for number in range(len(runs) - 1, -1, -1):
        length = runs[number][1] - runs[number][0]
        if length in latest:
            partner[number] = latest[length]
        latest[length] = number
    kept: list[str] = []
    number = end = 0
    while number < len(runs):
        closing = partner.get(number)
        if closing is None:
            number += 1
            continue
        kept += [line[end : runs[number][0]], "`"]
        end, number = runs[closing][1], closing + 1
    return "".join([*kept, line[end:]])
