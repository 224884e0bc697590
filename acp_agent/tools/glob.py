"""glob: find files by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.files import name_for_model, outside_subjects
from acp_agent.tools.search import search
from acp_agent.tools.workspace import Workspace

MOST = 100


class GlobParams(ToolParams):
    """Arguments of glob."""

    pattern: str = Field(description="For example `**/*.py` or `src/**/test_*.ts`")
    path: str | None = Field(None, description="The folder to look in; the working directory by default")


class GlobTool:
    """Lists files that match a pattern, the most recently changed first."""

    name = "glob"
    description = (
        f"Find files by a pattern of their path, the most recently changed first, at most {MOST}. "
        "Files that git ignores are left out."
    )
    kind: ToolKind = "search"
    params = GlobParams

    def summary(self, params: GlobParams, workspace: Workspace) -> CallSummary:
        """The pattern, and the folder if one is named."""
        if params.path is None:
            return CallSummary(params.pattern)
        folder = workspace.resolve(params.path)
        title = f"{params.pattern} in {workspace.display(folder)}"
        return CallSummary(title, (ToolCallLocation(path=str(folder)),))

    def subjects(self, params: GlobParams, workspace: Workspace) -> Sequence[Subject]:
        """The pattern; a folder outside the roots too."""
        folder = _folder(params.path, workspace)
        return [Subject("glob", params.pattern, params.pattern), *outside_subjects(folder, workspace)]

    async def preview(self, params: GlobParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing beside the title."""
        return []

    async def run(self, params: GlobParams, context: ToolContext) -> ToolResult:
        """List the files."""
        folder = _folder(params.path, context.workspace)
        pattern = params.pattern
        if os.path.isabs(pattern):
            raise ToolError("pattern must be relative; name the folder with path.")
        output, complaints, status = await search(["--files", "--null", f"--glob={pattern}"], folder)
        if status == 2 and not output:
            raise ToolError(f"The pattern was not taken: {complaints.strip()}")
        names = [os.fsdecode(name) for name in output.split(b"\0") if name]
        newest = await to_thread.run_sync(_newest_first, folder, names)
        if not newest:
            return ToolResult(f"No file matches {pattern} in {context.workspace.display(folder)}.")
        shown = [name_for_model(context.workspace, path) for path in newest[:MOST]]
        if len(newest) > MOST:
            shown.append(f"[{len(newest) - MOST} more; narrow the pattern]")
        return ToolResult("\n".join(shown), data={"count": len(newest)})


def _folder(path: str | None, workspace: Workspace) -> Path:
    return workspace.resolve(path) if path else workspace.roots[0]


def _newest_first(folder: Path, names: Sequence[str]) -> list[Path]:
    def age(path: Path) -> tuple[float, str]:
        try:
            return -path.stat().st_mtime, str(path)
        except OSError:
            return 0.0, str(path)

    return sorted((Path(os.path.normpath(folder / name)) for name in names), key=age)
