"""A whole conversation for a client that loads it: what is recorded, and what a running turn has shown beyond that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from acp_agent.schema import SessionUpdate, ToolCallStart
from acp_agent.session.client import Client
from acp_agent.session.record import events
from acp_agent.session.record.replay import replay
from acp_agent.session.state import SessionState

_TRIES = 5


async def show_conversation(state: SessionState, client: Client) -> None:
    """Show all of it. While a turn runs this happens at once, so that nothing of the turn's comes between."""
    for _ in range(_TRIES):
        stored = await state.services.store.read(state.id)
        record = stored.record if stored else ()
        if not record or record[-1][0] == state.record_tail:
            break  # else something was written while this was read
    found = [event for _, event in record]
    if state.showing is None:
        for update in replay(found):
            await client.update(state.id, update)
        return
    for update in (*replay(found), *_live(state, found)):
        client.update_now(state.id, update)


def _live(state: SessionState, record: Sequence[events.Event]) -> Iterator[SessionUpdate]:
    """What the turn has shown of an answer and of calls that the record does not have yet."""
    showing = state.showing
    if showing is None:
        return
    if showing.answer is not None and showing.answer[0] not in _ids(record):
        yield from showing.answer[1]()
    ended = {event.call_id for event in record if isinstance(event, events.ToolCallFinal)}
    for id, shown in showing.open_calls.items():
        if id not in ended:
            fields = {name: getattr(shown, name) for name in ToolCallStart.model_fields if name != "session_update"}
            yield ToolCallStart(**{name: value for name, value in fields.items() if value is not None})


def _ids(record: Iterable[events.Event]) -> set[str]:
    return {event.message_id for event in record if isinstance(event, events.AssistantMessage)}
