"""The tool calls of one answer: checked, asked about, run side by side, and each of them ended.

Whatever happens, every call that the model made gets an outcome and every call that the client saw gets an end: what
is missing when this is left, by cancellation or otherwise, is filled in on the way out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from acp_agent.llm.messages import AssistantMessage, ToolCall
from acp_agent.rpc.messages import whole
from acp_agent.schema import (
    AgentPlanUpdate,
    SessionUpdate,
    TextContent,
    ToolCallProgress,
    ToolCallStatus,
    ToolContent,
    ToolKind,
)
from acp_agent.session import events, history
from acp_agent.session.asking import permitted
from acp_agent.session.store import StoreError
from acp_agent.tools.base import CallSummary, Tool, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.spec import parse_arguments

if TYPE_CHECKING:
    from acp_agent.session.state import Services, SessionState
    from acp_agent.session.turn import Turn
    from acp_agent.tools.workspace import Workspace

_AT_ONCE = 16


@dataclass(slots=True)
class RunningCall:
    """One call on its way. `shown` is how a person sees it; it is repeated in every update, since clients forget it."""

    call: ToolCall
    tool: Tool[Any] | None
    raw_input: Any
    started: float
    shown: CallSummary
    decision: str = "allowed"

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


async def run_calls(turn: Turn, message: AssistantMessage) -> None:
    """Run every call of a recorded answer and add the step to the history.

    Raises `StoreError` when a result could not be recorded. Cancelled, it records the missing outcomes first.
    """
    finals: dict[str, events.ToolCallFinal] = {}
    failures: list[StoreError] = []
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def run(call: ToolCall) -> None:
        try:
            async with limit:
                await _run_call(turn, call, finals)
        except StoreError as error:
            failures.append(error)

    try:
        async with anyio.create_task_group() as group:
            for call in message.tool_calls:
                group.start_soon(run, call)
    finally:
        missing = [call for call in message.tool_calls if call.id not in finals]
        for final in await close_calls(turn, missing, history.CANCELLED):
            finals[final.call_id] = final
        turn.state.history.append(history.step(message, list(finals.values())))
    if failures:
        raise failures[0]


async def close_calls(turn: Turn, calls: Sequence[ToolCall], why: str) -> list[events.ToolCallFinal]:
    """End calls that did not run to their end: recorded, and shown as failed without waiting for the client."""
    if not calls:
        return []
    now = turn.state.services.clock()
    running = [_prepare(turn.state.services, turn.workspace, call) for call in calls]
    finals = [_final(each, ToolResult(output=why, is_error=True), now, "cancelled") for each in running]
    await turn.keep(*finals)
    for each, final in zip(running, finals, strict=True):
        turn.client.update_now(turn.state.id, _end(each, final))
    return finals


async def _run_call(turn: Turn, call: ToolCall, finals: dict[str, events.ToolCallFinal]) -> None:
    running = _prepare(turn.state.services, turn.workspace, call)
    turn.log("tool.called", call=call.id, tool=call.name)
    try:
        result = await _checked_and_run(turn, running)
    except ToolError as error:
        result = ToolResult(output=str(error), is_error=True)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - a defect in a tool costs one call, not the turn
        turn.log("tool.broke", level="ERROR", call=call.id, tool=call.name, error=repr(error))
        result = ToolResult(output=f"The tool {call.name} broke: {type(error).__name__}: {error}", is_error=True)
    final = _final(running, result, turn.state.services.clock(), running.decision)
    await turn.state.record(final)
    finals[call.id] = final
    turn.log("tool.ended", call=call.id, tool=call.name, status=final.status, decision=final.decision)
    try:
        await turn.show(_end(running, final))
    except anyio.get_cancelled_exc_class():  # the client lags and the turn is cancelled: the end is shown all the same
        turn.client.update_now(turn.state.id, _end(running, final))
        raise


async def _checked_and_run(turn: Turn, running: RunningCall) -> ToolResult:
    tool = running.tool
    if tool is None:
        names = ", ".join(sorted(turn.state.services.tools))
        raise ToolError(f'There is no tool "{running.call.name}". These exist: {names}.')
    params = parse_arguments(tool, running.call.arguments)
    running.shown = tool.summary(params, turn.workspace)
    context = ToolContext(running.call.id, turn.state.cwd, turn.workspace, _emitter(turn, running))
    async with AsyncExitStack() as stack:
        if tool.kind == "edit":  # two edits of one answer must see each other's result
            await stack.enter_async_context(turn.state.editing)
        if not await permitted(turn, running, params, context):
            raise ToolError(_refusal(running))
        locations = list(running.shown.locations)
        await turn.show(running.progress("in_progress", raw_input=running.raw_input, locations=locations))
        return await _run_tool(tool, params, context)


async def _run_tool(tool: Tool[Any], params: ToolParams, context: ToolContext) -> ToolResult:
    result = await tool.run(params, context)
    assert isinstance(result, ToolResult)
    return result


def _emitter(turn: Turn, running: RunningCall) -> Any:
    async def emit(update: SessionUpdate) -> None:
        match update:
            case AgentPlanUpdate(entries=entries):
                await turn.state.record(events.PlanChanged(entries=tuple(entries)))
                await turn.show(update)
            case ToolCallProgress(content=content):
                await turn.show(running.progress("in_progress", content=content))
            case _:
                await turn.show(update)

    return emit


def interrupted_call(state: SessionState, call: ToolCall) -> events.ToolCallFinal:
    """The end of a call that the last process did not live to see, shown as it was before."""
    running = _prepare(state.services, state.workspace, call)
    return _final(running, ToolResult(output=history.INTERRUPTED, is_error=True), running.started, "interrupted")


def _prepare(services: Services, workspace: Workspace, call: ToolCall) -> RunningCall:
    tool = services.tools.get(call.name)
    raw_input = _raw_input(call.arguments)
    shown = CallSummary(call.name)
    if tool is not None:
        try:
            shown = tool.summary(parse_arguments(tool, call.arguments), workspace)
        except ToolError:
            pass  # told to the model when the call is run
    return RunningCall(call, tool, raw_input, services.clock(), shown)


def _final(running: RunningCall, result: ToolResult, ended: float, decision: str) -> events.ToolCallFinal:
    content = result.content or [ToolContent(content=TextContent(text=result.output))]
    locations = running.shown.locations if result.locations is None else result.locations
    return events.ToolCallFinal(
        call_id=running.call.id,
        name=running.call.name,
        kind=running.kind,
        title=_one_line(result.title or running.shown.title),
        status="failed" if result.is_error else "completed",
        raw_input=running.raw_input,
        raw_output=dict(result.data) or None,
        content=tuple(content),
        locations=tuple(locations),
        output=result.output,
        images=tuple(result.images),
        started=running.started,
        ended=ended,
        size=len(result.output.encode()),
        decision=decision,
    )


def _end(running: RunningCall, final: events.ToolCallFinal) -> ToolCallProgress:
    running.shown = CallSummary(final.title, final.locations)
    return running.progress(
        final.status,
        content=list(final.content),
        locations=list(final.locations),
        raw_input=final.raw_input,
        raw_output=final.raw_output,
    )


def _refusal(running: RunningCall) -> str:
    return f"This call was not run: {running.decision}. Do not repeat it; go on in another way or ask the user."


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
