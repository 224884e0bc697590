"""One tool call on its way: how it is shown, and what is recorded of its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from acp_agent.llm.messages import ToolCall
from acp_agent.rpc.messages import whole
from acp_agent.schema import TextContent, ToolCallProgress, ToolCallStatus, ToolContent, ToolKind
from acp_agent.session.record import events
from acp_agent.session.state import SessionState
from acp_agent.tools.base import CallSummary, Tool, ToolError, ToolResult
from acp_agent.tools.spec import parse_arguments
from acp_agent.tools.workspace import Workspace


@dataclass(slots=True)
class RunningCall:
    """One call on its way. `shown` is how a person sees it; it is repeated in every update, since clients forget it.

    `decided` is set when it is settled whether the call may run; `earlier` are those of the calls before it. `end_meta`
    goes with the update that shows the end.
    """

    call: ToolCall
    tool: Tool[Any] | None
    raw_input: Any
    started: float
    shown: CallSummary
    decision: str = "allowed"
    decided: anyio.Event = field(default_factory=anyio.Event)
    earlier: Sequence[anyio.Event] = ()
    end_meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> ToolKind:
        """The tool's kind, for the client's icon."""
        return self.tool.kind if self.tool else "other"

    def progress(self, status: ToolCallStatus | None, **fields: Any) -> ToolCallProgress:
        """An update of this call, with title, name and kind repeated."""
        return ToolCallProgress(
            tool_call_id=self.call.id,
            title=_one_line(self.shown.title),
            name=self.call.name,
            kind=self.kind,
            status=status,
            **fields,
        )

    def final(self, result: ToolResult, ended: float) -> events.ToolCallFinal:
        """The end of the call for the record; `ended` is in seconds since 1970."""
        self.end_meta = result.meta
        content = result.content or [ToolContent(content=TextContent(text=result.output))]
        locations = self.shown.locations if result.locations is None else result.locations
        return events.ToolCallFinal(
            call_id=self.call.id,
            name=self.call.name,
            kind=self.kind,
            title=_one_line(result.title or self.shown.title),
            status="failed" if result.is_error else "completed",
            raw_input=self.raw_input,
            raw_output=dict(result.data) or None,
            content=tuple(content),
            locations=tuple(locations),
            output=whole(result.output),
            images=tuple(result.images),
            started=self.started,
            ended=ended,
            size=len(result.output.encode("utf-8", "replace")) if result.size is None else result.size,
            decision=self.decision,
        )

    def end(self, final: events.ToolCallFinal) -> ToolCallProgress:
        """The update that shows the end, once it is recorded."""
        self.shown = CallSummary(final.title, final.locations)
        return self.progress(
            final.status,
            content=list(final.content),
            locations=list(final.locations),
            raw_input=final.raw_input,
            raw_output=final.raw_output,
            meta=dict(self.end_meta) or None,
        )


def running_call(state: SessionState, workspace: Workspace, call: ToolCall) -> RunningCall:
    """A call as it is known before its arguments are checked: what cannot be read of it is told when it runs."""
    tool = state.tools().get(call.name)
    raw_input = _raw_input(call.arguments)
    shown = CallSummary(call.name)
    if tool is not None:
        try:
            shown = tool.summary(parse_arguments(tool, call.arguments), workspace)
        except ToolError:
            pass  # told to the model when the call is run
    return RunningCall(call, tool, raw_input, state.services.clock(), shown)


def _raw_input(arguments: str) -> Any:
    """The arguments as JSON for the client; text that is no JSON stays text."""
    try:
        return whole(json.loads(arguments))
    except (ValueError, RecursionError):
        return whole(arguments)


def _one_line(title: str) -> str:
    """Without line ends and control characters: a title is one line of text."""
    shown = "".join(char if char.isprintable() else " " for char in title)
    return shown[:500]
