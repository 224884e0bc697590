"""The `edit` tool: one piece of text in a file becomes another, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyio import to_thread
from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import diff_content
from acp_agent.tools.edit_match import Span, find_spans, line_numbers, nearest_region, numbered, replace_spans
from acp_agent.tools.files import file_lock, file_subjects, file_summary, name_for_model
from acp_agent.tools.read import file_lines
from acp_agent.tools.workspace import TextFile, Workspace

_AROUND = 3
_SHOWN_LINES = 24
_SHOWN_BYTES = 2000
_LISTED = 10


class EditParams(ToolParams):
    """Arguments of `edit`."""

    file_path: str = Field(alias="filePath", min_length=1)
    old_string: str = Field(alias="oldString", description="Exact text, without line numbers; empty for a new file")
    new_string: str = Field(alias="newString")
    replace_all: bool = Field(alias="replaceAll", default=False)


@dataclass(frozen=True, slots=True)
class _Change:
    old: str | None
    new: TextFile
    lines: tuple[int, ...]


class EditTool:
    """Replaces exact text. Line endings in the arguments match any, and are written as the file has them."""

    name: str = "edit"
    description: str = (
        "Replace text in a file. oldString must occur exactly once, so give enough lines around it, "
        "or set replaceAll. White space counts; line endings are kept as the file has them."
    )
    kind: ToolKind = "edit"
    params: type[EditParams] = EditParams

    def summary(self, params: EditParams, workspace: Workspace) -> CallSummary:
        """The path."""
        return file_summary(params.file_path, workspace)

    def subjects(self, params: EditParams, workspace: Workspace) -> Sequence[Subject]:
        """The file."""
        return file_subjects("edit", params.file_path, workspace)

    async def preview(self, params: EditParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """The change of the whole file."""
        change = await _change(params, context)
        return await to_thread.run_sync(diff_content, change.new.path, change.old, change.new.text)

    async def run(self, params: EditParams, context: ToolContext) -> ToolResult:
        """Edit the file as it is now, which need not be as it was at the preview."""
        async with file_lock(context.workspace.resolve(params.file_path)):
            change = await _change(params, context)
            note = await context.workspace.write_text(change.new, change.old)
        name = name_for_model(context.workspace, change.new.path)
        verb = "Created" if change.old is None else "Edited"
        first = change.lines[0]
        shown = numbered(
            file_lines(change.new.text),
            first - _AROUND,
            min(_SHOWN_LINES, params.new_string.count("\n") + 1 + 2 * _AROUND),
            _SHOWN_BYTES,
        )
        return ToolResult(
            "\n".join(filter(None, [f"{verb} {name}, {_places(change.lines)}.", shown, note])),
            await to_thread.run_sync(diff_content, change.new.path, change.old, change.new.text),
            locations=[ToolCallLocation(path=str(change.new.path), line=first)],
        )


async def _change(params: EditParams, context: ToolContext) -> _Change:
    if params.old_string == params.new_string:
        raise ToolError("oldString and newString are the same, so there is nothing to change.")
    path = context.workspace.resolve(params.file_path)
    if not params.old_string and not await context.workspace.exists(path):
        return _Change(None, TextFile(path, params.new_string), (1,))
    file = await context.workspace.read_text(path)
    # A large file takes its time, in which the others go on.
    return await to_thread.run_sync(_applied, params, file, name_for_model(context.workspace, path))


def _applied(params: EditParams, file: TextFile, name: str) -> _Change:
    if not params.old_string and file.text:
        raise ToolError(f"oldString is empty, but {name} is not. Give the text to replace, or use write.")
    spans = find_spans(file.text, params.old_string) if params.old_string else [Span(0, 0)]
    if not spans:
        nearest = nearest_region(file.text, params.old_string)
        raise ToolError(f"oldString is not in {name}. {nearest or 'Nothing there is like it.'}\nRead the file again.")
    lines = line_numbers(file.text, spans if params.replace_all else spans[:_LISTED])
    if len(spans) > 1 and not params.replace_all:
        raise ToolError(_ambiguous(name, file.text, lines, len(spans)))
    text = replace_spans(file.text, spans, params.new_string)
    return _Change(file.text, TextFile(file.path, text, file.encoding, file.bom), lines)


def _ambiguous(name: str, text: str, lines: tuple[int, ...], count: int) -> str:
    every = file_lines(text)
    places = "\n".join(numbered(every, line, 1, 250) for line in lines)
    more = f"\n… and {count - len(lines)} more" if count > len(lines) else ""
    return (
        f"oldString occurs {count} times in {name}:\n{places}{more}\n"
        "Add the lines around the one you mean, or set replaceAll."
    )


def _places(lines: tuple[int, ...]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    listed = ", ".join(str(line) for line in lines[:_LISTED])
    return f"{len(lines)} places: lines {listed}{', …' if len(lines) > _LISTED else ''}"
