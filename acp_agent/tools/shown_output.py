"""How a command and its output are shown: as text that every client understands, with a mark for those that know more.

The mark is `_meta["acp-agent/terminal"]` of the text. It says what a terminal would need to show the same, so that the
`client` layer can make one of it; on the wire it is never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acp_agent.schema import TerminalContent, TextContent, ToolCallContent, ToolContent
from acp_agent.tools.truncate import console_text, fenced
from acp_agent.tools.workspace import CommandResult, Output

TERMINAL = "acp-agent/terminal"
"""The key of the mark: `cwd`, and `data` (new output, raw), or at the end `exitCode` and `signal`."""


def started(cwd: Path) -> list[ToolCallContent]:
    """A command that has printed nothing yet: an empty text with a mark."""
    return [_marked("", {"cwd": str(cwd)})]


def under_way(output: Output, cwd: Path) -> list[ToolCallContent]:
    """The end of the output so far; or the client's own terminal, if it shows the output itself."""
    if output.terminal_id is not None:
        return [TerminalContent(terminal_id=output.terminal_id)]
    shown = fenced(console_text(output.tail)) if output.tail else ""
    return [_marked(shown, {"cwd": str(cwd), "data": output.new})]


def ended(text: str, cwd: Path, result: CommandResult) -> list[ToolCallContent]:
    """The end of a command, for the record."""
    return [_marked(text, {"cwd": str(cwd), "exitCode": result.exit_code, "signal": result.signal})]


def rest(result: CommandResult) -> Mapping[str, Any]:
    """`_meta` of the update that shows the end: the output that nobody was shown yet."""
    return {TERMINAL: {"data": result.unshown}} if result.unshown else {}


def _marked(text: str, mark: Mapping[str, Any]) -> ToolContent:
    return ToolContent(content=TextContent(text=text), meta={TERMINAL: mark})
