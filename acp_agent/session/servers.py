"""The MCP servers of a session: when they are joined, and what is told of them."""

from __future__ import annotations

from acp_agent.schema import AvailableCommandsUpdate
from acp_agent.session.commands import available_commands
from acp_agent.session.state import SessionState
from acp_agent.session.trust import allow_trusted


async def join_servers(state: SessionState) -> None:
    """Begin to join the session's servers, if that was not done yet. For a session whose id its client has heard.

    Those that a project's file names are among them if a person agreed before (`trust.py`).
    """
    await allow_trusted(state)
    told = available_commands(state)

    async def changed() -> None:
        nonlocal told
        now = available_commands(state)
        if now != told:
            told = now
            await state.tell(AvailableCommandsUpdate(available_commands=now))
        await _tell_failures(state)

    state.mcp.start(state.tasks, changed)


async def _tell_failures(state: SessionState) -> None:
    """At once to clients that take notices between turns; where there is none of them, with the next prompt."""
    said = state.mcp.untold()
    if said:
        shown = [await client.notice(state.id, "MCP servers", "\n".join(said)) for client in list(state.clients)]
        if not any(shown):
            state.notes.extend(said)
