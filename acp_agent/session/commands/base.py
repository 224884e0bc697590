"""What a slash command is, and how its answers are written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acp_agent.config.diagnostic import printable
from acp_agent.schema import ContentBlock

if TYPE_CHECKING:
    from acp_agent.session.turn_state import Turn

LONGEST_ANSWER = 16_000
"""Characters of an answer."""

_LONGEST_CODE = 200
_MARKUP = re.compile(r"[\\`*\[\]<#|~$]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command as it was called: `arguments` is what was typed behind its name, `blocks` what was attached."""

    name: str
    arguments: str = ""
    blocks: Sequence[ContentBlock] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that has either an `answer` or a `prompt`.

    `answer` gives Markdown for the person, and no model is asked. `prompt` gives the blocks that the model is sent in
    place of the command, and `done` is called when the turn of such a prompt came to its end. `hint` stands for the
    arguments in the client's input field; None: there are none.
    """

    name: str
    description: str
    hint: str | None = None
    answer: Callable[[Turn, Invocation], Awaitable[str]] | None = None
    prompt: Callable[[Turn, Invocation], Awaitable[Sequence[ContentBlock]]] | None = None
    done: Callable[[Turn], Awaitable[None]] | None = None


def page(*parts: str) -> str:
    """An answer of these paragraphs, empty ones left out, at most `LONGEST_ANSWER` characters."""
    text = "\n\n".join(part for part in parts if part)
    if len(text) <= LONGEST_ANSWER:
        return text
    kept = text[: LONGEST_ANSWER - 100].rpartition("\n")[0] or text[: LONGEST_ANSWER - 100]
    fence = "\n```" if kept.count("```") % 2 else ""
    return f"{kept}{fence}\n\n(Cut here: the whole answer has {len(text):,} characters.)"


def listed(heading: str, rows: Iterable[str], most: int = 100) -> str:
    """A heading with a list below it; nothing if there are no rows."""
    found = list(rows)
    if not found:
        return ""
    lines = [f"- {row}" for row in found[:most]]
    if len(found) > most:
        lines.append(f"- and {len(found) - most:,} more")
    return "\n".join([f"**{heading}**", "", *lines])


def code(text: str) -> str:
    """The text as code within a line: a name, a path, a value."""
    shown = printable(text if len(text) <= _LONGEST_CODE else f"{text[:_LONGEST_CODE]}…")
    if not shown:
        return '`""`'
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    if not longest:
        return f"`{shown}`"
    marks = "`" * (longest + 1)
    return f"{marks} {shown} {marks}"


def fenced(text: str, language: str = "") -> str:
    """The text as a block of code, whatever it holds."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{text.rstrip()}\n{marks}"


def plain(text: str) -> str:
    """The text within a line, its characters escaped to which Markdown gives a meaning."""
    return _MARKUP.sub(r"\\\g<0>", printable(" ".join(text.split())))


def sentence(text: str) -> str:
    """The text on one line, with a capital letter and a full stop."""
    text = " ".join(text.split())
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def bytes_shown(count: int) -> str:
    """A number of bytes for people: `512 B`, `1.5 KiB`, `3.0 MiB`, `2.0 GiB`."""
    if count < 1024:
        return f"{count} B"
    if count < 1024**2:
        return f"{count / 1024:.1f} KiB"
    if count < 1024**3:
        return f"{count / 1024**2:.1f} MiB"
    return f"{count / 1024**3:.1f} GiB"


def share(part: float, whole: float) -> str:
    """A share in percent, without decimals where they would say nothing."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.1f} %" if 0 < percent < 10 else f"{percent:.0f} %"
