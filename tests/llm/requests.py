"""Requests, histories and reading of streams for the tests of the providers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from acp_agent.llm.messages import (
    AssistantMessage,
    Audio,
    History,
    Image,
    Step,
    Text,
    Thinking,
    ToolCall,
    ToolOutcome,
    UserMessage,
)
from acp_agent.llm.provider import (
    Completed,
    ModelRequest,
    ModelStream,
    Provider,
    ProviderError,
    StreamEvent,
    ToolSpec,
)

SOUND = Audio(data="UklGRg==", mime_type="audio/x-wav")
PIXEL = Image(data="iVBORw0KGgo=", mime_type="image/png")
READ = ToolSpec("read", "Read a file", {"type": "object", "properties": {"path": {"type": "string"}}})
BASH = ToolSpec("bash", "Run a command", {"type": "object"})


def said(text: str) -> UserMessage:
    return UserMessage(content=(Text(text=text),))


def step(*calls: tuple[str, str], text: str = "", thinking: Thinking | None = None, output: str = "done") -> Step:
    parts = [*([thinking] if thinking else []), *([Text(text=text)] if text else [])]
    asked = [ToolCall(id=call_id, name="read", arguments=arguments) for call_id, arguments in calls]
    outcomes = tuple(ToolOutcome(call_id=call.id, name=call.name, output=output) for call in asked)
    return Step(message=AssistantMessage(content=(*parts, *asked)), outcomes=outcomes)


def request(history: History | None = None, **more: Any) -> ModelRequest:
    numbers = itertools.count(1)
    fields: dict[str, Any] = {"model": "small", "system": "Be brief.", **more}
    return ModelRequest(history=history or (said("hi"),), new_call_id=lambda: f"c{next(numbers)}", **fields)


async def read_all(provider: Provider, asked: ModelRequest | None = None) -> list[StreamEvent]:
    async with provider.stream(asked or request()) as stream:
        return [event async for event in stream]


async def answer(provider: Provider, asked: ModelRequest | None = None) -> Completed:
    last = (await read_all(provider, asked))[-1]
    assert isinstance(last, Completed)
    return last


async def error_of(stream: ModelStream, shown: list[StreamEvent]) -> ProviderError:
    """The error that a stream ends with; what came before it goes to `shown`."""
    try:
        async for event in stream:
            shown.append(event)
    except ProviderError as error:
        return error
    raise AssertionError("the stream ended well")


def message(*content: Text | Thinking | ToolCall) -> AssistantMessage:
    return AssistantMessage(content=content)


def texts(values: Sequence[StreamEvent], kind: type) -> list[str]:
    return [value.text for value in values if isinstance(value, kind)]  # type: ignore[attr-defined]
