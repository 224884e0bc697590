"""The durable record of a session: an append-only sequence of events.

The union is fixed. An event is written before the client hears of what it tells, so whatever a client saw can be read
back. Undoing and forking append; nothing is ever deleted or changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from acp_agent.llm.messages import AssistantMessage as ModelMessage, Audio, Image, Text, Usage as ModelUsage
from acp_agent.schema import ContentBlock, PlanEntry, ToolCallContent, ToolCallLocation, ToolKind


class FromBlock(BaseModel):
    """What block `number` of the prompt, counted from 0, says by itself: data is not kept twice."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    type: Literal["block"] = "block"
    number: int


RecordedPart: TypeAlias = Annotated[Text | Image | Audio | FromBlock, Field(discriminator="type")]


class _Event(BaseModel):
    """`version` is that of the event's own shape; a reader ignores fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    version: Literal[1] = 1


class UserMessage(_Event):
    """A prompt was accepted: its content blocks as the client sent them.

    `content` is what the model is sent of it, where that does not follow from the blocks alone: files were read, a
    command stood there. `for_model` is false for a command that was answered here, which no model is sent.
    """

    type: Literal["user_message"] = "user_message"
    message_id: str
    blocks: tuple[ContentBlock, ...]
    content: tuple[RecordedPart, ...] | None = None
    for_model: bool = True


class AssistantMessage(_Event):
    """The model answered. `interrupted` marks an answer that was cut off; only what was shown stands in it.

    `for_model` is false for text of our own (an error, a note), which is replayed to people and never sent to a model.
    """

    type: Literal["assistant_message"] = "assistant_message"
    message_id: str
    message: ModelMessage
    model: str = ""
    interrupted: bool = False
    for_model: bool = True


class ToolCallFinal(_Event):
    """A tool call ended: what was shown of it, what the model was told, and how it came to run.

    `started` and `ended` are seconds since 1970, `size` the bytes of the whole output before it was cut. `decision`
    tells why it ran or did not: allowed by rule, allowed by a person, refused by rule, refused by a person, cancelled.
    """

    type: Literal["tool_call_final"] = "tool_call_final"
    call_id: str
    name: str
    kind: ToolKind = "other"
    title: str
    status: Literal["completed", "failed"]
    raw_input: Any = None
    raw_output: Any = None
    content: tuple[ToolCallContent, ...] = ()
    locations: tuple[ToolCallLocation, ...] = ()
    output: str
    images: tuple[Image, ...] = ()
    started: float
    ended: float
    size: int = 0
    decision: str = "allowed"


class ModeChanged(_Event):
    """Another mode holds from here on."""

    type: Literal["mode_changed"] = "mode_changed"
    mode: str


class OptionChanged(_Event):
    """Another value of a configuration option (for example the model) holds from here on."""

    type: Literal["option_changed"] = "option_changed"
    option: str
    value: str


class PlanChanged(_Event):
    """The plan as a whole."""

    type: Literal["plan_changed"] = "plan_changed"
    entries: tuple[PlanEntry, ...]


class Usage(_Event):
    """The tokens of one model request. `size` is the model's window where it is known, `cost` in US dollars."""

    type: Literal["usage"] = "usage"
    usage: ModelUsage
    size: int | None = None
    cost: float | None = None


class Title(_Event):
    """The session's title."""

    type: Literal["title"] = "title"
    title: str


class Compaction(_Event):
    """Everything before stands, for the model, in this summary."""

    type: Literal["compaction"] = "compaction"
    summary: str


class Rewind(_Event):
    """Everything after the event with the id `to` holds no longer; the empty string means from the start."""

    type: Literal["rewind"] = "rewind"
    to: str


Event: TypeAlias = Annotated[
    UserMessage
    | AssistantMessage
    | ToolCallFinal
    | ModeChanged
    | OptionChanged
    | PlanChanged
    | Usage
    | Title
    | Compaction
    | Rewind,
    Field(discriminator="type"),
]

_adapter: TypeAdapter[Event] | None = None


def event_adapter() -> TypeAdapter[Event]:
    """The validator of the union, built when the first record is read: building it takes as long as starting up."""
    global _adapter
    if _adapter is None:
        _adapter = TypeAdapter(Event)
    return _adapter
