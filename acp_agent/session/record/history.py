"""From the record to what a model is sent.

The result is valid by construction: each tool call of an answer has exactly one outcome, in the order of the calls. A
call without a record (the process died) counts as interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from acp_agent.llm.messages import AssistantMessage, Step, Text, ToolCall, ToolOutcome, UserMessage, UserPart
from acp_agent.schema import ContentBlock
from acp_agent.session.prompt.block_parts import block_parts, message_content
from acp_agent.session.record import events

INTERRUPTED = "This call was interrupted before it gave a result. Its effects are unknown: check before repeating it."
CANCELLED = "This call was cancelled by the user before it gave a result."


def user_message(blocks: Iterable[ContentBlock]) -> UserMessage:
    """What the blocks of a prompt say by themselves: links are named, not followed."""
    return UserMessage(content=message_content(block_parts(blocks)))


def recorded(message: UserMessage, blocks: Sequence[ContentBlock]) -> tuple[events.RecordedPart, ...] | None:
    """What the record of a prompt needs beside its blocks to give the message again; None if they alone do."""
    parts = block_parts(blocks)
    if message.content == message_content(parts):
        return None
    numbers = {part: number for number, part in enumerate(parts) if part is not None}
    return tuple(events.FromBlock(number=numbers[part]) if part in numbers else part for part in message.content)


def _recorded_message(event: events.UserMessage) -> UserMessage:
    if event.content is None:
        return user_message(event.blocks)
    parts = block_parts(event.blocks)
    found = [_of_block(parts, part.number) if isinstance(part, events.FromBlock) else part for part in event.content]
    return UserMessage(content=message_content(found))


def _of_block(parts: Sequence[UserPart | None], number: int) -> UserPart | None:
    return parts[number] if 0 <= number < len(parts) else None


def outcome(event: events.ToolCallFinal) -> ToolOutcome:
    """What the model reads of a finished call."""
    return ToolOutcome(
        call_id=event.call_id,
        name=event.name,
        output=event.output,
        is_error=event.status == "failed",
        images=event.images,
    )


def step(message: AssistantMessage, finals: Sequence[events.ToolCallFinal]) -> Step:
    """An answer together with the outcome of each of its calls; a missing one counts as interrupted."""
    by_id = {final.call_id: outcome(final) for final in finals}
    outcomes = tuple(
        by_id.get(call.id) or ToolOutcome(call_id=call.id, name=call.name, output=INTERRUPTED, is_error=True)
        for call in message.tool_calls
    )
    return Step(message=message, outcomes=outcomes)


def history(record: Iterable[events.Event]) -> list[UserMessage | Step]:
    """The history for the next model call, out of the events that hold (see `holding`)."""
    result: list[UserMessage | Step] = []
    message: AssistantMessage | None = None
    finals: list[events.ToolCallFinal] = []

    def close() -> None:
        nonlocal message
        if message is not None:
            result.append(step(message, finals))
        message = None
        finals.clear()

    for event in record:
        match event:
            case events.UserMessage():
                close()
                if event.for_model:
                    result.append(_recorded_message(event))
            case events.AssistantMessage(for_model=True):
                close()
                message = event.message
            case events.ToolCallFinal():
                finals.append(event)
            case events.Compaction(summary=summary):
                close()
                result[:] = [UserMessage(content=(Text(text=summary),))]
            case _:
                continue
    close()
    return result


def holding(record: Sequence[tuple[str, events.Event]]) -> list[tuple[str, events.Event]]:
    """The events (with their ids) that no later `Rewind` took back."""
    kept: list[tuple[str, events.Event]] = []
    for id, event in record:
        if isinstance(event, events.Rewind):
            ids = ["", *(id for id, _ in kept)]
            if event.to in ids:  # a place that is not there any more takes nothing back
                del kept[ids.index(event.to) :]
        else:
            kept.append((id, event))
    return kept


def unfinished(record: Iterable[events.Event]) -> list[ToolCall]:
    """The calls of the answers that have no final record."""
    open_calls: dict[str, ToolCall] = {}
    for event in record:
        if isinstance(event, events.AssistantMessage):
            open_calls.update({call.id: call for call in event.message.tool_calls})
        elif isinstance(event, events.ToolCallFinal):
            open_calls.pop(event.call_id, None)
    return list(open_calls.values())
