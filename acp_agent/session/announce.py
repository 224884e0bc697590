"""What a client is told behind the response that opens a session: never before, since it could not place it."""

from __future__ import annotations

from acp_agent.schema import AvailableCommandsUpdate, SessionInfoUpdate
from acp_agent.session.client import Client
from acp_agent.session.commands import available_commands
from acp_agent.session.servers import join_servers
from acp_agent.session.state import SessionState
from acp_agent.session.titles import iso_time
from acp_agent.session.usage import usage_update


async def announce(state: SessionState, client: Client) -> None:
    """Attach a client that has heard the session's id, and tell it what holds; then begin what may take its time."""
    state.attach(client)
    if state.head.title is not None:
        updated = iso_time(state.head.updated)
        await client.update(state.id, SessionInfoUpdate(title=state.head.title, updated_at=updated))
    usage = usage_update(state)
    if usage is not None:
        await client.update(state.id, usage)
    await client.update(state.id, AvailableCommandsUpdate(available_commands=available_commands(state)))
    notes, state.notes = state.notes, []
    if notes and not await client.notice(state.id, "Configuration", "\n".join(notes)):
        state.notes = notes + state.notes  # the next prompt tells them
    await join_servers(state)
    await state.warm()
