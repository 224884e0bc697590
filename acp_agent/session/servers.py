"""The MCP servers of a session: when they are joined, and what is told of them."""

from __future__ import annotations

from acp_agent.schema import AvailableCommandsUpdate
from acp_agent.session.commands import available_commands
from acp_agent.session.state import SessionState


def join_servers(state: SessionState) -> None:
    """Begin to join the session's servers, if that was not done yet. For a session whose id its client has heard."""
    told = set(state.mcp.prompts)

    async def changed() -> None:
        nonlocal told
        now = set(state.mcp.prompts)
        if now != told:
            told = now
            await state.tell(AvailableCommandsUpdate(available_commands=available_commands(state)))
        await _tell_failures(state)

    state.mcp.start(state.tasks, changed)


async def _tell_failures(state: SessionState) -> None:
    """At once to clients that take notices between turns; where there is none of them, with the next prompt."""
    said = state.mcp.untold()
    if said:
        shown = [await client.notice(state.id, "MCP servers", "\n".join(said)) for client in list(state.clients)]
        if not any(shown):
            state.notes.extend(said)
