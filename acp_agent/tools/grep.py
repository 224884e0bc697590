"""The `grep` tool: lines by a regular expression."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.file_pattern import file_matcher, name_pattern
from acp_agent.tools.files import name_for_model, outside_subjects
from acp_agent.tools.search import SearchResult, is_folder, search, search_place
from acp_agent.tools.truncate import MAX_BYTES, encodable, fenced, size
from acp_agent.tools.workspace import Workspace

_MOST = 100
_LONGEST_LINE = 500
_MOST_LOCATIONS = 20


class GrepParams(ToolParams):
    """Arguments of `grep`."""

    pattern: str = Field(min_length=1, description="Regular expression in Rust's syntax, for one line")
    path: str | None = Field(default=None, description="Directory or file to look in; the working directory by default")
    include: str | None = Field(default=None, description="Only files that match, for example `*.{ts,tsx}`")


class Match(NamedTuple):
    """A line that matches, and its number from 1."""

    path: Path
    number: int
    text: str


class GrepTool:
    """Searches the contents of files, in the order of their paths."""

    name: str = "grep"
    description: str = (
        f"Search the contents of files by a regular expression; gives path, line number and line, at most {_MOST} "
        "matches, in the order of the paths. Files that git ignores are left out."
    )
    kind: ToolKind = "search"
    params: type[GrepParams] = GrepParams

    def summary(self, params: GrepParams, workspace: Workspace) -> CallSummary:
        """The expression, and where it is looked for."""
        title = params.pattern + (f" in {params.include}" if params.include else "")
        if not params.path:
            return CallSummary(title)
        place = workspace.resolve(params.path)
        return CallSummary(f"{title} in {workspace.display(place)}", (ToolCallLocation(path=str(place)),))

    def subjects(self, params: GrepParams, workspace: Workspace) -> Sequence[Subject]:
        """The expression; a place outside the roots too."""
        place = search_place(params.path, workspace)
        # Whoever asks before a file is read asks before it is searched, too.
        names = [workspace.display(place)] if place.is_file() else []
        names += [params.include] if params.include else []
        read = [Subject("read", name, name) for name in names]
        return [Subject("grep", params.pattern, params.pattern), *read, *outside_subjects(place, workspace)]

    async def preview(self, params: GrepParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the title says it."""
        return ()

    async def run(self, params: GrepParams, context: ToolContext) -> ToolResult:
        """Search."""
        workspace = context.workspace
        place = search_place(params.path, workspace)
        whole = await to_thread.run_sync(is_folder, place, workspace)
        folder, name = (place, ".") if whole else (place.parent, f"./{place.name}")
        arguments = ["--null", "--line-number", "--with-filename", "--no-heading", f"--regexp={params.pattern}"]
        # A longer line is shown up to here by ripgrep itself: a file without line ends would fill the output.
        arguments += [f"--max-columns={4 * _LONGEST_LINE}", "--max-columns-preview"]
        included: Callable[[str], bool] | None = None
        if params.include and whole:
            included = file_matcher(params.include)
            kind = name_pattern(params.include)
            if kind is not None:  # unlike ripgrep's own --glob, a type brings nothing back that git ignores
                arguments += [f"--type-add=wanted:{kind}", "--type=wanted"]
        result = await search([*arguments, "--", name], folder)
        matches = await to_thread.run_sync(_matches, result, folder, included)
        if result.failed and not matches:
            raise ToolError(f"The search failed: {result.complaints or 'ripgrep gave no reason'}")
        if not matches and b": binary file matches" in result.output:
            return ToolResult(f"{workspace.display(place)} is a binary file that matches; its lines are not shown.")
        if not matches:
            only = f" ({params.include} only)" if included else ""
            return ToolResult(f"No line in {workspace.display(place)}{only} matches {params.pattern}")
        lines = _lines(matches, workspace)
        text = "\n".join(lines)
        if len(matches) > len(lines):
            more = f"{'more than ' if result.cut else ''}{len(matches) - len(lines)}"
            text += f"\n({more} more matches; narrow the pattern, the path or include)"
        return ToolResult(
            text, [text_content(fenced(text))], locations=_locations(matches), data={"count": len(matches)}
        )


def _matches(result: SearchResult, folder: Path, included: Callable[[str], bool] | None) -> list[Match]:
    """The matches in ripgrep's output, `path NUL number:line`, by path and number."""
    wanted: dict[bytes, Path | None] = {}
    found: list[Match] = []
    lines = result.output.split(b"\n")
    for line in lines[:-1]:  # the last one is empty, or cut in the middle
        name, mark, rest = line.partition(b"\0")
        number, colon, text = rest.partition(b":")
        if not (mark and colon and number.isdigit()):
            continue
        if name not in wanted:
            path = os.path.normpath(os.fsdecode(name))
            chosen = included is None or included(path.replace(os.sep, "/"))
            wanted[name] = folder / path if chosen else None
        place = wanted[name]
        if place is not None:
            found.append(Match(place, int(number), text.decode("utf-8", "replace").rstrip("\r")))
    return sorted(found, key=lambda match: (match.path.parts, match.number))


def _lines(matches: Sequence[Match], workspace: Workspace) -> list[str]:
    lines: list[str] = []
    room = MAX_BYTES
    for path, number, text in matches[:_MOST]:
        shown = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
        line = f"{name_for_model(workspace, path)}:{number}: {shown}"
        room -= size(line) + 1
        if room < 0:
            break
        lines.append(line)
    return lines


def _locations(matches: Sequence[Match]) -> list[ToolCallLocation]:
    firsts: dict[Path, int] = {}
    for path, number, _ in matches[:_MOST]:
        firsts.setdefault(path, number)
    return [
        ToolCallLocation(path=encodable(str(path)), line=number)
        for path, number in list(firsts.items())[:_MOST_LOCATIONS]
    ]
