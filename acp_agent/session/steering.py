"""Messages that a person puts into a turn while it runs: the model reads them with its next request."""

from __future__ import annotations

import anyio

from acp_agent.session.prompt.content import PromptContent, prompt_content
from acp_agent.session.record import events, history
from acp_agent.session.record.store import StoreError
from acp_agent.session.turn_state import Turn


async def take_in(turn: Turn, *, files: bool = True) -> None:
    """Record what was put into the turn and let the history have it, in order; `files`: with the files it names."""
    waiting = turn.state.steered
    while waiting:
        blocks = waiting[0]
        content = await prompt_content(turn, blocks) if files else PromptContent(history.user_message(blocks))
        message_id = turn.state.services.new_id("msg")
        await turn.state.record(
            events.UserMessage(message_id=message_id, blocks=tuple(blocks), content=content.recorded), durable=True
        )
        turn.state.history.append(content.message)
        waiting.popleft()
        turn.in_text = False
        turn.log("steering.taken", blocks=len(blocks))


def over(turn: Turn) -> bool:
    """Whether nothing waits to be taken in. If so, the turn takes in nothing more: what comes now is a new prompt."""
    if turn.state.steered:
        return False
    turn.state.steerable = False
    return True


async def leave(turn: Turn) -> None:
    """Take in nothing more. What still waits, since the turn was cut off, is kept: the next request brings it."""
    turn.state.steerable = False
    if turn.state.steered:
        with anyio.CancelScope(shield=True):
            try:
                await take_in(turn, files=False)  # to read them may take a while, and somebody waits for the end
            except StoreError as error:
                turn.log("steering.lost", level="ERROR", error=str(error))
                turn.state.steered.clear()
