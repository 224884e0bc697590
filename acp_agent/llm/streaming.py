"""An open answer over HTTP: bytes to events to deltas, with the patience and the doubts that vendors call for."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from acp_agent.llm.assembly import Assembly, MessageTooLong
from acp_agent.llm.errors import Failures
from acp_agent.llm.messages import AssistantMessage
from acp_agent.llm.provider import Completed, ProviderError, StreamEvent
from acp_agent.llm.sse import EventReader, EventTooLong, ServerEvent

_MAX_MALFORMED = 2
_MAX_DOCUMENT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for each thing.

    `first_byte` runs from the request to the first event of the answer (comments do not count), `idle` between two
    reads after that, `after_finish` from the reason for the end to the end.
    """

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 120.0
    after_finish: float = 5.0


class Malformed(ValueError):
    """Data that cannot be read; a few lines of it are skipped."""


class Interpreter(Protocol):
    """Reads one vendor's events. `finished`: the reason for the end came; `ended`: nothing more will come."""

    assembly: Assembly
    finished: bool
    ended: bool

    def event(self, event: ServerEvent) -> Iterable[StreamEvent]:
        """What an event adds. Raises `Malformed` or `ProviderError`."""

    def document(self, body: bytes) -> Iterable[StreamEvent]:
        """What an answer adds that came as one JSON document. Raises `Malformed` or `ProviderError`."""

    def completed(self) -> Completed:
        """The end, merged."""


class Response(Protocol):
    """As much of the SDKs' HTTP response as is used here."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in any case."""

    def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """The decoded body."""

    async def aclose(self) -> None:
        """Give the connection up."""


@dataclass(frozen=True, slots=True)
class Client:
    """A vendor's client, ready: `post(body)` opens a response, `faults` are what it raises, `close` ends it."""

    post: Callable[[Mapping[str, Any]], Awaitable[Response]]
    close: Callable[[], Awaitable[None]]
    faults: tuple[type[Exception], ...]


def causes(error: BaseException) -> list[tuple[str, str]]:
    """An exception and what led to it, outermost first, as (class name, text)."""
    chain: list[tuple[str, str]] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 10:
        chain.append((type(cause).__name__, str(cause)))
        cause = cause.__cause__ or cause.__context__
    return chain


class VendorStream:
    """The open answer of one request; see `ModelStream`. `first_by` is on anyio's clock."""

    def __init__(
        self,
        client: Client,
        response: Response,
        reader: Interpreter,
        failures: Failures,
        timeouts: Timeouts,
        first_by: float,
    ) -> None:
        self._faults = client.faults
        self._response = response
        self._chunks = response.aiter_bytes()
        self._reader = reader
        self._failures = failures
        self._timeouts = timeouts
        self._first_by = first_by
        self._events = EventReader()
        self._queue: deque[StreamEvent] = deque()
        self._document: list[bytes] | None = None
        self._error: ProviderError | None = None
        self._told = self._some_bytes = self._some_event = self._exhausted = self._over = False
        self._malformed = self._size = 0

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            try:
                await self._advance()
            except ProviderError as error:
                # What came before it in the same piece is shown first.
                self._error = error
            except (EventTooLong, MessageTooLong) as error:
                self._error = self._failures.not_an_answer(str(error))
        return self._queue.popleft()

    def snapshot(self) -> AssistantMessage:
        """What was shown so far."""
        return self._reader.assembly.snapshot()

    async def aclose(self) -> None:
        """Close the connection, or keep it for the next request if the answer can be read to its end."""
        if self._over and self._error is None:
            with anyio.move_on_after(0.05):
                await self._read_rest()
        with anyio.move_on_after(1, shield=True):
            await self._response.aclose()
            # A closed connection says so to its reader: no generator of the client is left suspended.
            await self._read_rest()

    async def _read_rest(self) -> None:
        if self._exhausted:
            return
        try:
            async for _ in self._chunks:
                pass
        except self._faults:
            pass
        self._exhausted = True

    async def _advance(self) -> None:
        chunk = await self._read()
        if chunk is None:
            self._end()
        elif self._document is None and self._is_stream(chunk):
            self._take(self._events.feed(chunk))
        elif self._document is not None:
            self._size += len(chunk)
            if self._size > _MAX_DOCUMENT:
                raise self._failures.not_an_answer("the answer is one document without end")
            self._document.append(chunk)
        if self._reader.ended and not self._over:
            self._complete()

    async def _read(self) -> bytes | None:
        """The next bytes, None at the end. Raises `ProviderError` if they stay away or the connection breaks."""
        limit = self._patience()
        try:
            with anyio.move_on_after(limit) as scope:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    self._exhausted = True
                return chunk
        except self._faults as error:
            self._exhausted = True
            if not self._reader.finished:
                detail = next((text for _, text in reversed(causes(error)) if text), "connection lost")
                raise self._failures.broken(detail) from None
        if scope.cancelled_caught and not self._reader.finished:
            raise self._failures.silent(round(self._timeouts.idle if self._some_event else limit))
        return None

    def _patience(self) -> float:
        if self._reader.finished:
            return self._timeouts.after_finish
        if self._some_event:
            return self._timeouts.idle
        remaining = max(self._first_by - anyio.current_time(), 0.0)
        return min(remaining, self._timeouts.idle) if self._some_bytes else remaining

    def _is_stream(self, chunk: bytes) -> bool:
        start = b"" if self._told else chunk.lstrip(b"\xef\xbb\xbf \t\r\n")
        self._some_bytes = True
        if start:
            self._told = True
        if start.startswith(b"<"):
            raise self._failures.not_an_answer("the answer is an HTML page")
        if start.startswith((b"{", b"[")):
            self._document = []
        return self._document is None

    def _take(self, events: Iterable[ServerEvent]) -> None:
        for event in events:
            self._some_event = True
            if self._reader.ended:
                return
            try:
                self._queue.extend(self._reader.event(event))
            except Malformed as error:
                self._malformed += 1
                if self._malformed > _MAX_MALFORMED:
                    raise self._failures.broken(f"data that cannot be read: {error}") from None

    def _end(self) -> None:
        if self._document is not None:
            try:
                self._queue.extend(self._reader.document(b"".join(self._document)))
            except Malformed as error:
                raise self._failures.broken(f"a document that cannot be read: {error}") from None
        else:
            self._take(self._events.finish())
        if not self._reader.finished:
            raise self._failures.broken("the connection closed before the end")
        self._complete()

    def _complete(self) -> None:
        self._over = True
        self._queue.append(self._reader.completed())
