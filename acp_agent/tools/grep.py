"""grep: find text in files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.files import name_for_model, outside_subjects
from acp_agent.tools.search import search
from acp_agent.tools.truncate import MAX_BYTES, clip_line, size
from acp_agent.tools.workspace import Workspace

MOST = 100
_LONGEST_LINE = 500


class GrepParams(ToolParams):
    """Arguments of grep."""

    pattern: str = Field(description="A regular expression in Rust's syntax, for one line")
    path: str | None = Field(None, description="The folder or file to look in; the working directory by default")
    include: str | None = Field(None, description="Only files that match, for example `*.py` or `*.{ts,tsx}`")


class GrepTool:
    """Searches the contents of files, in the order of their paths."""

    name = "grep"
    description = (
        f"Search the contents of files by a regular expression; gives path, line number and line, at most {MOST} "
        "matches, in the order of the paths. Files that git ignores are left out."
    )
    kind: ToolKind = "search"
    params = GrepParams

    def summary(self, params: GrepParams, workspace: Workspace) -> CallSummary:
        """The expression, and where it is looked for."""
        title = params.pattern + (f" in {params.include}" if params.include else "")
        if params.path is None:
            return CallSummary(title)
        place = workspace.resolve(params.path)
        return CallSummary(f"{title} in {workspace.display(place)}", (ToolCallLocation(path=str(place)),))

    def subjects(self, params: GrepParams, workspace: Workspace) -> Sequence[Subject]:
        """The expression; a place outside the roots too."""
        place = workspace.resolve(params.path) if params.path else workspace.roots[0]
        return [Subject("grep", params.pattern, params.pattern), *outside_subjects(place, workspace)]

    async def preview(self, params: GrepParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing beside the title."""
        return []

    async def run(self, params: GrepParams, context: ToolContext) -> ToolResult:
        """Search."""
        workspace = context.workspace
        place = workspace.resolve(params.path) if params.path else workspace.roots[0]
        folder, name = (place, ".") if place.is_dir() else (place.parent, f"./{place.name}")
        arguments = ["--json", "--sort=path", f"--max-columns={64 * 1024}", f"--regexp={params.pattern}"]
        if params.include:
            arguments.append(f"--glob={params.include}")
        output, complaints, status = await search([*arguments, "--", name], folder)
        matches = list(_matches(output, folder))
        if status == 2 and not matches:
            raise ToolError(f"The search failed: {complaints.strip() or 'ripgrep gave no reason'}")
        if not matches:
            return ToolResult(f"No match for {params.pattern} in {workspace.display(place)}.")
        lines = _lines(matches, workspace)
        if len(matches) > len(lines):
            lines.append(f"[{len(matches) - len(lines)} more matches; narrow the pattern, the path or include]")
        return ToolResult("\n".join(lines), locations=_locations(matches), data={"count": len(matches)})


def _matches(output: bytes, folder: Path) -> Iterator[tuple[Path, int, str]]:
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            return  # the output was cut in the middle of its last line
        if event["type"] == "match":
            data = event["data"]
            path = Path(os.path.normpath(folder / _text(data["path"])))
            yield path, data["line_number"] or 0, _text(data["lines"]).rstrip("\r\n")


def _text(value: dict[str, Any]) -> str:
    """Text in ripgrep's JSON; what is no UTF-8 comes in base64."""
    if "text" in value:
        return str(value["text"])
    import base64

    return os.fsdecode(base64.b64decode(value["bytes"])).encode("utf-8", "replace").decode()


def _lines(matches: Sequence[tuple[Path, int, str]], workspace: Workspace) -> list[str]:
    lines: list[str] = []
    room = MAX_BYTES
    for path, number, text in matches[:MOST]:
        line = f"{name_for_model(workspace, path)}:{number}: {clip_line(text, _LONGEST_LINE)}"
        room -= size(line) + 1
        if room < 0:
            break
        lines.append(line)
    return lines


def _locations(matches: Sequence[tuple[Path, int, str]]) -> list[ToolCallLocation]:
    firsts: dict[Path, int] = {}
    for path, number, _ in matches[:MOST]:
        firsts.setdefault(path, number)
    return [ToolCallLocation(path=str(path), line=number or None) for path, number in list(firsts.items())[:20]]
