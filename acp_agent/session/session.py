"""A session as a thing that runs: one owner task that serves one piece of work after the other.

Work is claimed with a plain call, so whoever calls in wire order is served in wire order, and a cancellation that
comes right behind a prompt finds it, even while the session is still being opened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from acp_agent.rpc.messages import INVALID_REQUEST, REQUEST_CANCELLED, RpcError
from acp_agent.schema import ContentBlock
from acp_agent.session.client import Client
from acp_agent.session.commands import invocation
from acp_agent.session.state import SessionState
from acp_agent.session.turn import StopReason, run_turn

T = TypeVar("T")

MAX_QUEUED = 16
MAX_STEERED_BYTES = 32 * 1024 * 1024
_CLOSE_SECONDS = 1.0


class Ticket(Generic[T]):
    """A claimed place in a session's queue, and later what came of it. `is_turn`: `session/cancel` ends it."""

    def __init__(self, work: Callable[[], Awaitable[T]], *, is_turn: bool = False) -> None:
        self.is_turn = is_turn
        self._work = work
        self._scope = anyio.CancelScope()
        self._begun = False
        self._done = anyio.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self.cancelled = False

    @property
    def over(self) -> bool:
        """Whether the result stands."""
        return self._done.is_set()

    def cancel(self) -> None:
        """End it; what has not begun is over at once and never begins. What is over stays as it is."""
        if self.over:
            return
        self.cancelled = True
        if self._begun:
            self._scope.cancel()
        else:
            self._done.set()

    async def serve(self) -> None:
        """Do the work; called by the session's owner task."""
        self._begun = True
        with self._scope:
            try:
                self._value = await self._work()
                self.cancelled = False  # it came to its end before the cancellation did
            except Exception as error:  # noqa: BLE001 - carried to whoever waits for the result
                self._error = error
        if self.cancelled and not self._scope.cancelled_caught and self._error is not None:
            self._error = None  # an error on the way out of a cancellation is not the answer
        self._done.set()

    def fail(self, error: Exception) -> None:
        """End a ticket that cannot be served."""
        if not self.over:
            self._error = error
            self._done.set()

    async def result(self) -> T:
        """Wait for the work's result, or raise its error. Cancelled work raises -32800."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        if self.cancelled:
            raise RpcError(REQUEST_CANCELLED, "The request was cancelled.")
        return self._value  # type: ignore[return-value]  # None is a T where T is None


def _size(blocks: Sequence[ContentBlock]) -> int:
    """About the bytes that the blocks hold."""
    found = 0
    for block in blocks:
        inner = getattr(block, "resource", block)
        found += sum(len(getattr(inner, name, None) or "") for name in ("text", "data", "blob", "uri"))
    return found


class Session:
    """One session of this process. `opening` reads or makes its state, once, as the first piece of work needs it."""

    def __init__(self, id: str, opening: Callable[[TaskGroup], Awaitable[SessionState]]) -> None:
        self.id = id
        self._opening = opening
        self._queue: deque[Ticket[Any]] = deque()
        self._current: Ticket[Any] | None = None
        self._claimed = anyio.Event()
        self._ready = anyio.Event()
        self._closing = False
        self._closed = anyio.Event()
        self._tasks: TaskGroup | None = None
        self.state: SessionState | None = None

    def claim(self, work: Callable[[], Awaitable[T]], *, is_turn: bool = False) -> Ticket[T]:
        """Queue work behind what is queued already."""
        ticket = Ticket(work, is_turn=is_turn)
        if self._closing:
            ticket.cancel()
            return ticket
        self._queue = deque(each for each in self._queue if not each.over)  # what was cancelled holds its prompt
        self._queue.append(ticket)
        self._claimed.set()
        return ticket

    def prompt(
        self, blocks: Sequence[ContentBlock], client: Client, trace: Mapping[str, str] | None = None
    ) -> Ticket[StopReason]:
        """Claim the next turn; for `trace` see `run_turn`. Raises `RpcError` when too many prompts wait already."""
        turns = [ticket for ticket in (self._current, *self._queue) if ticket and ticket.is_turn and not ticket.over]
        if len(turns) > MAX_QUEUED:  # one of them runs, or is about to
            text = f"{MAX_QUEUED} prompts wait in this session already. Wait for one to end, or cancel them."
            raise RpcError(INVALID_REQUEST, text, {"sessionId": self.id})

        async def work() -> StopReason:
            return await run_turn(await self.opened(), blocks, client, trace)

        return self.claim(work, is_turn=True)

    @property
    def busy(self) -> bool:
        """Whether a turn runs or waits."""
        turns = (self._current, *self._queue)
        return any(ticket is not None and ticket.is_turn and not ticket.over for ticket in turns)

    def steer(self, blocks: Sequence[ContentBlock]) -> bool:
        """Put a message into the running turn; False if there is none that takes messages, or it is a command.

        Raises `RpcError` when the turn has not taken in enough of the earlier ones yet.
        """
        state = self.state
        if state is None or not state.steerable or invocation(state, blocks) is not None:
            return False
        waiting = sum(_size(each) for each in state.steered)
        if len(state.steered) >= MAX_QUEUED or waiting + _size(blocks) > MAX_STEERED_BYTES:
            text = "The running turn has not read the earlier messages yet. Wait for it, or send a prompt."
            raise RpcError(INVALID_REQUEST, text, {"sessionId": self.id})
        state.steered.append(tuple(blocks))
        return True

    def ready(self) -> Callable[[], Awaitable[SessionState]]:
        """Have the session opened; the result gives the state as soon as it is there, in the middle of a turn too."""
        ticket = None if self.state is not None else self.claim(self.opened)

        async def state() -> SessionState:
            await self._ready.wait()
            if self.state is not None:
                return self.state
            assert ticket is not None
            return await ticket.result()

        return state

    def cancel(self) -> None:
        """End the running turn and every waiting one. Harmless when nothing runs."""
        for ticket in (self._current, *self._queue):
            if ticket is not None and ticket.is_turn:
                ticket.cancel()

    def abandon(self, error: Exception) -> None:
        """Stop serving: the session could not be opened, so whatever waits for it fails in the same way."""
        self._closing = True
        for ticket in self._queue:
            ticket.fail(error)
        self._claimed.set()

    async def opened(self) -> SessionState:
        """The state, read at the first call. For use inside claimed work only."""
        if self.state is None:
            assert self._tasks is not None
            self.state = await self._opening(self._tasks)
            self._ready.set()
        return self.state

    async def run(self) -> None:
        """Serve claimed work until the session is closed: the owner task."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                while not self._closing:
                    if not self._queue:
                        self._claimed = anyio.Event()
                        await self._claimed.wait()
                        continue
                    self._current = self._queue.popleft()
                    if not self._current.over:
                        await self._current.serve()
                    self._current = None
                tasks.cancel_scope.cancel()
        finally:
            self.end()
            self._ready.set()
            if self.state is not None:
                with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                    async with anyio.create_task_group() as closing:
                        closing.start_soon(self.state.mcp.close)
                        closing.start_soon(self.state.workspace.close)
            self._closed.set()

    def end(self) -> None:
        """Cancel what runs and what waits, and serve nothing more."""
        self._closing = True
        for ticket in (self._current, *self._queue):
            if ticket is not None:
                ticket.cancel()
        self._claimed.set()

    async def closed(self) -> None:
        """Wait until the session has ended and all its processes are gone."""
        await self._closed.wait()
