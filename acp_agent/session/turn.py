"""The prompt turn: ask the model, run the tools it calls, repeat. The one loop of the program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import anyio

from acp_agent.llm.messages import AssistantMessage, Step
from acp_agent.llm.models import ModelInfo, ModelUnknown
from acp_agent.llm.provider import ModelRequest, ProviderError
from acp_agent.rpc.messages import INTERNAL_ERROR, RpcError
from acp_agent.schema import AgentMessageChunk, ContentBlock, TextContent
from acp_agent.session.answer import Answer, ask_model
from acp_agent.session.calls import close_calls, run_calls
from acp_agent.session.client import Client
from acp_agent.session.commands import commands_of, invocation, unknown_command
from acp_agent.session.commands.base import Command, Invocation
from acp_agent.session.model_request import request_for
from acp_agent.session.prompt.content import prompt_content
from acp_agent.session.record import events, history
from acp_agent.session.record.store import StoreError
from acp_agent.session.servers import join_servers
from acp_agent.session.state import SessionState
from acp_agent.session.steering import leave, over, take_in
from acp_agent.session.titles import give_title
from acp_agent.session.trust import ask_for_trust
from acp_agent.session.turn_state import Turn
from acp_agent.session.usage import cost_of, count_usage, usage_update
from acp_agent.tools.base import ToolError

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"]

_EMPTY = "The model gave an empty answer twice. Ask again, or choose another model."
_NOT_RECORDED = "The answer could not be recorded, so this call was not run."
_CUT_OFF = "The answer ended before this call was complete, so the call was not run."


async def run_turn(
    state: SessionState, blocks: Sequence[ContentBlock], client: Client, trace: Mapping[str, str] | None = None
) -> StopReason:
    """Run one prompt turn to its end and give its stop reason. `trace` is passed on to the MCP servers that it asks.

    Raises `RpcError` when the model could not be asked; what happened was then said to the person already. When
    cancelled, what was shown is recorded and every shown tool call is closed before the cancellation goes on.
    """
    state.attach(client)
    await join_servers(state)
    turn = Turn(state.services.new_id("turn"), state, client, client.workspace(state.id, state.workspace), trace or {})
    before = state.record_tail, len(state.history)
    state.showing = turn.showing
    try:
        done = await _begin(turn, blocks)
        if done is None:
            return "end_turn"
        reason = await _loop(turn)
        if reason == "end_turn":
            await done(turn)
    except ProviderError as error:
        turn.log("turn.failed", level="ERROR", error=str(error), kind=error.kind, status=error.status)
        await turn.say(_sentence(str(error)))
        raise _model_failed(error) from error
    except ModelUnknown as error:
        turn.log("turn.failed", level="ERROR", error=str(error))
        await turn.say(_sentence(str(error)))
        raise RpcError(INTERNAL_ERROR, str(error)) from error
    except StoreError as error:
        turn.log("turn.failed", level="ERROR", error=str(error))
        await turn.show(AgentMessageChunk(content=TextContent(text=_sentence(str(error)))))
        raise
    except anyio.get_cancelled_exc_class():
        turn.log("turn.cancelled", updates=dict(turn.shown))
        raise
    finally:
        await leave(turn)
        state.showing = None
    if reason == "refusal":
        await _take_back(turn, *before)
    turn.log("turn.ended", stop_reason=reason, updates=dict(turn.shown))
    return reason


async def _begin(turn: Turn, blocks: Sequence[ContentBlock]) -> Callable[[Turn], Awaitable[None]] | None:
    """Answer a command, which gives None, or record what the model is to be asked; the result is for the turn's end."""
    state = turn.state
    invoked = invocation(state, blocks)
    command = None if invoked is None else await _command(state, invoked)
    if invoked is not None and (command is None or command.prompt is None):
        await _answer_command(turn, blocks, invoked, command)
        return None
    state.steerable = True
    sent: Sequence[ContentBlock] | None = blocks
    if invoked is not None and command is not None and command.prompt is not None:
        sent = await _prompted(turn, blocks, invoked, command.prompt)
    if sent is None:
        return None
    await _accept(turn, blocks, sent)
    return _nothing if command is None or command.done is None else command.done


