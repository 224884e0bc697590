"""From the record back to the updates that a client saw: the same variants, whole instead of in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from acp_agent.llm.messages import Text, Thinking
from acp_agent.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AgentThoughtChunk,
    SessionUpdate,
    TextContent,
    ToolCallStart,
    UsageUpdate,
    UserMessageChunk,
)
from acp_agent.session import events


def replay(record: Iterable[events.Event]) -> Iterator[SessionUpdate]:
    """The updates that show a conversation, in order. Modes and options are told by the response instead."""
    for event in record:
        match event:
            case events.UserMessage(message_id=message_id, blocks=blocks):
                for block in blocks:
                    yield UserMessageChunk(content=block, message_id=message_id)
            case events.AssistantMessage():
                yield from _answer(event)
            case events.ToolCallFinal():
                yield _call(event)
            case events.PlanChanged(entries=entries):
                yield AgentPlanUpdate(entries=list(entries))
            case events.Usage(usage=usage, size=size) if size:
                yield UsageUpdate(used=usage.total, size=size)
            case _:
                continue


def _answer(event: events.AssistantMessage) -> Iterator[SessionUpdate]:
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
