"""The MCP servers of one session: joined in the background, and what they offer to its turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import TaskGroup

from acp_agent.log import NO_LOG
from acp_agent.tools.base import Tool
from acp_agent.tools.mcp.connection import JoinedFor
from acp_agent.tools.mcp.pool import McpPool
from acp_agent.tools.mcp.prompts import McpPrompt
from acp_agent.tools.mcp.resources import resource_tools
from acp_agent.tools.mcp.server import Server, ServerStatus
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.mcp.tool import McpTool, tool_name

_PATIENCE = 3.0


class McpServers:
    """The servers of a session. `taken` are names of tools that exist without them.

    Nothing is joined before `start`, and what a project's file names not before `allow`.
    """

    def __init__(
        self, specs: Sequence[ServerSpec], joined_for: JoinedFor, pool: McpPool, taken: Collection[str] = ()
    ) -> None:
        self._taken = frozenset(taken)
        self._news = anyio.Event()
        self._servers = {spec.name: Server(spec, joined_for, pool, self._on_news) for spec in specs}
        self._started = False
        self._patient_until: float | None = None
        self._names: dict[tuple[str, str], str] = {}
        self._tools: dict[str, Tool[Any]] = {}
        self._prompts: dict[str, McpPrompt] = {}
        self._resource_tools = resource_tools(self._with_resources)
        self._told: set[str] = set()

    def start(self, tasks: TaskGroup, changed: Callable[[], Awaitable[None]]) -> None:
        """Begin to join every server that may be, and return at once. Harmless if it was called before.

        `changed` is called, in a task of the group, whenever a server settled, was lost, or offers something else.
        """
        if self._started:
            return
        self._started = True
        self._patient_until = anyio.current_time() + _PATIENCE
        if not self._servers:
            return
        tasks.start_soon(self._watch, changed)
        for server in self._servers.values():
            server.join()

    @property
    def tools(self) -> Mapping[str, Tool[Any]]:
        """The tools by name: sorted by server and tool, those for resources last. None ever changes its name."""
        return self._tools

    @property
    def prompts(self) -> Mapping[str, McpPrompt]:
        """The prompts by the name of their slash command, `server_prompt`, in the order of the tools."""
        return self._prompts

    @property
    def instructions(self) -> Mapping[str, str]:
        """What servers want a model to know, by server; at most 2 KiB each."""
        found = {name: server.offers.instructions for name, server in self._servers.items()}
        return {name: text for name, text in found.items() if text}

    def status(self) -> list[ServerStatus]:
        """How every server stands, sorted by name."""
        return [self._servers[name].status for name in sorted(self._servers)]

    def untold(self) -> list[str]:
        """Sentences for the person about servers that failed and tools that were left out; each is given once."""
        said: list[str] = []
        for name in sorted(self._servers):
            server = self._servers[name]
            status = server.status
            if status.state == "failed":
                said.append(f"The MCP server {name} cannot be used. {status.detail[:1].upper()}{status.detail[1:]}.")
            said += [f"The MCP server {name} is joined, but {note}." for note in server.offers.notes]
        new = [each for each in said if each not in self._told]
        self._told.update(new)
        return new

    def waiting_for_trust(self) -> dict[str, ServerSpec]:
        """The servers that are off only because a project's file names them."""
        return {name: server.spec for name, server in self._servers.items() if server.untrusted}

    def allow(self, names: Collection[str]) -> None:
        """A person agreed to these: join them, now or with `start`."""
        for name in names:
            if name in self._servers:
                self._servers[name].allow()
                if self._started:
                    self._servers[name].join()

    async def gathered(self) -> None:
        """Wait until every server is ready, failed or off, but at most until three seconds after the start."""
        if self._patient_until is not None:
            await self.settled(self._patient_until - anyio.current_time())

    async def settled(self, seconds: float) -> None:
        """Wait until every server is ready, failed or off; at most that long."""
        with anyio.move_on_after(max(0.0, seconds)):
            for server in self._servers.values():
                await server.settled()

    async def reconnect(self, name: str) -> None:
        """Leave a server and begin to join it anew. Does nothing if there is none of that name, or it is off."""
        server = self._servers.get(name)
        if server is not None and server.status.state != "off" and self._started:
            self._told = {each for each in self._told if not each.startswith(f"The MCP server {name} cannot")}
            await server.reconnect()

    async def close(self) -> None:
        """Leave every server, side by side. Those that nobody else uses are gone afterwards."""
        async with anyio.create_task_group() as tasks:
            for server in self._servers.values():
                tasks.start_soon(server.close)

    def _on_news(self) -> None:
        self._collect()
        self._news.set()

    async def _watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            await changed()

    def _collect(self) -> None:
        """Name the tools and prompts anew. What has a name keeps it, and what did not change stays the same object."""
        tools: dict[str, Tool[Any]] = {}
        prompts: dict[str, McpPrompt] = {}
        for server_name in sorted(self._servers):
            server = self._servers[server_name]
            for offer in server.offers.tools:
                name = self._name(server_name, offer.name)
                before = self._tools.get(name)
                same = isinstance(before, McpTool) and before.offer == offer and before.server is server
                tools[name] = before if before is not None and same else McpTool(name, server, offer)
            for prompt in server.offers.prompts:
                name = tool_name(server_name, prompt.name, prompts)
                if not name[0].isalpha():
                    name = f"mcp_{name}"  # as commands begin
                prompts[name] = McpPrompt(name, server, prompt)
        if self._with_resources():
            tools.update(self._resource_tools)
        self._tools, self._prompts = tools, prompts

    def _name(self, server: str, tool: str) -> str:
        key = (server, tool)
        if key not in self._names:
            reserved = self._taken | self._resource_tools.keys() | set(self._names.values())
            self._names[key] = tool_name(server, tool, reserved)
        return self._names[key]

    def _with_resources(self) -> dict[str, Server]:
        return {name: self._servers[name] for name in sorted(self._servers) if self._servers[name].offers.resources}


def no_servers() -> McpServers:
    """The servers of a session that has none."""
    return McpServers((), JoinedFor(()), McpPool(NO_LOG))
