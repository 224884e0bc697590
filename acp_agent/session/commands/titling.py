"""`/title`: the session's title, shown or changed."""

from __future__ import annotations

from acp_agent.rpc.messages import RpcError
from acp_agent.session import titles
from acp_agent.session.commands.base import Invocation, code
from acp_agent.session.turn_state import Turn


async def title(turn: Turn, invoked: Invocation) -> str:
    """`/title [text]`: what the session is called; with a text, what it is called from now on."""
    held = turn.state.head.title
    if not invoked.arguments:
        how = "`/title` with a text behind it changes it."
        return f"The title is {code(held)}. {how}" if held else f"This session has no title yet. {how}"
    try:
        return f"The title is now {code(await titles.set_title(turn.state, invoked.arguments))}."
    except RpcError as error:
        return f"The title was not changed. {error.message}"
