"""A real folder with real processes, and the tools at work in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from acp_agent.schema import SessionUpdate
from acp_agent.tools import BUILTIN
from acp_agent.tools.base import Subject, ToolContext, ToolError, ToolResult
from acp_agent.tools.environment import child_environment
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable

TOOLS = {tool.name: tool for tool in BUILTIN}


class Desk:
    """A workspace on the disk. `updates` holds what the tools showed."""

    def __init__(
        self, *roots: Path, secret_values: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        for root in roots:
            root.mkdir(parents=True, exist_ok=True)
        self.root = roots[0]
        self.processes = ProcessTable()
        children = child_environment(os.environ if environ is None else environ, ("OPENAI_API_KEY",), secret_values)
        self.workspace = LocalWorkspace(roots, self.processes, children)
        self.updates: list[SessionUpdate] = []

    def path(self, name: str) -> Path:
        return self.root / name

    def put(self, name: str, content: bytes | str = "") -> Path:
        """Make a file, and its folders."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def bytes(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def context(self, call_id: str = "call") -> ToolContext:
        async def emit(update: SessionUpdate) -> None:
            self.updates.append(update)

        return ToolContext(call_id, self.root, self.workspace, emit)

    async def run(self, tool: str, call_id: str = "call", **arguments: Any) -> ToolResult:
        """Run a tool as the model calls it; a test that hangs fails."""
        params = TOOLS[tool].params.model_validate(arguments)
        with anyio.fail_after(20):
            return await TOOLS[tool].run(params, self.context(call_id))

    async def preview(self, tool: str, **arguments: Any) -> Sequence[Any]:
        params = TOOLS[tool].params.model_validate(arguments)
        return await TOOLS[tool].preview(params, self.context())

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Run a tool that must not work, and give its words."""
        try:
            result = await self.run(tool, **arguments)
        except ToolError as error:
            return str(error)
        raise AssertionError(f"{tool} worked: {result.output}")

    def subjects(self, tool: str, **arguments: Any) -> Sequence[Subject]:
        params = TOOLS[tool].params.model_validate(arguments)
        return TOOLS[tool].subjects(params, self.workspace)

    def summary(self, tool: str, **arguments: Any) -> Any:
        params = TOOLS[tool].params.model_validate(arguments)
        return TOOLS[tool].summary(params, self.workspace)


def shown_text(result: ToolResult) -> str:
    """The text that the person sees."""
    (content,) = result.content
    return str(content.content.text)  # type: ignore[union-attr]


class Holders:
    """A pipe by name that processes hold open: tells when they are up, and when the last of them is gone."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "holders"
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._read = b""

    async def up(self, count: int = 1) -> None:
        """Wait until that many lines were written to it."""
        with anyio.fail_after(10):
            while self._read.count(b"\n") < count:
                await self._more()

    async def gone(self) -> None:
        """Wait until nobody holds it any more."""
        with anyio.fail_after(10):
            while await self._more():
                pass

    async def _more(self) -> bool:
        await anyio.wait_readable(self._reader)
        data = os.read(self._reader, 4096)
        self._read += data
        return bool(data)

    @property
    def text(self) -> str:
        return self._read.decode()

    def close(self) -> None:
        os.close(self._reader)
