"""From the record back to the updates that a client saw: the same variants, whole instead of in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from acp_agent.llm.messages import Text, Thinking, ToolCall
from acp_agent.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AgentThoughtChunk,
    SessionUpdate,
    TextContent,
    ToolCallStart,
    UserMessageChunk,
)
from acp_agent.session.record import events


def replay(record: Iterable[events.Event]) -> Iterator[SessionUpdate]:
    """The updates that show a conversation, in order.

    Modes and options are told by the response instead, usage and title behind it. The calls of one answer stand in the
    order in which it made them, whichever ended first.
    """
    place: dict[str, int] = {}
    ended: list[events.ToolCallFinal] = []
    for event in record:
        match event:
            case events.UserMessage() | events.AssistantMessage():
                yield from _calls(ended, place)
                ended = []
                place.update((call.id, len(place) + number) for number, call in enumerate(_made(event)))
                yield from _said(event)
            case events.ToolCallFinal():
                ended.append(event)
            case events.PlanChanged(entries=entries):
                yield AgentPlanUpdate(entries=list(entries))
            case _:
                continue
    yield from _calls(ended, place)


def _made(event: events.UserMessage | events.AssistantMessage) -> Sequence[ToolCall]:
    return event.message.tool_calls if isinstance(event, events.AssistantMessage) else ()


def _calls(ended: list[events.ToolCallFinal], place: Mapping[str, int]) -> Iterator[SessionUpdate]:
    for event in sorted(ended, key=lambda each: place.get(each.call_id, len(place))):
        yield _call(event)


def _said(event: events.UserMessage | events.AssistantMessage) -> Iterator[SessionUpdate]:
    if isinstance(event, events.UserMessage):
        for block in event.blocks:
            yield UserMessageChunk(content=block, message_id=event.message_id)
        return
    for part in event.message.content:
        match part:
            case Text(text=text) if text:
                yield AgentMessageChunk(content=TextContent(text=text), message_id=event.message_id)
            case Thinking(text=text) if text:
                yield AgentThoughtChunk(content=TextContent(text=text), message_id=f"{event.message_id}-thought")
            case _:
                continue


def _call(event: events.ToolCallFinal) -> ToolCallStart:
    return ToolCallStart(
        tool_call_id=event.call_id,
        title=event.title,
        name=event.name,
        kind=event.kind,
        status=event.status,
        content=list(event.content),
        locations=list(event.locations),
        raw_input=event.raw_input,
        raw_output=event.raw_output,
    )
