"""The `write` tool: a whole file, new or in place of what was there."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import to_thread
from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolParams, ToolResult
from acp_agent.tools.diffs import diff_content
from acp_agent.tools.files import file_lock, file_subjects, file_summary, name_for_model
from acp_agent.tools.read import file_lines
from acp_agent.tools.workspace import TextFile, Workspace


class WriteParams(ToolParams):
    """Arguments of `write`."""

    file_path: str = Field(alias="filePath", min_length=1)
    content: str = Field(description="The whole new text")


class WriteTool:
    """Writes whole files. A file that is there keeps its encoding and byte order mark."""

    name: str = "write"
    description: str = (
        "Write a whole file; makes missing directories and replaces what is there. To change a part, use edit."
    )
    kind: ToolKind = "edit"
    params: type[WriteParams] = WriteParams

    def summary(self, params: WriteParams, workspace: Workspace) -> CallSummary:
        """The path."""
        return file_summary(params.file_path, workspace)

    def subjects(self, params: WriteParams, workspace: Workspace) -> Sequence[Subject]:
        """The file, as an edit."""
        return file_subjects("edit", params.file_path, workspace)

    async def preview(self, params: WriteParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """The change of the whole file."""
        old, new = await _change(params, context)
        return await to_thread.run_sync(diff_content, new.path, None if old is None else old.text, new.text)

    async def run(self, params: WriteParams, context: ToolContext) -> ToolResult:
        """Write it."""
        async with file_lock(context.workspace.resolve(params.file_path)):
            old, new = await _change(params, context)
            note = await context.workspace.write_text(new, None if old is None else old.text)
        lines = len(file_lines(new.text)) if new.text else 0
        verb = "Created" if old is None else "Replaced"
        return ToolResult(
            f"{verb} {name_for_model(context.workspace, new.path)} ({lines} lines).{note and f' {note}'}",
            await to_thread.run_sync(diff_content, new.path, None if old is None else old.text, new.text),
            locations=[ToolCallLocation(path=str(new.path), line=1)],
        )


async def _change(params: WriteParams, context: ToolContext) -> tuple[TextFile | None, TextFile]:
    path = context.workspace.resolve(params.file_path)
    if not await context.workspace.exists(path):
        return None, TextFile(path, params.content)
    old = await context.workspace.read_text(path)
    return old, TextFile(path, params.content, old.encoding, old.bom)