async def _nothing(_turn: Turn) -> None:
    """There is nothing more to do at the end of an ordinary prompt's turn."""


async def _command(state: SessionState, invoked: Invocation) -> Command | None:
    """The command that is called. One that nobody knows may be the prompt of a server that is still being joined."""
    if invoked.name not in commands_of(state):
        await state.mcp.gathered()
    return commands_of(state).get(invoked.name)


async def _prompted(
    turn: Turn,
    blocks: Sequence[ContentBlock],
    invoked: Invocation,
    prompt: Callable[[Turn, Invocation], Awaitable[Sequence[ContentBlock]]],
) -> Sequence[ContentBlock] | None:
    """What the model is sent in place of a command; None if there is nothing to send, which the person was told."""
    try:
        return await prompt(turn, invoked)
    except ToolError as error:
        await _answer_command(turn, blocks, invoked, str(error))
        return None
    except anyio.get_cancelled_exc_class():  # a server may take its time
        await turn.keep(
            events.UserMessage(message_id=turn.state.services.new_id("msg"), blocks=tuple(blocks), for_model=False)
        )
        raise


async def _accept(turn: Turn, shown: Sequence[ContentBlock], sent: Sequence[ContentBlock]) -> None:
    """Record a prompt: the blocks that the person sent, and what the model is sent in their place."""
    try:
        content = await prompt_content(turn, sent)
    except anyio.get_cancelled_exc_class():  # cancelled while its files were read: the prompt itself is kept
        await turn.keep(events.UserMessage(message_id=turn.state.services.new_id("msg"), blocks=tuple(shown)))
        turn.state.history.append(history.user_message(shown))
        raise
    recorded = content.recorded if sent is shown else history.recorded(content.message, shown)
    message_id = turn.state.services.new_id("msg")
    event = events.UserMessage(message_id=message_id, blocks=tuple(shown), content=recorded)
    await turn.state.record(event, durable=True)
    turn.state.history.append(content.message)
    turn.log("prompt.recorded", blocks=len(shown))
    await give_title(turn, shown)
    await _tell_notes(turn)


async def _answer_command(
    turn: Turn, blocks: Sequence[ContentBlock], invoked: Invocation, command: Command | str | None
) -> None:
    """Answer a command here, without a model; what was asked and answered is kept for people only.

    A text in place of the command is the answer: why it could not be done.
    """
    message_id = turn.state.services.new_id("msg")
    event = events.UserMessage(message_id=message_id, blocks=tuple(blocks), for_model=False)
    await turn.state.record(event, durable=True)
    match command:
        case str(text):
            pass
        case None:
            text = unknown_command(turn.state, invoked)
        case _:
            assert command.answer is not None
            text = await command.answer(turn, invoked)
    await turn.say(text)
    turn.log("command.answered", command=invoked.name, known=command is not None)


async def _loop(turn: Turn) -> StopReason:
    empty_answers = 0
    await ask_for_trust(turn)
    while turn.step < turn.state.step_limit:
        turn.step += 1
        await take_in(turn)
        info = await _model(turn)
        request = await request_for(turn.state, info)
        await _tell_notes(turn)
        _log_request(turn, info, request)
        answer = await ask_model(turn, info, request)
        _log_answer(turn, answer)
        await _record(turn, info, answer)
        if answer.message.tool_calls:
            turn.in_text = False
            empty_answers = 0
            await run_calls(turn, answer.message)
            continue
        if answer.stop_reason == "refusal":
            await turn.say("The model refused this request.")
            return "refusal"
        if not over(turn):
            continue
        if answer.stop_reason == "max_tokens":
            return "max_tokens"
        if answer.message.text.strip():
            return "end_turn"
        empty_answers += 1
        if empty_answers == 2:
            await turn.say(_EMPTY)
            return "end_turn"
        turn.state.steerable = True
    await turn.say(f"Stopped after {turn.state.step_limit} steps without an end. Send another prompt to go on.")
    return "max_turn_requests"


