"""The `todowrite` tool: the model's list of steps, shown as the client's plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from acp_agent.schema import AgentPlanUpdate, PlanEntry, ToolCallContent, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.workspace import Workspace


class Todo(ToolParams):
    """One step."""

    content: str
    status: Literal["pending", "in_progress", "completed", "cancelled"]
    priority: Literal["high", "medium", "low"] = "medium"


class TodoWriteParams(ToolParams):
    """Arguments of `todowrite`."""

    todos: tuple[Todo, ...]


_MARKS = {"pending": "[ ]", "in_progress": "[>]", "completed": "[x]", "cancelled": "[-]"}


class TodoWriteTool:
    """Replaces the plan. A cancelled step leaves it, since the protocol has no such status."""

    name: str = "todowrite"
    description: str = (
        "Set the whole list of steps for a task of three steps or more; it replaces the last list. "
        "Keep exactly one step in_progress and mark a step completed as soon as it is done."
    )
    kind: ToolKind = "think"
    params: type[TodoWriteParams] = TodoWriteParams

    def summary(self, params: TodoWriteParams, workspace: Workspace) -> CallSummary:
        """How many steps are open."""
        return CallSummary(_title(params))

    def subjects(self, params: TodoWriteParams, workspace: Workspace) -> Sequence[Subject]:
        """The list."""
        return (Subject("todowrite", "*", "*"),)

    async def preview(self, params: TodoWriteParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the plan is the view."""
        return ()

    async def run(self, params: TodoWriteParams, context: ToolContext) -> ToolResult:
        """Show the plan."""
        entries = [
            PlanEntry(content=todo.content, priority=todo.priority, status=todo.status)
            for todo in params.todos
            if todo.status != "cancelled"
        ]
        await context.emit(AgentPlanUpdate(entries=entries))
        listing = "\n".join(f"{_MARKS[todo.status]} {todo.content}" for todo in params.todos)
        return ToolResult(f"{_title(params)}.", [text_content(listing or "No steps.")])


def _title(params: TodoWriteParams) -> str:
    left = sum(todo.status in ("pending", "in_progress") for todo in params.todos)
    return f"Plan: {left} of {len(params.todos)} steps open"
