"""Everything that waits to be written, in order, bounded by the patience of whoever emits.

One queue gives order for free. A slow client makes `put` wait; when it lags far behind, a new notification may be
merged into the one before it, so that a stopped reader costs a bounded amount of memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import anyio

from acp_agent.rpc.messages import encode

_MERGE_ABOVE = 64
_WAIT_ABOVE = 2048
_WAIT_ABOVE_BYTES = 4 * 1024 * 1024
_BATCH_BYTES = 1024 * 1024


class Merge(Protocol):
    """Joins two adjacent notifications of one method, or says with None that they must stay apart."""

    def __call__(self, method: str, earlier: Any, later: Any) -> Any | None:
        """The params that stand for both."""


class _Item:
    """One message that waits. `on_written` is called once it is written; `size` is a rough length in bytes."""

    __slots__ = ("message", "on_written", "size")

    def __init__(self, message: dict[str, Any], size: int, on_written: Callable[[], None] | None) -> None:
        self.message = message
        self.size = size
        self.on_written = on_written


class Outbox:
    """The queue between everybody who sends and the one writer. Sizes are estimates in bytes."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._items: deque[_Item] = deque()
        self._bytes = 0
        self._filled = anyio.Event()
        self._emptied = anyio.Event()
        self._closed = False
        self._in_hand = False

    @property
    def crowded(self) -> bool:
        """Whether whoever can wait should."""
        return len(self._items) > _WAIT_ABOVE or self._bytes > _WAIT_ABOVE_BYTES

    async def room(self) -> None:
        """Wait until the client has read enough. Returns at once when nothing will ever be read again."""
        while self.crowded and not self._closed:
            await self._emptied.wait()

    def put(self, message: dict[str, Any], size: int, on_written: Callable[[], None] | None = None) -> None:
        """Queue a message; `size` is its rough length. Never waits."""
        if self._closed:
            return
        if on_written is None and len(self._items) > _MERGE_ABOVE and self._merged(message, size):
            return
        self._items.append(_Item(message, size, on_written))
        self._bytes += size
        self._filled.set()

    def _merged(self, message: dict[str, Any], size: int) -> bool:
        last = self._items[-1]
        method = message.get("method")
        if method is None or "id" in message or last.message.get("method") != method or "id" in last.message:
            return False
        if last.size + size > _BATCH_BYTES:
            return False
        params = self._merge(method, last.message["params"], message["params"])
        if params is None:
            return False
        last.message = {**message, "params": params}
        last.size += size
        self._bytes += size
        return True

    async def take(self) -> tuple[list[bytes], list[Callable[[], None]]]:
        """Wait for messages; returns a batch of lines and what to call once they are written."""
        while not self._items:
            self._filled = anyio.Event()
            await self._filled.wait()
        lines: list[bytes] = []
        written: list[Callable[[], None]] = []
        size = 0
        while self._items and size < _BATCH_BYTES:
            item = self._items.popleft()
            size += item.size
            lines.append(encode(item.message))
            if item.on_written is not None:
                written.append(item.on_written)
        self._bytes -= size
        self._in_hand = True
        return lines, written

    def took(self) -> None:
        """The batch is written: wake whoever waits for room."""
        self._in_hand = False
        self._emptied.set()
        self._emptied = anyio.Event()

    async def drained(self) -> None:
        """Wait until everything is written, or never will be."""
        while (self._items or self._in_hand) and not self._closed:
            await self._emptied.wait()

    def close(self) -> None:
        """Nothing will be written any more: drop what waits and everything that comes."""
        self._closed = True
        self._items.clear()
        self._bytes = 0
        self.took()
