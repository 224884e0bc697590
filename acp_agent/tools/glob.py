"""The `glob` tool: files by a pattern of their path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.file_pattern import file_matcher, name_pattern
from acp_agent.tools.files import name_for_model, outside_subjects
from acp_agent.tools.search import is_folder, search, search_place
from acp_agent.tools.truncate import fenced
from acp_agent.tools.workspace import Workspace

_MOST = 100


class GlobParams(ToolParams):
    """Arguments of `glob`."""

    pattern: str = Field(min_length=1, description="For example `**/*.py` or `src/**/test_*.ts`")
    path: str | None = Field(default=None, description="Directory to look in; the working directory by default")


class GlobTool:
    """Lists files that match a pattern, the most recently changed first."""

    name: str = "glob"
    description: str = (
        f"Find files by a pattern of their path, the most recently changed first, at most {_MOST}. "
        "Files that git ignores are left out."
    )
    kind: ToolKind = "search"
    params: type[GlobParams] = GlobParams

    def summary(self, params: GlobParams, workspace: Workspace) -> CallSummary:
        """The pattern, and the folder if one is named."""
        if not params.path:
            return CallSummary(params.pattern)
        folder = workspace.resolve(params.path)
        return CallSummary(f"{params.pattern} in {workspace.display(folder)}", (ToolCallLocation(path=str(folder)),))

    def subjects(self, params: GlobParams, workspace: Workspace) -> Sequence[Subject]:
        """The pattern; a folder outside the roots too."""
        folder = search_place(params.path, workspace)
        return [Subject("glob", params.pattern, params.pattern), *outside_subjects(folder, workspace)]

    async def preview(self, params: GlobParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the title says it."""
        return ()

    async def run(self, params: GlobParams, context: ToolContext) -> ToolResult:
        """List the files."""
        workspace, pattern = context.workspace, params.pattern
        if os.path.isabs(pattern) or pattern.startswith("~"):
            raise ToolError(
                "pattern is relative to a directory: name the directory with path, and the pattern from there."
            )
        if ".." in pattern.split("/"):
            raise ToolError("pattern cannot lead out of the directory: name another with path.")
        matches = file_matcher(pattern)
        folder = search_place(params.path, workspace)
        if not await to_thread.run_sync(is_folder, folder, workspace):
            raise ToolError(f"{workspace.display(folder)} is a file, not a directory. Read it, or name its directory.")
        arguments = ["--files", "--null"]
        name = name_pattern(pattern)
        if name is not None:  # unlike ripgrep's own --glob, a type brings nothing back that git ignores
            arguments += [f"--type-add=wanted:{name}", "--type=wanted"]
        result = await search(arguments, folder)
        if result.failed and not result.output:
            raise ToolError(f"The files cannot be listed: {result.complaints}")

        def newest() -> list[Path]:
            names = [os.fsdecode(name) for name in result.output.split(b"\0") if name]
            return _newest_first(folder, [name for name in names if matches(name.replace(os.sep, "/"))])

        found = await to_thread.run_sync(newest)
        if not found:
            return ToolResult(f"No file in {workspace.display(folder)} matches {pattern}")
        text = "\n".join(name_for_model(workspace, path) for path in found[:_MOST])
        if len(found) > _MOST:
            text += f"\n({len(found) - _MOST} more; narrow the pattern)"
        return ToolResult(text, [text_content(fenced(text))], data={"count": len(found)})


def _newest_first(folder: Path, names: Sequence[str]) -> list[Path]:
    def age(path: Path) -> tuple[float, str]:
        try:
            return -path.stat().st_mtime, str(path)
        except OSError:
            return 0.0, str(path)

    return sorted((folder / name for name in names), key=age)
