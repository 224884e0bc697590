"""One server as one session sees it: joined, lost and joined again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import anyio

from acp_agent.tools.base import ToolError
from acp_agent.tools.mcp.connection import Connection, JoinedFor, OnProgress
from acp_agent.tools.mcp.errors import ServerGone, ServerRefused
from acp_agent.tools.mcp.offers import Offers
from acp_agent.tools.mcp.pool import McpPool
from acp_agent.tools.mcp.spec import ServerSpec

State: TypeAlias = Literal["joining", "ready", "failed", "off", "stopped"]

_LAST_WORDS = 1.0

UNTRUSTED = "a file of the project names it, and nobody has agreed to it yet"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How a server stands, for a person. `detail` says why it failed or is off; `tools` counts those it offers."""

    name: str
    transport: str
    state: State
    detail: str
    tools: int


class Server:
    """A server of a session. `offers` are those of the last connection that was ready: a lost server keeps its tools.

    `told` is called whenever its state or its offers change.
    """

    def __init__(self, spec: ServerSpec, joined_for: JoinedFor, pool: McpPool, told: Callable[[], None]) -> None:
        self.spec = spec
        self.offers = Offers()
        self._joined_for = joined_for
        self._pool = pool
        self._told = told
        self._connection: Connection | None = None
        self._off = spec.off or (UNTRUSTED if spec.needs_trust else None)
        self._closed = False
        self._joining = anyio.Lock()

    @property
    def name(self) -> str:
        """The server's name."""
        return self.spec.name

    @property
    def status(self) -> ServerStatus:
        """How it stands now."""
        transport: str = self.spec.transport
        state: State = "stopped" if self._closed else "off" if self._off else "joining"
        detail = self._off or ""
        if self._connection is not None:
            transport, state, detail = self._connection.transport, self._connection.state, self._connection.detail
        return ServerStatus(self.name, transport, state, detail, len(self.offers.tools))

    @property
    def untrusted(self) -> bool:
        """Whether it is off only because a project's file names it."""
        return self._off == UNTRUSTED

    def allow(self) -> None:
        """A person agreed to it."""
        if self.untrusted:
            self._off = None

    def join(self, *, anew: bool = False) -> None:
        """Begin to join it, if it may be and is not joined. Whatever comes of it is told."""
        if self._off is None and not self._closed and self._connection is None:
            self._connection = self._pool.join(self.spec, self._joined_for, anew=anew)
            self._connection.watch(self._on_change)
            self._on_change()

    async def settled(self) -> None:
        """Wait until it is ready or failed; one that is off is settled."""
        if self._connection is not None:
            await self._connection.settled()

    async def reconnect(self) -> None:
        """Leave it and join it anew, whatever its state. Other sessions that share the connection keep theirs."""
        async with self._joining:
            await self._leave()
            self.join(anew=True)

    async def ask(self, method: str, params: dict[str, Any], on_progress: OnProgress | None = None) -> dict[str, Any]:
        """The result of a request. Raises `ToolError`. A server that was lost is joined again first, once."""
        connection = await self._ready()
        try:
            return await connection.ask(method, params, on_progress)
        except ServerGone as error:
            if error.delivered:
                with anyio.move_on_after(_LAST_WORDS):
                    await connection.ended()  # why is known only then
                raise ToolError(self._lost(connection)) from error
        except ServerRefused as error:
            raise ToolError(f"The MCP server {self.name} answered with an error: {error}") from error
        try:
            return await (await self._ready(but_not=connection)).ask(method, params, on_progress)
        except (ServerGone, ServerRefused) as error:
            raise ToolError(f"The MCP server {self.name} cannot be used: {error}.") from error

    async def close(self) -> None:
        """Leave it for good; waits for its end if nobody else uses it."""
        self._closed = True
        await self._leave()

    async def _ready(self, but_not: Connection | None = None) -> Connection:
        async with self._joining:
            connection = self._connection
            if connection is None or not connection.alive or connection is but_not:
                await self._leave()
                self.join()
                connection = self._connection
        if connection is None:
            raise ToolError(f"The MCP server {self.name} cannot be used: {self.status.detail or 'the session ended'}.")
        await connection.settled()
        if connection.state != "ready":
            raise ToolError(f"The MCP server {self.name} cannot be used: {connection.detail or 'it was stopped'}.")
        return connection

    def _lost(self, connection: Connection) -> str:
        why = f" ({connection.detail})" if connection.detail else ""
        return (
            f"The MCP server {self.name} ended while the call was under way{why}; what it did until then is not known. "
            "With the next call it is started again."
        )

    async def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.unwatch(self._on_change)
            await self._pool.leave(connection)

    def _on_change(self) -> None:
        if self._connection is not None and self._connection.state == "ready":
            self.offers = self._connection.offers
        self._told()
