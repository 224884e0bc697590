"""The official SDK behind few names: transports, the handshake, requests. The only module that imports it.

Loading this module costs half a second and more, so it is imported in a thread, when the first server is joined.
What the SDK is given from a server was sieved before: a server that talks without end costs no task and no memory.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import httpx2
import jsonschema  # noqa: F401 - loaded here, in the thread, for the first check of arguments
import mcp_types as types
from anyio import to_thread
from anyio.abc import ObjectReceiveStream
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import listen
from mcp.shared.dispatcher import CallOptions, ProgressFnT
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from acp_agent import __version__
from acp_agent.tools.mcp.answers import HttpAnswers
from acp_agent.tools.mcp.errors import ServerGone, ServerRefused, one_line
from acp_agent.tools.mcp.process import MAX_LINE, ServerProcess
from acp_agent.tools.mcp.sieve import Sieve

Streams: TypeAlias = tuple[Any, Any]
"""A transport's ends for reading and writing messages."""

FAILURES = (MCPError, httpx2.HTTPError, OSError, RuntimeError, ValueError, anyio.BrokenResourceError,
            anyio.ClosedResourceError, anyio.EndOfStream, ExceptionGroup)  # fmt: skip
"""What joining a server or talking to it may raise: a server can do nothing worse to us."""

_QUEUE = 256
_CONNECT_SECONDS = 30.0
_TELLS_OLDER = (types.UNSUPPORTED_PROTOCOL_VERSION, types.METHOD_NOT_FOUND)

# Its loggers tell each broken line with a traceback, and without handlers Python writes that to stderr.
for _name in ("mcp", "client", "server"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

_REQUEST: Any = types.Request[Any, str]
_RESULT: TypeAdapter[Any] = TypeAdapter(dict[str, Any])


class McpSession:
    """A joined server: what it offers, and requests to it."""

    def __init__(self, client: ClientSession, dispatcher: JSONRPCDispatcher[Any]) -> None:
        self._client = client
        self._dispatcher = dispatcher
        capabilities = client.server_capabilities
        self.capabilities: Mapping[str, Any] = capabilities.model_dump(exclude_none=True) if capabilities else {}
        self.instructions = client.instructions or ""

    async def ask(self, method: str, params: dict[str, Any], on_progress: ProgressFnT | None = None) -> dict[str, Any]:
        """The result of a request, as it stands. Raises `ServerRefused` and `ServerGone`; a cancellation is passed on.

        The older protocols are asked below the SDK's types: those would refuse a list for one odd member.
        """
        try:
            if self._client.protocol_version in MODERN_PROTOCOL_VERSIONS:
                request = _REQUEST(method=method, params=params)
                result: dict[str, Any] = await self._client.send_request(
                    request, _RESULT, progress_callback=on_progress
                )
                return result
            options: CallOptions = {} if on_progress is None else {"on_progress": on_progress}
            return await self._dispatcher.send_raw_request(method, params, options)
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                raise ServerGone("the connection ended before it answered") from error
            raise ServerRefused(one_line(error.message) or f"error {error.code}") from error
        except ValidationError as error:
            raise ServerRefused("its answer is not what the protocol asks for") from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, RuntimeError) as error:
            raise ServerGone("the connection ended", delivered=False) from error

    async def watch_lists(self, on_change: Callable[[], None]) -> None:
        """Hear of changed lists from a server of the newest protocol, which has to be asked for that."""
        if self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        try:
            async with listen(
                self._client, tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
            ) as heard:
                async for _event in heard:
                    on_change()
        except FAILURES:
            return  # it offers no such stream; its lists stay as they are


