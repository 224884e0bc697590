"""The tool calls of one answer: checked, asked about, run side by side, and each of them ended.

Whatever happens, every call that the model made gets an outcome and every call that the client saw gets an end: what
is missing when this is left, by cancellation or otherwise, is filled in on the way out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio

from acp_agent.llm.messages import AssistantMessage, ToolCall
from acp_agent.schema import AgentPlanUpdate, SessionUpdate, ToolCallProgress
from acp_agent.session.asking import permitted
from acp_agent.session.record import events, history
from acp_agent.session.record.store import StoreError
from acp_agent.session.running_call import RunningCall, running_call
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn
from acp_agent.tools.base import ToolContext, ToolError, ToolResult
from acp_agent.tools.spec import parse_arguments

_AT_ONCE = 16


async def run_calls(turn: Turn, message: AssistantMessage) -> None:
    """Run every call of a recorded answer and add the step to the history.

    Raises `StoreError` when a result could not be recorded. Cancelled, it records the missing outcomes first.
    """
    finals: dict[str, events.ToolCallFinal] = {}
    failures: list[StoreError] = []
    places = anyio.Semaphore(_AT_ONCE)

    async def run(running: RunningCall) -> None:
        try:
            await _run_call(turn, running, finals)
        except StoreError as error:
            failures.append(error)
        finally:
            running.decided.set()
            places.release()

    try:
        async with anyio.create_task_group() as group:
            earlier: tuple[anyio.Event, ...] = ()
            for call in message.tool_calls:
                await places.acquire()  # here, so that no call waits for one that has no place
                running = running_call(turn.state, turn.workspace, call)
                running.earlier, earlier = earlier, (*earlier, running.decided)
                group.start_soon(run, running)
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
    running = [running_call(turn.state, turn.workspace, call) for call in calls]
    for each in running:
        each.decision = "cancelled"
    finals = [each.final(ToolResult(output=why, is_error=True), now) for each in running]
    await turn.keep(*finals)
    for each, final in zip(running, finals, strict=True):
        turn.show_now(each.end(final))
    return finals


async def _run_call(turn: Turn, running: RunningCall, finals: dict[str, events.ToolCallFinal]) -> None:
    call = running.call
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
    final = running.final(result, turn.state.services.clock())
    await turn.state.record(final)
    finals[call.id] = final
    turn.log("tool.ended", call=call.id, tool=call.name, status=final.status, decision=final.decision)
    try:
        await turn.show(running.end(final))
    except anyio.get_cancelled_exc_class():  # the client lags and the turn is cancelled: the end is shown all the same
        turn.show_now(running.end(final))
        raise


async def _checked_and_run(turn: Turn, running: RunningCall) -> ToolResult:
    tool = running.tool
    if tool is None:
        names = ", ".join(sorted(turn.state.tools()))
        raise ToolError(f'There is no tool "{running.call.name}". These exist: {names}.')
    params = parse_arguments(tool, running.call.arguments)
    running.shown = tool.summary(params, turn.workspace)
    context = ToolContext(running.call.id, turn.state.cwd, turn.workspace, _emitter(turn, running), turn.trace)
    async with AsyncExitStack() as stack:
        if tool.kind == "edit":  # two edits of one answer must see each other's result
            await stack.enter_async_context(turn.state.editing)
        if not await permitted(turn, running, params, context):
            raise ToolError(_refusal(running))
        running.decided.set()
        await turn.show(_under_way(running))
        result: ToolResult = await tool.run(params, context)
        return result


def _under_way(running: RunningCall, **fields: Any) -> ToolCallProgress:
    locations = list(running.shown.locations)
    return running.progress("in_progress", raw_input=running.raw_input, locations=locations, **fields)


def _emitter(turn: Turn, running: RunningCall) -> Callable[[SessionUpdate], Awaitable[None]]:
    async def emit(update: SessionUpdate) -> None:
        match update:
            case AgentPlanUpdate(entries=entries):
                await turn.state.record(events.PlanChanged(entries=tuple(entries)))
                await turn.show(update)
            case ToolCallProgress(content=content):
                await turn.show(_under_way(running, content=content))
            case _:
                await turn.show(update)

    return emit


def interrupted_call(state: SessionState, call: ToolCall) -> events.ToolCallFinal:
    """The end of a call that the last process did not live to see, shown as it was before."""
    running = running_call(state, state.workspace, call)
    running.decision = "interrupted"
    return running.final(ToolResult(output=history.INTERRUPTED, is_error=True), running.started)


def _refusal(running: RunningCall) -> str:
    return f"This call was not run: {running.decision}. Do not repeat it; go on in another way or ask the user."
