"""`/export`: the conversation as a Markdown file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from acp_agent.session.commands.base import Invocation, bytes_shown, code
from acp_agent.session.record import events
from acp_agent.session.record.transcript import markdown
from acp_agent.session.turn_state import Turn
from acp_agent.tools.base import ToolError
from acp_agent.tools.truncate import encodable, size
from acp_agent.tools.workspace import TextFile

_MOST_NUMBERED = 1000


async def export(turn: Turn, invoked: Invocation) -> str:
    """`/export [path]`: write what was said so far into a new file; the answer names it. Overwrites nothing."""
    state = turn.state
    stored = await state.services.store.read(state.id)
    record = _before_this_command([event for _, event in stored.record] if stored else [])
    if not any(isinstance(event, events.UserMessage) for event in record):
        return "There is nothing to export yet."
    try:
        path = await _path(turn, invoked.arguments.strip("`\"' "))
        text = encodable(await to_thread.run_sync(markdown, state.head, record))
        await turn.workspace.write_text(TextFile(path, text))
    except ToolError as error:
        return f"Nothing was exported. {error}"
    return f"The conversation stands in {code(str(path))} now ({bytes_shown(size(text))})."


def _before_this_command(record: Sequence[events.Event]) -> Sequence[events.Event]:
    last = max((index for index, event in enumerate(record) if isinstance(event, events.UserMessage)), default=0)
    return record[:last]


async def _path(turn: Turn, wanted: str) -> Path:
    """Where to write: what was asked for, or a file in the working directory. Raises `ToolError` if it is taken."""
    name = f"session-{turn.state.id}"
    path = turn.workspace.resolve(wanted or ".")
    if not wanted or await to_thread.run_sync(os.path.isdir, path):
        free = (path / f"{name}{number}.md" for number in ("", *(f"-{count}" for count in range(2, _MOST_NUMBERED))))
        for each in free:
            if not await _taken(turn, each):
                return each
        raise ToolError(f"{turn.workspace.display(path)} is full of exports of this session: name another file.")
    if await _taken(turn, path):
        raise ToolError(f"{turn.workspace.display(path)} exists, and nothing is overwritten: name another file.")
    return path


async def _taken(turn: Turn, path: Path) -> bool:
    return await to_thread.run_sync(os.path.lexists, path) or await turn.workspace.exists(path)
