"""A session's MCP servers without a session: real servers, a real pool."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import psutil

from acp_agent.log import NO_LOG, Log
from acp_agent.schema import SessionUpdate
from acp_agent.tools.base import ToolContext, ToolError, ToolResult
from acp_agent.tools.environment import child_environment
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.mcp.connection import JoinedFor
from acp_agent.tools.mcp.pool import McpPool
from acp_agent.tools.mcp.servers import McpServers
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.spec import parse_arguments

SERVERS = Path(__file__).parents[2] / "fakes" / "mcp_servers"
LONG = 30.0
"""Seconds after which a test that waits is lost; the real server takes a second to start, more on a busy machine."""


def odd(name: str = "odd", *, timeout: float = LONG, **how: Any) -> ServerSpec:
    """The server that misbehaves as told."""
    command = (sys.executable, "-S", str(SERVERS / "odd.py"), json.dumps(how))
    return ServerSpec(name, "stdio", command, timeout=timeout)


def toolbox(name: str = "toolbox", **environment: str) -> ServerSpec:
    """The server made with the SDK, over stdio."""
    command = (sys.executable, str(SERVERS / "toolbox.py"), "stdio")
    return ServerSpec(name, "stdio", command, tuple(environment.items()), timeout=LONG)


def tool(name: str, **fields: Any) -> dict[str, Any]:
    """A tool as a server describes it."""
    return {"name": name, "inputSchema": {"type": "object", "properties": {}}, **fields}


class Web:
    """A server made with the SDK over HTTP. Its port stays its own while it is not running."""

    def __init__(self, kind: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        # Bound and never listening: a connection is refused, and nobody else is given the port.
        self._port = socket.socket()
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._port.setsockopt(socket.SOL_SOCKET, option, 1)
        self._port.bind(("127.0.0.1", 0))
        port = self._port.getsockname()[1]
        self._asked = {"arguments": [kind, f"port={port}", *arguments], "environment": {**os.environ, **environment}}
        self.url = f"http://127.0.0.1:{port}/{'sse' if kind == 'sse' else 'mcp'}"
        self._pid = 0

    def start(self) -> None:
        """Have it listen."""
        nest = _nest()
        assert nest.stdin is not None
        assert nest.stdout is not None
        nest.stdin.write(json.dumps(self._asked) + "\n")
        nest.stdin.flush()
        answer = nest.stdout.readline().split()
        assert answer, "the server did not start"
        self._pid = int(answer[0])

    def kill(self) -> None:
        """End it without a goodbye; it may be started again. Once it is gone nothing answers at its port."""
        if self._pid:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(self._pid)
                process.kill()
                process.wait(LONG)
        self._pid = 0

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._port.close()


@cache
def _nest() -> subprocess.Popen[str]:
    """The process in which all of them are born. It ends with this one."""
    command = [sys.executable, str(SERVERS / "toolbox.py"), "nest"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)


@contextmanager
def web_server(kind: str, *arguments: str, **environment: str) -> Iterator[Web]:
    """The server made with the SDK over HTTP, running."""
    made = Web(kind, arguments, environment)
    try:
        made.start()
        yield made
    finally:
        made.close()


@contextmanager
def web(kind: str, *arguments: str, **environment: str) -> Iterator[str]:
    """The address of the server made with the SDK over HTTP."""
    with web_server(kind, *arguments, **environment) as made:
        yield made.url


def processes() -> list[psutil.Process]:
    """What this process has started and still runs, without the servers that tests started themselves."""
    found = psutil.Process().children(recursive=True)
    if _nest.cache_info().currsize:
        nest = psutil.Process(_nest().pid)
        tests_own = {nest, *nest.children(recursive=True)}
        found = [each for each in found if each not in tests_own]
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]


@dataclass
class Bench:
    """The servers of a session, and what was told of them."""

    servers: McpServers
    workspace: LocalWorkspace
    pool: McpPool
    updates: list[SessionUpdate] = field(default_factory=list)
    changes: int = 0
    news: anyio.Event = field(default_factory=anyio.Event)

    async def changed(self) -> None:
        self.changes += 1
        self.news.set()
        self.news = anyio.Event()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something that was told makes it true."""
        with anyio.fail_after(LONG):
            while not happened():
                await self.news.wait()

    def state(self, name: str) -> str:
        return {status.name: status.state for status in self.servers.status()}[name]

    def detail(self, name: str) -> str:
        return {status.name: status.detail for status in self.servers.status()}[name]

    def context(self) -> ToolContext:
        async def emit(update: SessionUpdate) -> None:
            self.updates.append(update)

        return ToolContext("call", self.workspace.roots[0], self.workspace, emit)

    async def call(self, tool: str, **arguments: Any) -> ToolResult:
        """Call a tool as a turn does, except that nobody is asked."""
        chosen = self.servers.tools[tool]
        params = parse_arguments(chosen, json.dumps(arguments))
        with anyio.fail_after(LONG):
            return await chosen.run(params, self.context())

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Call a tool that must not work, and give its words."""
        try:
            result = await self.call(tool, **arguments)
        except ToolError as error:
            return str(error)
        raise AssertionError(f"{tool} worked: {result.output}")


@asynccontextmanager
async def pool(log: Log = NO_LOG) -> AsyncIterator[McpPool]:
    """A pool that runs."""
    made = McpPool(log)
    try:
        async with made.running():
            yield made
    finally:
        made.processes.kill_all_now()


@asynccontextmanager
async def joining(
    made: McpPool,
    folder: Path,
    *specs: ServerSpec,
    taken: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    start: bool = True,
) -> AsyncIterator[Bench]:
    """A session in the folder that joins the servers; left, it has closed them."""
    environment = child_environment(os.environ if environ is None else environ, ("OPENAI_API_KEY",), ())
    servers = McpServers(specs, JoinedFor((folder,), environment), made, taken)
    bench = Bench(servers, LocalWorkspace((folder,), ProcessTable(), environment), made)
    async with anyio.create_task_group() as tasks:
        if start:
            servers.start(tasks, bench.changed)
        try:
            yield bench
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await servers.close()


@asynccontextmanager
async def joined(folder: Path, *specs: ServerSpec, log: Log = NO_LOG, **how: Any) -> AsyncIterator[Bench]:
    """A session whose servers are ready or failed."""
    async with pool(log) as made, joining(made, folder, *specs, **how) as bench:
        with anyio.fail_after(LONG):
            await bench.servers.settled(LONG)
        yield bench


async def until_exists(path: Path) -> None:
    """Wait for a file that another process makes."""
    with anyio.fail_after(LONG):
        while not path.exists():  # noqa: ASYNC110 - it is another process that makes it
            await anyio.sleep(0.01)
