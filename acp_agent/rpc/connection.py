"""One peer: a reader that never waits for the writer, a writer that keeps order, and a task for each request.

Admission rule: the reader *calls* the handler of each message, in wire order, and only the work that the handler
returns runs in a task. So whatever a handler claims before its first await is claimed in wire order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import anyio
from anyio.abc import TaskGroup

from acp_agent.log import Log
from acp_agent.rpc.messages import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    REQUEST_CANCELLED,
    Id,
    Invalid,
    Notification,
    Request,
    Response,
    RpcError,
    decode,
    error_message,
    result_message,
)
from acp_agent.rpc.outbox import Merge, Outbox
from acp_agent.rpc.transport import EndOfMessages, MessageTooLong, Transport

CANCEL_REQUEST = "$/cancel_request"

MAX_UNANSWERED = 1000
MAX_UNANSWERED_BYTES = 32 * 1024 * 1024

MAX_LATE = 1000

_FLUSH_SECONDS = 0.3

Undo: TypeAlias = Callable[[Any], Iterable[tuple[str, dict[str, Any]]]]
"""The requests (method and params) that take back what a result stands for. It does not wait, and raises nothing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A result, and what must follow its response on the wire."""

    result: Any
    after: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """An admitted request. `run` gives the result or a `Reply`, or raises `RpcError`.

    `cancel`, where given, asks the work to end by itself with an answer of its own; otherwise a cancelled request is
    interrupted and answered with -32800.
    """

    run: Callable[[], Awaitable[Any]]
    cancel: Callable[[], None] | None = None


class Handler(Protocol):
    """Whoever serves the connection. Its methods are called by the reader and must not wait."""

    def on_request(self, method: str, params: Any) -> Work:
        """Admit a request. Raises `RpcError` to refuse it."""

    def on_notification(self, method: str, params: Any) -> None:
        """Take a notification. Whatever goes wrong in it is not told to the peer."""

    def on_end(self) -> None:
        """The peer sends nothing more."""


_Key: TypeAlias = tuple[type, Id]


@dataclass(slots=True)
class _Running:
    scope: anyio.CancelScope
    cancel: Callable[[], None] | None
    size: int


class _Answer:
    """The place where an answer to one of our own requests arrives."""

    __slots__ = ("arrived", "response")

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.response: Response | None = None


class Connection:
    """A JSON-RPC 2.0 peer over any transport.

    `merge` joins notifications when the peer lags. Ids of our own requests are strings: a client exists that takes a
    request whose id equals one of its own for an answer.
    """

    def __init__(self, transport: Transport, handler: Handler, log: Log, merge: Merge) -> None:
        self._transport = transport
        self._handler = handler
        self._log = log
        self._outbox = Outbox(merge)
        self._running: dict[_Key, _Running] = {}
        self._answers: dict[str, _Answer] = {}
        self._late: dict[str, Undo] = {}
        self._request_count = 0
        self._unanswered = 0
        self._running_bytes = 0
        self._dropping = False
        self._reading = anyio.CancelScope()

    async def run(self) -> None:
        """Serve until the peer sends nothing more; then end every request, write what waits, and close."""
        try:
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._write)
                async with anyio.create_task_group() as serving:
                    with self._reading:
                        await self._read(serving)
                    self._handler.on_end()
                    serving.cancel_scope.cancel()
                with anyio.move_on_after(_FLUSH_SECONDS, shield=True):
                    await self._outbox.drained()
                writing.cancel_scope.cancel()
        finally:
            self._outbox.close()
            self._transport.close()

    async def notify(self, method: str, params: dict[str, Any], size: int = 256) -> None:
        """Send a notification; waits while the peer lags far behind. `size` is a rough length in bytes."""
        await self._outbox.room()
        self.notify_now(method, params, size)

    def notify_now(self, method: str, params: dict[str, Any], size: int = 256) -> None:
        """Send a notification without waiting: for what must be said while something is being cancelled."""
        self._outbox.put({"jsonrpc": "2.0", "method": method, "params": params}, size)

    async def request(self, method: str, params: dict[str, Any], size: int = 256, undo: Undo | None = None) -> Any:
        """Ask the peer; gives its result. Raises `RpcError` for its error.

        When the caller is cancelled, the peer is told with `$/cancel_request`. An answer that comes after that is
        ignored, or, with `undo`, taken back: the requests for it are sent, and nobody waits for their answers.
        """
        await self._outbox.room()
        id = self._next_id()
        answer = self._answers[id] = _Answer()
        self._outbox.put({"jsonrpc": "2.0", "id": id, "method": method, "params": params}, size)
        try:
            await answer.arrived.wait()
        except anyio.get_cancelled_exc_class():
            if undo is not None:
                self._give_up(id, answer.response, undo)
            raise
        finally:
            del self._answers[id]
            if answer.response is None:
                self.notify_now(CANCEL_REQUEST, {"requestId": id})
        response = answer.response
        assert response is not None
        if response.error is not None:
            raise _peer_error(response.error)
        return response.result

    def _next_id(self) -> str:
        self._request_count += 1
        return f"agent-{self._request_count}"

    def _give_up(self, id: str, response: Response | None, undo: Undo) -> None:
        """Take the answer back, if it came in the very moment of the cancellation, or else when it comes."""
        if response is not None:
            self._take_back(response, undo)
            return
        if len(self._late) >= MAX_LATE:  # a peer that answered none of so many: the oldest is given up
            del self._late[next(iter(self._late))]
        self._late[id] = undo

    def _take_back(self, response: Response, undo: Undo) -> None:
        if response.error is None:
            for method, params in undo(response.result):
                self._outbox.put({"jsonrpc": "2.0", "id": self._next_id(), "method": method, "params": params}, 256)

    def _take_answer(self, response: Response) -> None:
        if not isinstance(response.id, str):
            return
        answer = self._answers.get(response.id)
        if answer is not None and answer.response is None:
            answer.response = response
            answer.arrived.set()
        elif undo := self._late.pop(response.id, None):
            self._take_back(response, undo)

    async def _read(self, serving: TaskGroup) -> None:
        while True:
            try:
                line = await self._transport.receive()
            except EndOfMessages:
                return
            except MessageTooLong:
                self._refuse(None, RpcError(INVALID_REQUEST, "The line is longer than 64 MiB and was discarded."))
                continue
            match decode(line):
                case Request() as request:
                    self._admit(request, serving)
                case Notification(method, params):
                    self._take_notification(method, params)
                case Response() as response:
                    self._take_answer(response)
                case Invalid(id, error):
                    self._refuse(id, error)

    def _defect(self, method: str, error: Exception) -> RpcError:
        self._log("request.failed", level="ERROR", method=method[:200], error=repr(error))
        text = f"The agent failed while serving {method[:200]}: {type(error).__name__}. See the log file."
        return RpcError(INTERNAL_ERROR, text)

    def _take_notification(self, method: str, params: Any) -> None:
        if method == CANCEL_REQUEST:
            self._cancel_request(params)
            return
        try:
            self._handler.on_notification(method, params)
        except RpcError as error:
            self._log("notification.refused", level="WARN", method=method[:200], error=error.message)
        except Exception as error:  # noqa: BLE001 - nobody waits for an answer, and the connection must go on
            self._defect(method, error)

    def _cancel_request(self, params: Any) -> None:
        id = params.get("requestId") if isinstance(params, dict) else None
        running = self._running.get((type(id), id)) if isinstance(id, str | int) else None
        if running is None:
            return
        if running.cancel is not None:
            running.cancel()
        else:
            running.scope.cancel()

    def _has_room(self) -> bool:
        """Whether one more answer may be owed. A client that only asks and never reads must not fill the memory.

        The largest request does not count: a long turn with big files in its prompt must not make the agent deaf.
        """
        size = self._running_bytes
        if size >= MAX_UNANSWERED_BYTES:
            size -= max((running.size for running in self._running.values()), default=0)
        room = self._unanswered < MAX_UNANSWERED and size < MAX_UNANSWERED_BYTES
        if not room and not self._dropping:
            self._log("requests.dropped", level="WARN", unanswered=self._unanswered, bytes=size)
        self._dropping = not room
        return room

    def _admit(self, request: Request, serving: TaskGroup) -> None:
        if not self._has_room():
            return
        try:
            work = self._handler.on_request(request.method, request.params)
        except RpcError as error:
            self._refuse(request.id, error)
            return
        except Exception as error:  # noqa: BLE001 - a defect in a handler costs its own request, like one in its work
            self._refuse(request.id, self._defect(request.method, error))
            return
        self._unanswered += 1
        self._running_bytes += request.size
        running = _Running(anyio.CancelScope(), work.cancel, request.size)
        self._running[type(request.id), request.id] = running
        serving.start_soon(self._serve, request, work, running)

    def _refuse(self, id: Id, error: RpcError) -> None:
        if self._has_room():
            self._unanswered += 1
            self._answer(error_message(id, error))

    async def _serve(self, request: Request, work: Work, running: _Running) -> None:
        after = None
        message = error_message(request.id, RpcError(REQUEST_CANCELLED, "The request was cancelled."))
        try:
            with running.scope:
                result = await work.run()
                if isinstance(result, Reply):
                    result, after = result.result, result.after
                message = result_message(request.id, result)
        except RpcError as error:
            message = error_message(request.id, error)
        except Exception as error:  # noqa: BLE001 - a defect of ours becomes an answer
            message = error_message(request.id, self._defect(request.method, error))
        finally:
            key = (type(request.id), request.id)
            if self._running.get(key) is running:
                del self._running[key]
            self._running_bytes -= request.size  # before the client can know, and ask for more
            self._answer(message)
        if after is not None:
            await self._follow(request.method, after)

    async def _follow(self, method: str, after: Callable[[], Awaitable[None]]) -> None:
        try:
            await after()
        except Exception as error:  # noqa: BLE001 - the request is answered; what fails behind it ends nothing else
            self._log("request.failed_behind", level="ERROR", method=method[:200], error=repr(error))

    def _answer(self, message: dict[str, Any]) -> None:
        def paid() -> None:
            self._unanswered -= 1

        self._outbox.put(message, 1024, paid)

    async def _write(self) -> None:
        while True:
            lines, written = await self._outbox.take()
            try:
                await self._transport.send(lines)
            except EndOfMessages:
                self._outbox.close()
                self._reading.cancel()  # a peer that hears nothing is gone, whatever it may still say
                return
            for paid in written:
                paid()
            self._outbox.took()


def method_not_found(method: str) -> RpcError:
    """The answer to a method that does not exist or is not advertised."""
    return RpcError(METHOD_NOT_FOUND, f"Unknown method: {method[:200]!r}.", {"method": method[:200]})


def _peer_error(error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(INTERNAL_ERROR, "The client answered with a malformed error.")
    code = error.get("code")
    message = error.get("message")
    return RpcError(
        code if isinstance(code, int) else INTERNAL_ERROR,
        message if isinstance(message, str) else "The client gave no reason.",
        error.get("data"),
    )
