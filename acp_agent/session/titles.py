"""A session's title: made of its first prompt, unless a person gave one.

A title is found without any model: no prompt is sent anywhere just to name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.schema import ContentBlock, SessionInfoUpdate
from acp_agent.session.commands import invocation
from acp_agent.session.made_title import made_title
from acp_agent.session.record import events
from acp_agent.session.state import SessionState
from acp_agent.session.title_text import clean_title
from acp_agent.session.turn_state import Turn


def checked_title(text: str) -> str:
    """The text as a title. Raises `RpcError` (-32602) for one without a visible character."""
    cleaned = clean_title(text)
    if not cleaned:
        raise RpcError(INVALID_PARAMS, "A title needs at least one visible character.", {"path": "title"})
    return cleaned


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def set_title(state: SessionState, title: str) -> str:
    """Give the session a title and tell its clients; the result is the title as it is stored.

    Raises `RpcError` (-32602) for one without a visible character.
    """
    cleaned = checked_title(title)
    await _store(state, cleaned, durable=True)
    return cleaned


async def give_title(turn: Turn, blocks: Sequence[ContentBlock]) -> None:
    """Give a session without a title one, out of this prompt, and tell its clients. A command is no title."""
    if turn.state.head.title or invocation(turn.state, blocks) is not None:
        return
    title = made_title(blocks)
    if title:
        await _store(turn.state, title, durable=False)


async def _store(state: SessionState, title: str, *, durable: bool) -> None:
    now = state.services.clock()
    await state.record(events.Title(title=title), durable=durable)
    state.head = replace(state.head, title=title, updated=now)
    await state.tell(SessionInfoUpdate(title=title, updated_at=iso_time(now)))
