"""From the record to what a model is sent, and from content blocks to what a model reads.

The result is valid by construction: each tool call of an answer has exactly one outcome, in the order of the calls. A
call without a record (the process died) counts as interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from acp_agent.llm.messages import AssistantMessage, Image, Step, Text, ToolCall, ToolOutcome, UserMessage
from acp_agent.schema import (
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session import events

INTERRUPTED = "This call was interrupted before it gave a result. Its effects are unknown: check before repeating it."
CANCELLED = "This call was cancelled by the user before it gave a result."

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def user_message(blocks: Iterable[ContentBlock]) -> UserMessage:
    """What the model reads of a prompt. Links are named, not followed; embedded text stands under its address."""
    parts: list[Text | Image] = []
    for block in blocks:
        match block:
            case TextContent(text=text):
                parts.append(Text(text=text))
            case ImageContent(data=data, mime_type=mime_type):
                parts.append(Image(data=data, mime_type=mime_type))
            case ResourceLink():
                parts.append(Text(text=f"[Attached by reference: {block.name} at {_address(block.uri)}]"))
            case EmbeddedResource(resource=TextResourceContents(uri=uri, text=text)):
                parts.append(Text(text=f"[Attached: {_address(uri)}]\n{text}\n[End of {_address(uri)}]"))
            case EmbeddedResource(resource=BlobResourceContents() as blob):
                if blob.mime_type in IMAGE_TYPES and blob.blob:
                    parts.append(Image(data=blob.blob, mime_type=blob.mime_type))
                else:
                    kind = blob.mime_type or "unknown type"
                    parts.append(Text(text=f"[Attached: {_address(blob.uri)}, {kind}, binary, not shown]"))
            case _:
                continue  # audio is not advertised, and a prompt with it was refused
    return UserMessage(content=tuple(parts))


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
            case events.UserMessage(blocks=blocks):
                close()
                result.append(user_message(blocks))
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


def _address(uri: str) -> str:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else uri
