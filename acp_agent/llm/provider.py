"""How the turn talks to a model: one request in, a stream of deltas out, then one final message or one error.

Deltas are for the eye; `Completed.message` is for the record. Whoever implements `Provider` does the merging.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from acp_agent.llm.messages import AssistantMessage, History, StopReason, Usage


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call.

    `reminder` is text for the end of the last user message; it never enters the stored history. `new_call_id` names
    the tool calls: vendors repeat theirs, ours are unique in the session.
    """

    model: str
    system: str
    history: History
    new_call_id: Callable[[], str]
    tools: tuple[ToolSpec, ...] = ()
    reminder: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of the reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call. The first one of a call carries its `name`; `id` is ours and the same in `Completed`."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a stream: the whole message, merged."""

    message: AssistantMessage
    usage: Usage | None
    stop_reason: StopReason


StreamEvent: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta | Completed


class ModelStream(Protocol):
    """An open answer. Iterating yields deltas and then exactly one `Completed`, or raises `ProviderError`."""

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Iterate over the events, once."""

    def snapshot(self) -> AssistantMessage:
        """What was shown so far; an unfinished tool call is left out."""


class Provider(Protocol):
    """One configured vendor endpoint. `name` is the provider id of the configuration."""

    name: str

    def stream(self, request: ModelRequest) -> AbstractAsyncContextManager[ModelStream]:
        """Open a stream; leaving the context closes the connection at once. Entering may raise `ProviderError`."""

    async def warm(self) -> None:
        """Import what a stream needs, off the event loop. May be called any number of times."""

    async def aclose(self) -> None:
        """Close what is open. The provider is not used after this."""


ErrorKind: TypeAlias = Literal[
    "auth", "quota", "rate_limit", "overloaded", "network", "context_overflow", "bad_request", "not_found", "protocol"
]

TRANSIENT: frozenset[ErrorKind] = frozenset({"rate_limit", "overloaded", "network"})


class ProviderError(Exception):
    """A model call failed. The message is one line for a person: provider, model, status, cause, what to do.

    It holds no secrets. `status` is the HTTP status if there was one; `retry_after` is in seconds if the vendor named
    a time.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        provider: str,
        model: str,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after = retry_after

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.kind in TRANSIENT
