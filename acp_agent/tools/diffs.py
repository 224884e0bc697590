"""A change of a file as the person sees it: old and new text, whole if it fits on a line of the wire, else in hunks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from acp_agent.schema import DiffContent, TextContent, ToolContent

# A wire line holds 8 MiB; the rest of it is for the call's arguments and the output.
_LARGEST = 6 * 1024 * 1024
_CONTEXT = 50
_LARGEST_ALL_HUNKS = 5 * 1024 * 1024
_MOST_COMPARED = 3000

Shown: TypeAlias = DiffContent | ToolContent


def text_content(text: str) -> ToolContent:
    """Text for the person, as Markdown."""
    return ToolContent(content=TextContent(text=text))


def diff_content(path: Path, old: str | None, new: str) -> list[Shown]:
    """The change of one file; `old` is None for a new file.

    A change whose JSON would take more than 6 MiB becomes hunks with 50 lines of context. Each has its place, counted
    from 1, in `_meta`: `{"acp-agent/hunk": {"oldLine": …, "newLine": …}}`, and a first text says that it was cut.
    """
    if _json_size(old or "") + _json_size(new) <= _LARGEST:
        return [DiffContent(path=str(path), old_text=old, new_text=new)]
    hunks, cut = _fitting(path, _hunks(old or "", new))
    note = f"The change of {path.name} is too large to show as a whole: these are its changed places"
    note += ", and not all of them." if cut else "."
    return [text_content(note), *hunks]


def _json_size(text: str) -> int:
    """An upper bound of the bytes that the text takes in JSON; exact only where it could matter."""
    if len(text) * 6 <= _LARGEST // 2:
        return len(text) * 6
    import json

    return len(json.dumps(text))


def _hunks(old: str, new: str) -> list[tuple[int, int, str, str]]:
    """Line of old and new, both from 1, and the texts.

    Only the span between the first and the last difference is compared, since a full comparison of a file of this
    size takes minutes; a span too large even for that is one hunk.
    """
    before, after = _lines(old), _lines(new)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    middle = (before[start : len(before) - end], after[start : len(after) - end])
    if len(middle[0]) + len(middle[1]) > _MOST_COMPARED:
        places = [(0, len(middle[0]), 0, len(middle[1]))]
    else:
        import difflib

        matcher = difflib.SequenceMatcher(None, *middle, autojunk=False)
        groups = [[step for step in group if step[0] != "equal"] for group in matcher.get_grouped_opcodes(_CONTEXT)]
        places = [(group[0][1], group[-1][2], group[0][3], group[-1][4]) for group in groups]
    return [
        (
            max(0, start + a - _CONTEXT) + 1,
            max(0, start + c - _CONTEXT) + 1,
            "".join(before[max(0, start + a - _CONTEXT) : start + b + _CONTEXT]),
            "".join(after[max(0, start + c - _CONTEXT) : start + d + _CONTEXT]),
        )
        for a, b, c, d in places
    ]


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _fitting(path: Path, hunks: list[tuple[int, int, str, str]]) -> tuple[list[Shown], bool]:
    shown: list[Shown] = []
    room = _LARGEST_ALL_HUNKS
    cut = False
    for old_line, new_line, old, new in hunks:
        if _json_size(old) + _json_size(new) > room:
            cut = True
            old, new = old[: room // 16], new[: room // 16]
        room -= _json_size(old) + _json_size(new)
        meta = {"acp-agent/hunk": {"oldLine": old_line, "newLine": new_line}}
        shown.append(DiffContent(path=str(path), old_text=old, new_text=new, meta=meta))
        if cut:
            break
    return shown, cut
