"""One answer of a model: streamed to the client as it comes, kept as a draft meanwhile, merged at the end.

Transient failures are tried again as long as nothing of the answer was shown; the vendors' own retries are off.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from acp_agent.llm.messages import AssistantMessage, Step, StopReason, ToolCall, Usage
from acp_agent.llm.models import ModelInfo
from acp_agent.llm.provider import (
    Completed,
    ModelRequest,
    ModelStream,
    ProviderError,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from acp_agent.schema import (
    AgentMessageChunk,
    AgentThoughtChunk,
    SessionUpdate,
    TextContent,
    ToolCallStart,
)
from acp_agent.session.calls import close_calls
from acp_agent.session.record import events, history
from acp_agent.session.record.store import Draft, StoreError
from acp_agent.session.turn_state import Turn

TRIES = 3
_DRAFT_SECONDS = 0.2
_LONGEST_WAIT = 60.0


@dataclass(slots=True)
class Answer:
    """A complete answer, under the id that its chunks carried. `shown` are the calls that the client saw begin."""

    message_id: str
    message: AssistantMessage
    usage: Usage | None
    stop_reason: StopReason
    shown: Mapping[str, ToolCall]


@dataclass(slots=True)
class _Shown:
    """What the client has seen of an answer that is still open; `chunks` are its texts and thoughts, joined by kind."""

    message_id: str
    anything: bool = False
    calls: dict[str, ToolCall] = field(default_factory=dict)
    chunks: list[tuple[type[AgentMessageChunk | AgentThoughtChunk], list[str]]] = field(default_factory=list)

    def add(self, kind: type[AgentMessageChunk | AgentThoughtChunk], text: str) -> None:
        """Note that a chunk was shown."""
        if not self.chunks or self.chunks[-1][0] is not kind:
            self.chunks.append((kind, []))
        self.chunks[-1][1].append(text)

    def again(self) -> Iterator[SessionUpdate]:
        """The same in few updates, for a client that comes in the middle."""
        for kind, texts in self.chunks:
            id = self.message_id if kind is AgentMessageChunk else f"{self.message_id}-thought"
            yield kind(content=TextContent(text="".join(texts)), message_id=id)


async def ask_model(turn: Turn, info: ModelInfo, request: ModelRequest) -> Answer:
    """Ask, stream, and give the whole answer. Raises `ProviderError` when that failed for good.

    Cut off by a cancellation or an error, what was shown is recorded and the shown tool calls are closed.
    """
    for attempt in range(1, TRIES + 1):
        shown = _Shown(turn.state.services.new_id("msg"))
        try:
            return await _stream(turn, info, request, shown)
        except ProviderError as error:
            if not error.transient or shown.anything or attempt == TRIES:
                raise
            wait = _pause(attempt, error)
            if wait > _LONGEST_WAIT:
                raise
            turn.log("model.retry", level="WARN", attempt=attempt, wait=round(wait, 2), error=str(error))
            await anyio.sleep(wait)
    raise AssertionError("the last try returns or raises")


async def _stream(turn: Turn, info: ModelInfo, request: ModelRequest, shown: _Shown) -> Answer:
    stream: ModelStream | None = None
    try:
        provider = turn.state.models.provider(info.ref)
        async with provider.stream(request) as stream:
            turn.showing.answer = shown.message_id, shown.again
            with _draft(turn, shown, stream):
                async for event in stream:
                    if isinstance(event, Completed):
                        return Answer(shown.message_id, event.message, event.usage, event.stop_reason, shown.calls)
                    await _show(turn, shown, event)
        raise ProviderError(
            f"{info.ref} ended its answer without saying so",
            kind="protocol",
            provider=info.ref.provider,
            model=info.ref.model,
        )
    except BaseException:
        if shown.anything:
            with anyio.CancelScope(shield=True):
                await _keep(turn, info, shown, stream)
        raise


async def _show(turn: Turn, shown: _Shown, event: TextDelta | ThinkingDelta | ToolCallDelta) -> None:
    match event:
        case TextDelta(text=text) if text:
            shown.anything = turn.in_text = True
            await turn.show(AgentMessageChunk(content=TextContent(text=text), message_id=shown.message_id))
            shown.add(AgentMessageChunk, text)
        case ThinkingDelta(text=text) if text:
            shown.anything = True
            thought = f"{shown.message_id}-thought"
            await turn.show(AgentThoughtChunk(content=TextContent(text=text), message_id=thought))
            shown.add(AgentThoughtChunk, text)
        case ToolCallDelta(id=id, name=name) if id not in shown.calls:
            shown.anything = True
            shown.calls[id] = ToolCall(id=id, name=name, arguments="{}")
            tool = turn.state.tools().get(name)
            kind = tool.kind if tool else "other"
            await turn.show(ToolCallStart(tool_call_id=id, title=name, name=name, kind=kind, status="pending"))
        case _:
            return


@contextmanager
def _draft(turn: Turn, shown: _Shown, stream: ModelStream) -> Iterator[None]:
    """Keep what was shown on the disk, at most 250 ms behind, for as long as the stream is open."""
    scope = anyio.CancelScope()
    turn.state.tasks.start_soon(_keep_draft, turn, shown, stream.snapshot, scope)
    try:
        yield
    finally:
        scope.cancel()


async def _keep_draft(
    turn: Turn, shown: _Shown, snapshot: Callable[[], AssistantMessage], scope: anyio.CancelScope
) -> None:
    written = AssistantMessage(content=())
    with scope:
        while True:
            await anyio.sleep(_DRAFT_SECONDS)
            message = _with_begun(snapshot(), shown)
            if message == written:
                continue
            written = message
            try:
                await turn.state.services.store.write_draft(turn.state.id, Draft(shown.message_id, message))
            except StoreError as error:
                turn.log("draft.failed", level="ERROR", error=str(error))
                return


def _with_begun(message: AssistantMessage, shown: _Shown) -> AssistantMessage:
    """The snapshot, and the calls that were shown but are still being written: they will need an end."""
    known = {call.id for call in message.tool_calls}
    begun = tuple(call for call in shown.calls.values() if call.id not in known)
    return AssistantMessage(content=message.content + begun) if begun else message


async def _keep(turn: Turn, info: ModelInfo, shown: _Shown, stream: ModelStream | None) -> None:
    """Record what was shown of an answer that broke off. An unfinished call is closed and never run."""
    message = stream.snapshot() if stream is not None else AssistantMessage(content=())
    message = AssistantMessage(content=tuple(part for part in message.content if not isinstance(part, ToolCall)))
    await close_calls(turn, tuple(shown.calls.values()), history.CANCELLED)
    if message.content:
        event = events.AssistantMessage(
            message_id=shown.message_id, message=message, model=str(info.ref), interrupted=True
        )
        await turn.keep(event)
        turn.state.history.append(Step(message=message))


def _pause(attempt: int, error: ProviderError) -> float:
    """Seconds until the next try: what the vendor asks for, else doubling with jitter."""
    if error.retry_after is not None:
        return max(error.retry_after, 0.0)
    return float(0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2))
