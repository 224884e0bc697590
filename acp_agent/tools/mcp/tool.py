"""A tool of a server as a tool of ours."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from acp_agent.schema import ToolCallContent, ToolCallProgress, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.mcp.errors import one_line
from acp_agent.tools.mcp.offers import ToolOffer
from acp_agent.tools.mcp.results import tool_result
from acp_agent.tools.truncate import clip_bytes, fenced
from acp_agent.tools.workspace import Workspace

if TYPE_CHECKING:
    from acp_agent.tools.mcp.server import Server

LONGEST_NAME = 64
"""What all vendors take."""

_PROGRESS_EVERY = 0.1
_PREVIEWED = 4 * 1024
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


class McpArguments(ToolParams):
    """Arguments for a server, as the model wrote them; its schema was applied."""

    values: dict[str, Any]


class McpTool:
    """A tool of a server. `name` is how models call it; permission rules name it in the same way."""

    params: type[McpArguments] = McpArguments

    def __init__(self, name: str, server: Server, offer: ToolOffer) -> None:
        self.name = name
        self.server = server
        self.offer = offer
        self.description = offer.description or offer.title or f"The tool {offer.name} of {server.name}."
        self.kind: ToolKind = "read" if offer.read_only else "other"
        self.input_schema: Mapping[str, Any] = offer.input_schema

    def parsed(self, arguments: dict[str, Any]) -> McpArguments:
        """See `SchemaTool`."""
        problems = self.offer.check(arguments)
        if problems:
            listed = "\n".join(f"- {problem}" for problem in problems)
            raise ToolError(f"The arguments of {self.name} are not valid. Nothing was run.\n{listed}")
        return McpArguments(values=arguments)

    def summary(self, params: McpArguments, workspace: Workspace) -> CallSummary:
        """Server and tool, by the title if it has one."""
        return CallSummary(f"{self.server.name}: {self.offer.title or self.offer.name}")

    def subjects(self, params: McpArguments, workspace: Workspace) -> Sequence[Subject]:
        """The tool as a whole: what its arguments mean, only its server knows."""
        foreign = f"what a tool of the MCP server {one_line(self.server.name, 60)} may do"
        return (Subject(self.name, "*", "*", foreign=foreign),)

    async def preview(self, params: McpArguments, context: ToolContext) -> Sequence[ToolCallContent]:
        """The arguments."""
        if not params.values:
            return ()
        text = json.dumps(params.values, ensure_ascii=False, indent=2)
        shown = clip_bytes(text, _PREVIEWED)
        return [text_content(fenced(shown if shown == text else f"{shown}…", "json"))]

    async def run(self, params: McpArguments, context: ToolContext) -> ToolResult:
        """Call it; its progress is shown at most ten times a second."""
        progress = _Progress(context)
        failure: ToolError | None = None
        answer: dict[str, Any] = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(progress.show)
            request: dict[str, Any] = {"name": self.offer.name, "arguments": params.values}
            if context.trace:
                request["_meta"] = dict(context.trace)
            try:
                answer = await self.server.ask("tools/call", request, progress.heard)
            except ToolError as error:
                failure = error
            tasks.cancel_scope.cancel()  # nothing of a call is shown after its end
        if failure is not None:
            raise failure
        return tool_result(answer)


class _Progress:
    """What a server last said of a call under way."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._news = anyio.Event()
        self._text = ""

    async def heard(self, progress: float, total: float | None, message: str | None) -> None:
        """Take it in; costs no time."""
        done = f"{progress:g} of {total:g}" if total else f"{progress:g}"
        self._text = f"{one_line(message)} ({done})" if message else done
        self._news.set()

    async def show(self) -> None:
        """Show it, as fast as the client takes it."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            update = ToolCallProgress(tool_call_id=self._context.call_id, content=[text_content(self._text)])
            await self._context.emit(update)
            await anyio.sleep(_PROGRESS_EVERY)


def sanitised(text: str) -> str:
    """The text with `_` for whatever may not be in a name."""
    return _UNFIT.sub("_", text)


def tool_name(server: str, tool: str, taken: Collection[str]) -> str:
    """`server_tool` as vendors take it: at most 64 characters of `[a-zA-Z0-9_-]`, not one of `taken`.

    What had to be cut, or would be there twice, ends in eight characters that follow from both names.
    """
    name = f"{sanitised(server)}_{sanitised(tool)}"
    if len(name) <= LONGEST_NAME and name not in taken:
        return name
    ending = hashlib.sha256(json.dumps([server, tool]).encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}_{ending}"
