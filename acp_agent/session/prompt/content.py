"""From the blocks of a prompt to what the model reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acp_agent.llm.messages import UserMessage, UserPart
from acp_agent.llm.models import ModelInfo, ModelUnknown
from acp_agent.schema import ContentBlock, EmbeddedResource, ResourceLink, TextContent
from acp_agent.session.prompt.attachments import Attachments
from acp_agent.session.prompt.block_parts import block_parts, is_for_model, is_for_person, message_content
from acp_agent.session.prompt.modalities import not_sendable, not_taken
from acp_agent.session.record import history
from acp_agent.session.record.events import RecordedPart
from acp_agent.session.turn_state import Turn


@dataclass(frozen=True, slots=True)
class PromptContent:
    """What the model is sent of a prompt. `recorded` gives it again where the blocks alone would not."""

    message: UserMessage
    recorded: tuple[RecordedPart, ...] | None = None


async def prompt_content(turn: Turn, blocks: Sequence[ContentBlock]) -> PromptContent:
    """What the model is sent of these blocks, in their order: links and mentions of files are followed, once, now.

    What the model cannot take of it is put among the session's notes, which the person is told.
    """
    embedded = [block.resource.uri for block in blocks if isinstance(block, EmbeddedResource) and is_for_model(block)]
    attachments = Attachments(turn.workspace, turn.state.policy, embedded)
    parts: list[UserPart | None] = []
    for block, alone in zip(blocks, block_parts(blocks), strict=True):
        if alone is None:
            continue
        match block:
            case ResourceLink():
                attached = await attachments.linked(block)
                parts += [alone] if attached is None else attached
            case TextContent(text=text) if is_for_person(block):
                parts += [alone, *await attachments.mentioned(text)]
            case _:
                parts.append(alone)
    message = UserMessage(content=message_content(parts))
    info = _model(turn)
    if info is not None:
        turn.state.notes += not_taken(info, turn.state.models.described(info.ref).get("api"), message)
    turn.state.notes += not_sendable(blocks)
    return PromptContent(message, history.recorded(message, blocks))


def _model(turn: Turn) -> ModelInfo | None:
    """The model that will be asked; None if that is not known, which the turn tells."""
    state = turn.state
    try:
        return state.resolution().info
    except ModelUnknown:
        return None
