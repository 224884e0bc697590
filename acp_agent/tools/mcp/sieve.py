"""Between a transport and the SDK: what a server says that nobody waits for is dropped here, and counted as nothing.

The SDK starts a task for every notification. A server that logs ten thousand lines, tells its progress a thousand times
a second or asks without end must cost neither memory nor time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import anyio

_PROGRESS_EVERY = 0.1
_TOKENS = 256
_UNANSWERED = 32

_CHANGES = {
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
}
_PASSED = {"notifications/cancelled", "notifications/subscriptions/acknowledged"}

M_co = TypeVar("M_co", covariant=True)
M = TypeVar("M")


class _Receives(Protocol[M_co]):
    async def receive(self) -> M_co: ...
    async def aclose(self) -> None: ...


class _Sends(Protocol):
    async def send(self, item: Any, /) -> None: ...
    async def aclose(self) -> None: ...


class Sieve(Generic[M]):
    """A stream of messages without what nobody waits for. Changed lists go to `on_change`, the end to `on_end`."""

    def __init__(self, inner: _Receives[M], on_change: Callable[[], None], on_end: Callable[[], None]) -> None:
        self._inner = inner
        self._on_change = on_change
        self._on_end = on_end
        self._told: dict[str | int, float] = {}
        self._unanswered: set[str | int] = set()

    async def receive(self) -> M:
        """The next message that counts."""
        while True:
            try:
                item = await self._inner.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                self._on_end()
                raise
            if self._passes(getattr(item, "message", None)):
                return item

    def counted(self, out: _Sends) -> _Counted:
        """The stream in the other direction, by which the answers to the server's own requests go out."""
        return _Counted(out, self._unanswered)

    def _passes(self, message: Any) -> bool:
        method = getattr(message, "method", None)
        if message is None:
            return False  # the transport could not read it
        if method is None:
            return True
        id = getattr(message, "id", None)
        if id is not None:
            if len(self._unanswered) >= _UNANSWERED:
                return False  # it asks faster than it reads our answers
            self._unanswered.add(id)
            return True
        if method in _CHANGES:
            self._on_change()
        if method == "notifications/cancelled":
            self._unanswered.discard((message.params or {}).get("requestId"))
        if method == "notifications/progress":
            return self._is_due(message.params)
        # What ends or begins a stream of changes has to arrive, whatever it is called.
        return method in _PASSED or (method in _CHANGES and bool((message.params or {}).get("_meta")))

    def _is_due(self, params: Any) -> bool:
        token = params.get("progressToken") if isinstance(params, dict) else None
        if not isinstance(token, str | int):
            return False
        now = anyio.current_time()
        if now - self._told.get(token, -1.0) < _PROGRESS_EVERY:
            return False
        if len(self._told) >= _TOKENS:
            self._told.clear()
        self._told[token] = now
        return True

    async def aclose(self) -> None:
        """Close the stream behind it."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> M:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        await self.aclose()
        return None


class _Counted:
    """A stream out that notes which of the server's requests were answered."""

    def __init__(self, inner: _Sends, unanswered: set[str | int]) -> None:
        self._inner = inner
        self._unanswered = unanswered

    async def send(self, item: Any, /) -> None:
        """Send a message on."""
        message = item.message
        if getattr(message, "method", None) is None:
            self._unanswered.discard(message.id)
        await self._inner.send(item)

    async def aclose(self) -> None:
        """Close the stream behind it."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        await self.aclose()
        return None
