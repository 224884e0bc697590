"""Asking a person whether a call may run."""

from __future__ import annotations

import json

from acp_agent.schema import PermissionOption, TextContent, ToolCallContent, ToolCallUpdate, ToolContent
from acp_agent.session.permissions import Decision
from acp_agent.session.running_call import RunningCall
from acp_agent.session.turn_state import Turn
from acp_agent.tools.base import Subject, ToolContext, ToolParams

REPEATS = 3
"""The third identical call in a row is asked about."""


async def permitted(turn: Turn, running: RunningCall, params: ToolParams, context: ToolContext) -> bool:
    """Whether the call may run; `running.decision` says afterwards why or why not. Raises `ToolError` like the call."""
    assert running.tool is not None
    repeated = _repeated(turn, running)
    subjects = [*_touched(turn, running, params), *repeated]
    decision = turn.state.policy.decide(subjects)
    if decision.action == "ask":
        for event in running.earlier:  # a person is asked in the order of the calls
            await event.wait()
        async with turn.state.asking:
            decision = turn.state.policy.decide(subjects)  # the answer before may have settled this one
            if decision.action == "ask":
                content = await running.tool.preview(params, context)
                if not await _ask(turn, running, decision, list(content)):
                    return False
                # A person may take an hour, and what they saw must be what happens.
                same = _touched(turn, running, params) == subjects[: len(subjects) - len(repeated)]
                if same and await running.tool.preview(params, context) == content:
                    return True
                running.decision = "what it would touch or change was altered while the user was asked"
                return False
    turn.log("permission.decided", call=running.call.id, action=decision.action, reason=decision.reason)
    running.decision = "allowed" if decision.action == "allow" else f"refused by {decision.reason}"
    return decision.action == "allow"


def _touched(turn: Turn, running: RunningCall, params: ToolParams) -> list[Subject]:
    assert running.tool is not None
    return list(running.tool.subjects(params, turn.workspace))


async def _ask(turn: Turn, running: RunningCall, decision: Decision, content: list[ToolCallContent]) -> bool:
    turn.log("permission.asked", call=running.call.id, reason=decision.reason)
    content.append(ToolContent(content=TextContent(text=f"Asked because of {decision.reason}.")))
    tool_call = ToolCallUpdate(
        tool_call_id=running.call.id,
        title=running.progress(None).title,
        name=running.call.name,
        kind=running.kind,
        status="pending",
        content=content,
        locations=list(running.shown.locations),
        raw_input=running.raw_input,
        meta={"acp-agent/reason": decision.reason},
    )
    choice = await turn.client.request_permission(turn.state.id, tool_call, _options(decision))
    turn.log("permission.answered", call=running.call.id, option=choice.option_id, problem=choice.problem)
    if choice.option_id == "allow_always":
        turn.state.policy.grant(decision.asked)
    approved = choice.option_id in ("allow_once", "allow_always")
    if approved:
        running.decision = f"allowed by the user ({choice.option_id})"
    else:
        running.decision = choice.problem or "refused by the user"
    return approved


def _options(decision: Decision) -> list[PermissionOption]:
    """One option of each kind: some clients key their buttons by kind, one of them knows just these ids."""
    options = [PermissionOption(option_id="allow_once", name="Allow once", kind="allow_once")]
    if decision.may_be_remembered:
        scope = ", ".join(dict.fromkeys(f"{subject.permission} {subject.always}" for subject in decision.asked))
        name = f"Allow in this session: {scope}"
        options.append(PermissionOption(option_id="allow_always", name=name[:200], kind="allow_always"))
    options.append(PermissionOption(option_id="reject_once", name="Reject", kind="reject_once"))
    return options


def _repeated(turn: Turn, running: RunningCall) -> list[Subject]:
    """The subject `doom_loop` for a call that the turn makes again and again with the same arguments, and no other."""
    key = running.call.name + "\n" + json.dumps(running.raw_input, sort_keys=True, default=str)
    last, count = turn.repeated
    turn.repeated = key, count + 1 if key == last else 1
    return [Subject("doom_loop", running.call.name, running.call.name)] if turn.repeated[1] >= REPEATS else []