async def _model(turn: Turn) -> ModelInfo:
    """The model for the next call: a choice made in mid-turn holds from here."""
    state = turn.state
    resolution = state.resolution()
    if resolution.note and resolution.note not in state.told_notes:
        state.told_notes.add(resolution.note)
        await turn.say(_sentence(resolution.note) + "\n\n")
    return resolution.info


async def _record(turn: Turn, info: ModelInfo, answer: Answer) -> None:
    """Record an answer before anything follows from it; then tell what it cost."""
    state = turn.state
    calls = answer.message.tool_calls
    not_run = {**answer.shown, **{call.id: call for call in calls}}
    if calls and answer.stop_reason == "max_tokens":
        # A call at the limit may be cut in the middle of its arguments, so none of them is run.
        answer.message = AssistantMessage(content=tuple(part for part in answer.message.content if part not in calls))
        calls = ()
    for call in calls:
        del not_run[call.id]
    found: list[events.Event] = []
    if answer.message.content:
        found.append(events.AssistantMessage(message_id=answer.message_id, message=answer.message, model=str(info.ref)))
    if answer.usage is not None:
        found.append(events.Usage(usage=answer.usage, size=info.context, cost=cost_of(answer.usage, info.prices)))
    # The last answer of a turn, and one that may change things, must outlive even a power cut.
    durable = not calls or any(_changes_things(turn, call.name) for call in calls)
    # From the record to the running of the calls nothing may be cancelled, or they would stay without an end.
    with anyio.CancelScope(shield=True):
        try:
            await state.record(*found, durable=durable)
        except StoreError:
            finals = await close_calls(turn, tuple(answer.shown.values()), _NOT_RECORDED)
            state.history.append(history.step(answer.message, finals))
            raise
    if not calls and answer.message.content:
        state.history.append(Step(message=answer.message))
    await close_calls(turn, tuple(not_run.values()), _CUT_OFF)
    for event in found:
        if isinstance(event, events.Usage):
            count_usage(state, event)
            usage = usage_update(state)
            if usage is not None:
                turn.client.update_now(state.id, usage)


def _changes_things(turn: Turn, name: str) -> bool:
    tool = turn.state.tools().get(name)
    return tool is not None and tool.kind not in ("read", "search", "think")


async def _tell_notes(turn: Turn) -> None:
    notes = turn.state.notes
    if notes:
        await turn.say("\n".join(notes) + "\n\n")
        del turn.state.notes[: len(notes)]


def _log_request(turn: Turn, info: ModelInfo, request: ModelRequest) -> None:
    turn.log(
        "model.asked",
        model=str(info.ref),
        **turn.state.models.described(info.ref),
        messages=len(request.history),
        tools=len(request.tools),
    )


def _log_answer(turn: Turn, answer: Answer) -> None:
    turn.log(
        "model.answered",
        stop_reason=answer.stop_reason,
        text=len(answer.message.text),
        calls=len(answer.message.tool_calls),
        usage=answer.usage.total if answer.usage else None,
    )


async def _take_back(turn: Turn, event: str, length: int) -> None:
    """A refused prompt, and everything after it, is not sent again (that is what the stop reason means)."""
    await turn.keep(events.Rewind(to=event))
    turn.state.record_tail = event
    del turn.state.history[length:]


def _model_failed(error: ProviderError) -> RpcError:
    data = {
        "provider": error.provider,
        "model": error.model,
        "kind": error.kind,
        "retryable": error.transient,
        **({"status": error.status} if error.status is not None else {}),
    }
    return RpcError(INTERNAL_ERROR, str(error), data)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
