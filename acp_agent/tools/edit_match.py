"""Finding the text that an edit names, whatever line endings the file has, and putting another in its place."""

from __future__ import annotations

import re
from typing import NamedTuple

from acp_agent.tools.truncate import clip_line

# Neither half of a CRLF is a line ending of its own.
_ENDING = r"(?:\r\n|\r(?!\n)|(?<!\r)\n)"
_ENDINGS = re.compile(_ENDING)

_MISS_BYTES = 1200
_MISS_LINES = 12
_MISS_COMPARED = 5000


class Span(NamedTuple):
    """A place in a text, as character offsets."""

    start: int
    end: int


def find_spans(text: str, old: str) -> list[Span]:
    """Every place of `old` in `text`, in order and without overlap; a line ending matches any line ending."""
    old = _with_newlines(old)
    if "\r" not in text:
        spans, at = [], text.find(old)
        while at >= 0:
            spans.append(Span(at, at + len(old)))
            at = text.find(old, at + len(old))
        return spans
    pattern = re.compile(_ENDING.join(re.escape(part) for part in old.split("\n")))
    return [Span(match.start(), match.end()) for match in pattern.finditer(text)]


def replace_spans(text: str, spans: list[Span], new: str) -> str:
    """The text with `new` at every span, in the line endings of each span; every other character is as it was."""
    new = new.replace("\r\n", "\n")
    one_style = "\r" not in text or "\n" not in new
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], new if one_style else _in_style(text, span, new)]
        at = span.end
    return "".join([*parts, text[at:]])


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _in_style(text: str, span: Span, new: str) -> str:
    old = text[span.start : span.end]
    endings = _ENDINGS.findall(old)
    before, after = _with_newlines(old).split("\n"), new.split("\n")
    style = max(endings, key=endings.count) if endings else _nearest_ending(text, span)
    # Lines that the edit repeats keep their own ending, so that a mixed file changes only where it was meant to.
    first = _common(before[:-1], after[:-1])
    last = _common(before[first:][::-1], after[first:][::-1])
    chosen = [style] * (len(after) - 1)
    if len(before) == len(after):
        chosen = endings
    else:
        chosen[:first] = endings[:first]
        if last > 1:
            chosen[len(chosen) - last + 1 :] = endings[len(endings) - last + 1 :]
    return "".join(part + ending for part, ending in zip(after, [*chosen, ""], strict=True))


def _nearest_ending(text: str, span: Span) -> str:
    """The ending of the line that the span lies on, or of the line before it."""
    following = _ENDINGS.search(text, span.end)
    if following is not None:
        return following.group()
    return _ENDINGS.findall(text[: span.start])[-1] if _ENDINGS.search(text, 0, span.start) else "\n"


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def line_numbers(text: str, spans: list[Span]) -> tuple[int, ...]:
    """The line on which each span begins, from 1."""
    numbers, line, at = [], 1, 0
    newlines_only = "\r" not in text
    for span in spans:
        passed = text[at : span.start]
        line += passed.count("\n") if newlines_only else len(_ENDINGS.findall(passed))
        at = span.start
        numbers.append(line)
    return tuple(numbers)


def numbered(lines: list[str], first: int, count: int, most_bytes: int) -> str:
    """`count` lines from the one with number `first`, each with its number, as far as `most_bytes` go."""
    shown: list[str] = []
    for number in range(max(1, first), min(len(lines), first + count - 1) + 1):
        line = f"{number}: {clip_line(lines[number - 1], 200)}"
        most_bytes -= len(line.encode("utf-8", "replace")) + 1
        if most_bytes < 0:
            break
        shown.append(line)
    return "\n".join(shown)


def nearest_region(text: str, old: str) -> str:
    """What the file has in the place that `old` probably meant, with line numbers; empty if nothing is like it."""
    lines = _with_newlines(text).removesuffix("\n").split("\n")
    wanted = _with_newlines(old).strip("\n").split("\n")
    start, same = _most_common_lines(lines, wanted)
    if not same:
        closest = _closest_line(lines, wanted)
        if closest is None:
            return ""
        start = closest
    region = [line.strip() for line in lines[start : start + len(wanted)]]
    hint = "Only the white space differs. " if region == [line.strip() for line in wanted] else ""
    shown = numbered(lines, start + 1, min(len(wanted) + 2, _MISS_LINES), _MISS_BYTES)
    return f"{hint}The nearest text is:\n{shown}"


def _most_common_lines(lines: list[str], wanted: list[str]) -> tuple[int, int]:
    """First line of the stretch, as long as `wanted`, that shares most of its lines; and how many it shares."""
    known = {line.strip() for line in wanted} - {"", "{", "}", ")", "else:", "end", "*/", "/**"}
    hits = [line.strip() in known for line in lines]
    count = sum(hits[: len(wanted)])
    best, start = count, 0
    for at in range(1, len(lines) - len(wanted) + 1):
        count += hits[at + len(wanted) - 1] - hits[at - 1]
        if count > best:
            best, start = count, at
    return start, best


def _closest_line(lines: list[str], wanted: list[str]) -> int | None:
    import difflib

    target = max(wanted, key=lambda line: len(line.strip()))
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(target.strip()[:200])
    best, found = 0.6, None
    for at, line in enumerate(lines[:_MISS_COMPARED]):
        matcher.set_seq1(line.strip()[:200])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and matcher.ratio() > best:
            best, found = matcher.ratio(), at
    return None if found is None else max(0, found - wanted.index(target))
