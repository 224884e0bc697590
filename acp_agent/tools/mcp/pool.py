"""The connections of this process, by what they lead to. Sessions with an equal server share it; no others see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup

from acp_agent.log import Log
from acp_agent.tools.mcp.connection import Connection, JoinedFor
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.process_table import ProcessTable

_Key: TypeAlias = tuple[ServerSpec, tuple[str, ...], frozenset[tuple[str, str]]]


class McpPool:
    """Makes connections and ends them when the last session leaves. `processes` knows every local server.

    The tasks of the connections live here and in no session, so the session that came first may also leave first.
    """

    def __init__(self, log: Log) -> None:
        self.processes = ProcessTable()
        self._log = log
        self._tasks: TaskGroup | None = None
        self._newest: dict[_Key, Connection] = {}
        self._users: dict[Connection, int] = {}
        self._made = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which servers can be joined; at its end all of them are gone."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                self._tasks = None

    def join(self, spec: ServerSpec, joined_for: JoinedFor, *, anew: bool = False) -> Connection:
        """A connection that is ready or being joined; each `join` is undone by one `leave`.

        `anew` makes one in any case; those who have an older one keep it. Raises `RuntimeError` outside of `running`.
        """
        if self._tasks is None:
            raise RuntimeError("MCP servers can only be joined while the pool is running")
        key = (spec, tuple(str(root) for root in joined_for.roots), frozenset(joined_for.environment.items()))
        connection = self._newest.get(key)
        if connection is None or anew or not connection.alive:
            self._made += 1
            connection = Connection(spec, joined_for, self.processes, f"mcp{self._made}", self._log)
            self._newest[key] = connection
            self._tasks.start_soon(connection.run)
        self._users[connection] = self._users.get(connection, 0) + 1
        return connection

    async def leave(self, connection: Connection) -> None:
        """Give a connection back. The last to leave ends the server and waits for its end."""
        self._users[connection] -= 1
        if self._users[connection]:
            return
        del self._users[connection]
        for key in [key for key, each in self._newest.items() if each is connection]:
            del self._newest[key]
        await connection.stop()
