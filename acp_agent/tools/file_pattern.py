"""Patterns of file names as git writes them in its ignore files: `*.py`, `src/**/test_*.ts`, `*.{c,h}`, `!*.min.js`."""

from __future__ import annotations

import re
from collections.abc import Callable

from acp_agent.tools.base import ToolError

_LONGEST = 1000
_MOST_WILDCARDS = 12  # the time of a match grows with each
_TOKENS = re.compile(r"(?:^|(?<=[/{,]))\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|\\.|.", re.DOTALL)
_WILDCARDS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def file_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path, relative to the folder and with `/` between its parts, matches. Raises `ToolError`.

    A pattern without `/` is one of the name alone. `*` stays within a part, `**` is any number of parts; a folder
    stands for all that is in it; a leading `!` turns the answer around.
    """
    if len(pattern) > _LONGEST or pattern.count("*") > 2 * _MOST_WILDCARDS:
        raise ToolError("The pattern of file names is too long or has too many wildcards. Make it simpler.")
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
    """A pattern of the name alone, which every path that matches satisfies; None if there is none."""
    last = pattern.rpartition("/")[2]
    if pattern.startswith("!") or not last or "**" in last or pattern.count("{") != last.count("{") or "\\" in last:
        return None
    return last.replace(":", "?")  # ripgrep takes a colon there for the end of a name


def _translated(pattern: str) -> str:
    parts: list[str] = []
    groups = 0
    for token in _TOKENS.findall(re.sub(r"(?:\*\*/)+", "**/", pattern)):
        match token:
            case "[":
                raise re.error("a bracket is not closed")
            case "{":
                groups += 1
                parts.append("(?:")
            case "," if groups:
                parts.append("|")
            case "}" if groups:
                groups -= 1
                parts.append(")")
            case _ if token in _WILDCARDS:
                parts.append(_WILDCARDS[token])
            case _ if token[0] == "[":
                parts.append(_class(token[1:-1]))
            case _:
                parts.append(re.escape(token[1:] if len(token) == 2 else token))
    if groups:
        raise re.error("a brace is not closed")
    return "".join(parts)


def _class(body: str) -> str:
    negated = body[:1] in ("!", "^")
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", body[negated:])
    return f"(?!/)[{'^' if negated else ''}{escaped}]"
