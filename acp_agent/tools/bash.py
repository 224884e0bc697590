"""The `bash` tool: one shell line, and always how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from acp_agent.schema import ToolCallContent, ToolCallLocation, ToolCallProgress, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.files import outside_subjects
from acp_agent.tools.shell_line import line_subjects
from acp_agent.tools.shown_output import ended, rest, started, under_way
from acp_agent.tools.truncate import console_text, fenced, head_and_tail
from acp_agent.tools.workspace import Command, CommandResult, Output, Workspace

_DEFAULT_MS = 120_000
_LONGEST_MS = 600_000


class BashParams(ToolParams):
    """Arguments of `bash`."""

    command: str = Field(description="The shell line; bash runs it without a terminal and without stdin")
    description: str | None = Field(default=None, description="What it does, in five to ten words")
    timeout: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description=f"Milliseconds until it is ended; {_DEFAULT_MS} by default, at most {_LONGEST_MS}"
    )
    workdir: str | None = Field(
        default=None, description="Where to run it, instead of cd; the working directory by default"
    )


class BashTool:
    """Runs one shell line and tells how it ended, always: exit code, signal, timeout, and what is still running."""

    name: str = "bash"
    description: str = (
        "Run a shell line with bash and get its output (stdout and stderr together), its exit code and its duration. "
        "Each call is a new shell: directories and variables do not carry over. Nothing can be typed into it, so use "
        "options that need no answer. Long output is cut in the middle. Processes that are left in the background go "
        "on running. Prefer read, edit, glob and grep for files."
    )
    kind: ToolKind = "execute"
    params: type[BashParams] = BashParams

    def summary(self, params: BashParams, workspace: Workspace) -> CallSummary:
        """The command as the title, and where it runs."""
        location = ToolCallLocation(path=str(_place(params, workspace)))
        return CallSummary(params.command.strip() or "bash", (location,))

    def subjects(self, params: BashParams, workspace: Workspace) -> Sequence[Subject]:
        """Every command of the line, and directories outside the roots."""
        place = _place(params, workspace)
        return [*outside_subjects(place, workspace), *line_subjects(params.command, place, workspace)]

    async def preview(self, params: BashParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """The whole line, since a title shows only its beginning."""
        return [text_content(fenced(params.command, "sh"))]

    async def run(self, params: BashParams, context: ToolContext) -> ToolResult:
        """Run the line, showing the end of its output meanwhile."""
        if not params.command.strip():
            raise ToolError("command is empty. Nothing was run.")

        cwd = _place(params, context.workspace)

        async def show(output: Output) -> None:
            await emit(under_way(output, cwd))

        async def emit(content: Sequence[ToolCallContent]) -> None:
            await context.emit(ToolCallProgress(tool_call_id=context.call_id, content=content))

        timeout = min(params.timeout or _DEFAULT_MS, _LONGEST_MS) / 1000
        command = Command(params.command, cwd, timeout, context.call_id)
        if not context.workspace.in_client_terminal:  # else it is shown when the client has one
            await emit(started(cwd))
        result = await context.workspace.run(command, show)
        output = head_and_tail(console_text(result.output)).rstrip("\n")
        ending = _ending(result, timeout)
        shown = f"{fenced(output)}\n{ending[0]}" if output else ending[0]
        return ToolResult(
            output="\n".join([output or "(no output)", *ending]),
            content=ended(shown, cwd, result),
            meta=rest(result),
            is_error=result.exit_code != 0,
            size=result.total_bytes,
            data={
                "exitCode": result.exit_code,
                "signal": result.signal,
                "timedOut": result.timed_out,
                "durationSeconds": round(result.duration, 3),
                "bytes": result.total_bytes,
                "leftRunning": list(result.left_running),
            },
        )


def _place(params: BashParams, workspace: Workspace) -> Path:
    return workspace.resolve(params.workdir) if params.workdir else workspace.roots[0]


def _ending(result: CommandResult, timeout: float) -> list[str]:
    """How it ended, in one line, and what goes on, in another."""
    took = f"after {result.duration:.1f} s"
    if result.timed_out:
        lines = [f"[timed out after {timeout:g} s; it was ended, with everything it had started]"]
    elif result.signal is not None:
        lines = [f"[ended by {result.signal} {took}]"]
    else:
        lines = [f"[exit code {result.exit_code} {took}]"]
    if result.left_running:
        ids = ", ".join(str(pid) for pid in result.left_running)
        lines.append(f"[still running in the background: process {ids}]")
    return lines
