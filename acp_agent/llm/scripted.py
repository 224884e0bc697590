"""A provider that plays a script: for tests, for demonstrations, and for clients that want an agent without a model.

A script is a list of steps, in a JSON file either the list itself or `{"steps": [...]}`. Each request takes the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from acp_agent.llm.assembly import Assembly
from acp_agent.llm.messages import AssistantMessage, StopReason, Usage
from acp_agent.llm.provider import Completed, ErrorKind, ModelRequest, ModelStream, ProviderError, StreamEvent


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ScriptedCall(_Section):
    """A tool call; `arguments` as an object, or as the very text that a model might write."""

    name: str
    arguments: dict[str, Any] | str = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """The arguments as the model writes them."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


class ScriptedError(_Section):
    """How a step fails, after whatever it had to say."""

    kind: ErrorKind
    message: str
    status: int | None = None
    retry_after: float | None = None


class ScriptedStep(_Section):
    """One answer. `chunks` is the number of deltas of each text (by default one a word), `delay` seconds before each.

    `hold` keeps the stream open after the last delta until it is cancelled.
    """

    thinking: str = ""
    text: str = ""
    tool_calls: tuple[ScriptedCall, ...] = ()
    usage: Usage | None = None
    stop_reason: StopReason | None = None
    chunks: int | None = Field(None, ge=1)
    delay: float = Field(0, ge=0)
    error: ScriptedError | None = None
    hold: bool = False


class ScriptInvalid(ValueError):
    """A script that cannot be played; the message says where and why."""


def script(steps: Sequence[ScriptedStep | Mapping[str, Any]], source: str = "script") -> list[ScriptedStep]:
    """Steps from plain data. Raises `ScriptInvalid`."""
    checked: list[ScriptedStep] = []
    for number, step in enumerate(steps, 1):
        try:
            checked.append(step if isinstance(step, ScriptedStep) else ScriptedStep.model_validate(step))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ScriptInvalid(f"{source}: step {number}: {where}: {first['msg']}") from None
    return checked


def read_script(path: Path) -> list[ScriptedStep]:
    """Steps from a JSON file. Raises `ScriptInvalid`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptInvalid(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ScriptInvalid(f"{path}: not JSON: {error}") from None
    steps = data.get("steps") if isinstance(data, dict) else data
    if not isinstance(steps, list):
        raise ScriptInvalid(f'{path}: a list of steps, or an object with "steps", is wanted')
    return script(steps, str(path))


class Scripted:
    """A `Provider` that answers each request with the next step.

    `steps` is a list or a JSON file, read at the first request. With a list the `requests` are kept, for a test to look
    at; whoever names a file in a configuration has no use for them, and they would keep every session alive. `gate`, if
    given, is awaited before each delta. `append` adds steps; a request that finds none fails.
    """

    def __init__(
        self,
        steps: Sequence[ScriptedStep | Mapping[str, Any]] | Path = (),
        *,
        name: str = "scripted",
        gate: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._keeps_requests = not isinstance(steps, Path)
        self._file = steps if isinstance(steps, Path) else None
        self._steps = [] if isinstance(steps, Path) else script(steps)
        self._gate = gate
        self._reading = anyio.Lock()

    @property
    def remaining(self) -> int:
        """How many steps are left to play, those of an unread file not counted."""
        return len(self._steps)

    def append(self, *steps: ScriptedStep | Mapping[str, Any]) -> None:
        """Add steps at the end. Raises `ScriptInvalid`."""
        self._steps += script(steps)

    async def warm(self) -> None:
        """There is nothing to load."""

    async def aclose(self) -> None:
        """There is nothing to close."""

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelStream]:
        """Play the next step. Raises `ProviderError` if there is none."""
        if self._keeps_requests:
            self.requests.append(request)
        async with self._reading:  # requests of two sessions may come at once
            if self._file is not None:
                path, self._file = self._file, None
                try:
                    self._steps = [*await anyio.to_thread.run_sync(read_script, path), *self._steps]
                except ScriptInvalid as error:
                    raise self._error(request, "bad_request", str(error)) from None
        if not self._steps:
            raise self._error(request, "bad_request", "the script has no further step")
        step = self._steps.pop(0)
        if step.error is not None and not (step.text or step.thinking or step.tool_calls):
            raise self._step_error(request, step.error)
        yield _ScriptedStream(self._play(step, request), step, request, self._pause)

    def _play(
        self, step: ScriptedStep, request: ModelRequest
    ) -> Callable[[Assembly], Iterator[StreamEvent | ProviderError]]:
        def events(assembly: Assembly) -> Iterator[StreamEvent | ProviderError]:
            for piece in _pieces(step.thinking, step.chunks):
                yield from assembly.thinking(piece)
            for piece in _pieces(step.text, step.chunks):
                yield from assembly.text(piece)
            for key, call in enumerate(step.tool_calls):
                yield from assembly.call(key, call.name, call.text)
                assembly.close_call(key)
            if step.error is not None:
                yield self._step_error(request, step.error)

        return events

    async def _pause(self, delay: float) -> None:
        if self._gate is not None:
            await self._gate()
        await anyio.sleep(delay)

    def _step_error(self, request: ModelRequest, error: ScriptedError) -> ProviderError:
        return self._error(request, error.kind, error.message, error.status, error.retry_after)

    def _error(
        self,
        request: ModelRequest,
        kind: ErrorKind,
        message: str,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> ProviderError:
        return ProviderError(
            f"{self.name}/{request.model}: {message}",
            kind=kind,
            provider=self.name,
            model=request.model,
            status=status,
            retry_after=retry_after,
        )


class _ScriptedStream:
    def __init__(
        self,
        events: Callable[[Assembly], Iterator[StreamEvent | ProviderError]],
        step: ScriptedStep,
        request: ModelRequest,
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._assembly = Assembly(request.new_call_id)
        self._events = events(self._assembly)
        self._step = step
        self._pause = pause
        self._over = False

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._over:
            raise StopAsyncIteration
        # The gate comes first: what is behind it is not in the snapshot yet.
        await self._pause(self._step.delay)
        event = next(self._events, None)
        if event is None:
            if self._step.hold:
                await anyio.sleep_forever()
            self._over = True
            return self._completed()
        if isinstance(event, ProviderError):
            self._over = True
            raise event
        return event

    def snapshot(self) -> AssistantMessage:
        return self._assembly.snapshot()

    def _completed(self) -> Completed:
        stop = self._step.stop_reason or ("tool_calls" if self._step.tool_calls else "end_turn")
        return Completed(self._assembly.message(stop), self._step.usage, stop)


def _pieces(text: str, chunks: int | None) -> Iterator[str]:
    if chunks is None:
        yield from re.findall(r"\S*\s*", text)
        return
    start = 0
    for number in range(chunks):
        end = (number + 1) * len(text) // chunks
        yield text[start:end]
        start = end
