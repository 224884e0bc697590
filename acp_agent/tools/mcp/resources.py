"""Resources of servers: three tools, which exist as long as a joined server has any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolKind
from acp_agent.tools.base import CallSummary, Subject, Tool, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.mcp.errors import one_line
from acp_agent.tools.mcp.offers import ResourceOffer
from acp_agent.tools.mcp.results import Content, as_result
from acp_agent.tools.mcp.server import Server
from acp_agent.tools.workspace import Workspace

Servers: TypeAlias = Callable[[], Mapping[str, Server]]
"""The servers of the session that have resources, by name."""

_MOST_CONTENTS = 50


class ListParams(ToolParams):
    """Arguments of the lists."""

    server: str | None = Field(default=None, description="only this server")


class ReadParams(ToolParams):
    """Arguments of `read_mcp_resource`."""

    server: str = Field(description="the server that lists it")
    uri: str = Field(description="its address, as listed or made from a template")


class ListResources:
    """Lists resources, or templates of their addresses, as the servers told them. Asks nobody."""

    kind: ToolKind = "read"
    params: type[ListParams] = ListParams

    def __init__(self, servers: Servers, *, templates: bool) -> None:
        self.name = "list_mcp_resource_templates" if templates else "list_mcp_resources"
        what = "templates for addresses of resources" if templates else "resources (files, records, pages)"
        self.description = f"List the {what} that MCP servers offer for reading with read_mcp_resource."
        self._servers = servers
        self._templates = templates

    def summary(self, params: ListParams, workspace: Workspace) -> CallSummary:
        """What is listed."""
        what = "resource templates" if self._templates else "resources"
        return CallSummary(f"List {what} of {params.server or 'all MCP servers'}")

    def subjects(self, params: ListParams, workspace: Workspace) -> Sequence[Subject]:
        """The list."""
        return (Subject(self.name, params.server or "*", "*"),)

    async def preview(self, params: ListParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the title says it."""
        return ()

    async def run(self, params: ListParams, context: ToolContext) -> ToolResult:
        """List them."""
        servers = self._servers()
        chosen = {params.server: _one(servers, params.server)} if params.server else servers
        lines = [
            f"{name}: {_line(offer)}"
            for name, server in chosen.items()
            for offer in server.offers.resources
            if offer.is_template == self._templates
        ]
        content = Content()
        content.add_text("\n".join(lines) or "There are none.")
        return as_result(content)


class ReadResource:
    """Reads a resource from its server."""

    name: str = "read_mcp_resource"
    description: str = "Read a resource of an MCP server, by its address (see list_mcp_resources)."
    kind: ToolKind = "read"
    params: type[ReadParams] = ReadParams

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def summary(self, params: ReadParams, workspace: Workspace) -> CallSummary:
        """Server and address."""
        return CallSummary(f"{params.server}: read {params.uri}")

    def subjects(self, params: ReadParams, workspace: Workspace) -> Sequence[Subject]:
        """The resource; once allowed for good, all of that server's."""
        foreign = f"a resource of the MCP server {one_line(params.server, 60)}"
        return (Subject(self.name, f"{params.server} {params.uri}", f"{params.server} *", foreign=foreign),)

    async def preview(self, params: ReadParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the title says it."""
        return ()

    async def run(self, params: ReadParams, context: ToolContext) -> ToolResult:
        """Read it."""
        server = _one(self._servers(), params.server)
        answer = await server.ask("resources/read", {"uri": params.uri})
        contents = answer.get("contents")
        content = Content()
        for each in (contents if isinstance(contents, list) else [])[:_MOST_CONTENTS]:
            if isinstance(each, dict):
                content.add_resource(each)
        if not content.texts:
            raise ToolError(f"{params.uri} is empty.")
        return as_result(content)


def resource_tools(servers: Servers) -> dict[str, Tool[Any]]:
    """The three tools by name."""
    tools: tuple[Tool[Any], ...] = (
        ListResources(servers, templates=True),
        ListResources(servers, templates=False),
        ReadResource(servers),
    )
    return {tool.name: tool for tool in tools}


def _one(servers: Mapping[str, Server], name: str) -> Server:
    if name not in servers:
        names = ", ".join(servers) or "none"
        raise ToolError(f"There is no MCP server {name} with resources. These have some: {names}.")
    return servers[name]


def _line(offer: ResourceOffer) -> str:
    about = ", ".join(part for part in (offer.mime_type, offer.description) if part)
    named = f"{offer.uri} ({offer.name})" if offer.name and offer.name != offer.uri else offer.uri
    return f"{named}: {about}" if about else named
