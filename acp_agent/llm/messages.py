"""What a model is told and what it answers, independent of any vendor.

Messages are immutable, are stored as they stand in the session's record, and form the history that every provider
maps to its own request. A `Step` holds an assistant message together with the result of *each* of its tool calls, so
a history that a vendor would refuse cannot be built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    """Immutable, compact, and tolerant of fields that a newer version wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Text(_Frozen):
    """Text by the user or the model."""

    type: Literal["text"] = "text"
    text: str


class Image(_Frozen):
    """An image by the user or by a tool; `data` is base64."""

    type: Literal["image"] = "image"
    data: str
    mime_type: str


class Audio(_Frozen):
    """A sound by the user; `data` is base64."""

    type: Literal["audio"] = "audio"
    data: str
    mime_type: str


class Thinking(_Frozen):
    """Reasoning. `signature` and `redacted` are a vendor's opaque proofs, sent back to it unchanged."""

    type: Literal["thinking"] = "thinking"
    text: str
    signature: str | None = None
    redacted: str | None = None


class ToolCall(_Frozen):
    """A call that the model wants. `id` is ours, unique in the session; `arguments` is JSON as the model wrote it."""

    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: str


UserPart: TypeAlias = Annotated[Text | Image | Audio, Field(discriminator="type")]
AssistantPart: TypeAlias = Annotated[Text | Thinking | ToolCall, Field(discriminator="type")]

StopReason: TypeAlias = Literal["end_turn", "tool_calls", "max_tokens", "refusal"]


class UserMessage(_Frozen):
    """What the person said, with whatever was attached."""

    role: Literal["user"] = "user"
    content: tuple[UserPart, ...]


class AssistantMessage(_Frozen):
    """What the model answered, in the order in which it wrote it."""

    role: Literal["assistant"] = "assistant"
    content: tuple[AssistantPart, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the order in which the model wrote them."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))


class ToolOutcome(_Frozen):
    """The answer to one tool call, as the model reads it."""

    call_id: str
    name: str
    output: str
    is_error: bool = False
    images: tuple[Image, ...] = ()


class Step(_Frozen):
    """One model call and its tools: `outcomes` answer `message.tool_calls` one to one, in that order."""

    message: AssistantMessage
    outcomes: tuple[ToolOutcome, ...] = ()

    def model_post_init(self, _context: object) -> None:
        """Refuse a step in which a call has no answer, or an answer no call."""
        asked = [call.id for call in self.message.tool_calls]
        answered = [outcome.call_id for outcome in self.outcomes]
        if asked != answered:
            raise ValueError(f"tool calls {asked} were answered by {answered}")


History: TypeAlias = Sequence[UserMessage | Step]


class Usage(_Frozen):
    """Tokens of one model request. `input` counts everything the model read, cached parts included."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    thinking: int | None = None

    @property
    def total(self) -> int:
        """What the request left in the model's window."""
        return self.input + self.output