@asynccontextmanager
async def join(
    transport: AbstractAsyncContextManager[Streams],
    roots: Sequence[Path],
    on_change: Callable[[], None],
    on_end: Callable[[], None],
) -> AsyncIterator[McpSession]:
    """Shake hands over a transport. Raises one of `FAILURES`; `on_end` is called when nothing more will be heard."""
    info = types.Implementation(name="acp-agent", version=__version__)
    queue, queued = anyio.create_memory_object_stream[SessionMessage](_QUEUE)

    async def list_roots(context: ClientRequestContext) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=root.as_uri(), name=root.name) for root in roots])

    async with queue, queued, transport as (read, write), anyio.create_task_group() as tasks:
        sieve = Sieve(read, on_change, on_end)
        # Behind a queue, so that the word of a cancellation waits for no server that does not read.
        tasks.start_soon(_forward, queued, write, on_end)
        dispatcher: JSONRPCDispatcher[Any] = JSONRPCDispatcher(sieve, sieve.counted(queue))
        async with ClientSession(dispatcher=dispatcher, client_info=info, list_roots_callback=list_roots) as client:
            await _shake_hands(client)
            yield McpSession(client, dispatcher)
        tasks.cancel_scope.cancel()


async def _shake_hands(client: ClientSession) -> None:
    """The handshake that nearly all servers know; the newest, that need none, are asked what they are."""
    try:
        await client.initialize()
    except MCPError as error:
        if error.code not in _TELLS_OLDER:
            raise
        await client.discover()


async def _forward(queued: ObjectReceiveStream[SessionMessage], write: Any, on_end: Callable[[], None]) -> None:
    try:
        async for message in queued:
            await write.send(message)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        on_end()


@asynccontextmanager
async def over_process(process: ServerProcess, on_junk: Callable[[str], None]) -> AsyncIterator[Streams]:
    """The lines of a process as a transport. Lines that are no message go to `on_junk`."""
    read_in, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, write_out = anyio.create_memory_object_stream[SessionMessage](0)

    async def hear() -> None:
        async with read_in:
            async for line in process.lines():
                if not line.strip():
                    continue
                try:
                    message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValidationError:
                    on_junk(line[:1000].decode("utf-8", "replace"))
                    await anyio.lowlevel.checkpoint()  # a flood of such lines must leave room for everyone else
                    continue
                await read_in.send(SessionMessage(message))

    async def speak() -> None:
        async with write_out:
            async for each in write_out:
                text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await process.write(text.encode() + b"\n")
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return

    async with AsyncExitStack() as stack:
        for stream in (read_in, read, write, write_out):
            await stack.enter_async_context(stream)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(process.listen)
        tasks.start_soon(hear)
        tasks.start_soon(speak)
        yield read, write
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def over_http(url: str, headers: Sequence[tuple[str, str]], answers: HttpAnswers) -> AsyncIterator[Streams]:
    """Streamable HTTP. `answers` is told of every answer to a message."""
    client = await _client(headers, answers)
    async with client, streamable_http_client(url, http_client=client, max_sse_event_size=MAX_LINE) as streams:
        yield streams


@asynccontextmanager
async def over_sse(url: str, headers: Sequence[tuple[str, str]], answers: HttpAnswers) -> AsyncIterator[Streams]:
    """Requests by HTTP, answers in a stream of events. `answers` is told of every answer by HTTP."""
    client = await _client(headers, answers)

    def made(
        headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        return client

    async with sse_client(url, httpx_client_factory=made) as streams:
        yield streams


async def _client(headers: Sequence[tuple[str, str]], answers: HttpAnswers) -> httpx2.AsyncClient:
    async def heard(response: httpx2.Response) -> None:
        location = response.headers.get("location", "")
        answers.heard(response.request.method, response.status_code, response.headers.get("content-type", ""), location)

    # A call may take its time, and a stream may be silent for hours: only connecting has a limit.
    timeout = httpx2.Timeout(_CONNECT_SECONDS, read=None)
    # Reading the certificates of the system takes a while.
    return await to_thread.run_sync(
        lambda: httpx2.AsyncClient(headers=list(headers), timeout=timeout, event_hooks={"response": [heard]})
    )


def reason(error: BaseException) -> str:
    """Why a server cannot be joined, as one of `FAILURES` tells it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case httpx2.ConnectError():
            return f"nothing answers at its address ({one_line(str(error), 200) or 'no connection'})"
        case httpx2.TimeoutException():
            return "nothing answers at its address (the connection timed out)"
        case MCPError():
            return f"it answered the handshake with an error: {one_line(error.message)}"
        case ValidationError():
            return "its answer is not what the protocol asks for"
        case _:
            return one_line(str(error)) or type(error).__name__
