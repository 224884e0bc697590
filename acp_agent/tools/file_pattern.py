"""Patterns of file names as git writes them in its ignore files: `*.py`, `src/**/test_*.ts`, `*.{c,h}`, `!*.min.js`."""

from __future__ import annotations

import re
from collections.abc import Callable

from acp_agent.tools.base import ToolError

_LONGEST = 1000


def file_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path, relative to the folder and with `/` between its parts, matches. Raises `ToolError`.

    A pattern without `/` is one of the name alone. `*` stays within a part, `**` is any number of parts; a folder
    stands for all that is in it; a leading `!` turns the answer around.
    """
    if len(pattern) > _LONGEST:
        raise ToolError(f"The pattern is longer than {_LONGEST} characters.")
    wanted, body = not pattern.startswith("!"), pattern.removeprefix("!").removeprefix("./")
    if body.endswith("/"):
        body += "**"
    if "/" not in body:
        body = f"**/{body}"
    try:
        compiled = re.compile(_translated(body.removeprefix("/")), re.DOTALL)
    except re.error as error:
        raise ToolError(f"{pattern!r} is not a pattern of file names: {error}.") from None
    return lambda path: (compiled.fullmatch(path) is not None) is wanted


def name_pattern(pattern: str) -> str | None:
    """A pattern of the name alone which every path that matches has, for ripgrep to choose by; None if there is none."""
    last = pattern.rpartition("/")[2]
    if pattern.startswith("!") or not last or "**" in last or pattern.count("{") != last.count("{") or "\\" in last:
        return None
    return last.replace(":", "?")  # ripgrep takes a colon there for the end of a name


def _translated(pattern: str) -> str:
    parts: list[str] = []
    at, groups = 0, 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if pattern.startswith("**/", at - 1) and (at == 1 or pattern[at - 2] == "/"):
            parts.append("(?:[^/]+/)*")
            at += 2
        elif pattern.startswith("**", at - 1):
            parts.append(".*")
            at += 1
        elif character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            end = pattern.find("]", at + 1 + pattern.startswith(("!", "^"), at))
            if end < 0:
                raise re.error("a bracket is not closed")
            parts.append(_class(pattern[at:end]))
            at = end + 1
        elif character == "\\" and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        elif character == "{":
            groups += 1
            parts.append("(?:")
        elif character == "," and groups:
            parts.append("|")
        elif character == "}" and groups:
            groups -= 1
            parts.append(")")
        else:
            parts.append(re.escape(character))
    if groups:
        raise re.error("a brace is not closed")
    return "".join(parts)


def _class(body: str) -> str:
    negated = body[:1] in ("!", "^")
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", body[negated:])
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
