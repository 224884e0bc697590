"""Section 4.6, rules 68 to 77: cancellation."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.messages import Step
from acp_agent.llm.scripted import Scripted
from tests.conformance.conftest import Start
from tests.conformance.test_4_04_sessions import server
from tests.conformance.transcript import (
    assert_calls_go_their_way,
    assert_nothing_of_the_turn_follows,
    is_response,
    place_of_response,
    settle,
    text_of,
    updates_of,
    written,
)
from tests.harness import RawClient, Rig, call, choose, tools

pytestmark = pytest.mark.anyio

CANCELLED = "cancelled"
SLEEP = tools(call("bash", command="echo begun; sleep 60", description="waits"), text="I wait. ")
ASK = tools(call("write", filePath="a.txt", content="x"))
LATER = {"error": {"kind": "rate_limit", "message": "slow down", "retry_after": 50}}


async def _begun(client: RawClient, rig: Rig, **more: Any) -> tuple[str, Any]:
    """A session with a prompt under way."""
    await client.initialize()
    params = {"cwd": str(rig.cwd), "mcpServers": [], **more}
    session = (await client.call("session/new", params))["sessionId"]
    return session, await client.begin("session/prompt", client.text_prompt(session))


async def _cancel(client: RawClient, session: str) -> None:
    await client.notify("session/cancel", {"sessionId": session})


async def _reason(client: RawClient, prompt: Any) -> str:
    return str((await client.response(prompt))["result"]["stopReason"])


@pytest.mark.parametrize("where", ["before", "stream", "command", "permission", "back-off"])
async def test_rule_068_a_cancelled_prompt_answers_with_the_stop_reason_cancelled(rig: Rig, where: str) -> None:
    steps: dict[str, Any] = {
        "before": {"text": "never"},
        "stream": {"text": "I begin", "hold": True},
        "command": SLEEP,
        "permission": ASK,
        "back-off": LATER,
    }
    rig.config = {"permission": {"edit": "ask"}}
    rig.provider = provider = Scripted([steps[where]])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig)
        match where:
            case "stream":
                await client.see("agent_message_chunk")
            case "command":
                await client.until(lambda: "begun" in str(client.updates("tool_call_update")))
            case "permission":
                await client.see_method("session/request_permission")
            case "back-off":
                with anyio.fail_after(5):
                    while not provider.requests:
                        await client.call("session/list", {})
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        place_of_response(written(client), prompt)


@pytest.mark.e2e
def test_rule_069_a_cancellation_ends_the_command_and_its_children_at_once(start: Start, project: Path) -> None:
    line = "sleep 61 & (sleep 62; echo never) & echo begun; sleep 63"
    agent = start(tools(call("bash", command=line, description="waits")), {"text": "I begin", "hold": True})
    agent.initialize()
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.see_output(session, "begun")
    assert agent.offspring(), "whatever is about to become its children"
    sent = agent.cancel(session)
    assert agent.answered(prompt).at - sent < 5
    assert agent.response(prompt)["result"]["stopReason"] == CANCELLED
    assert agent.offspring("sleep") == []
    second = agent.ask(session)
    agent.see_text(session, "I begin")
    sent = agent.cancel(session)
    assert agent.answered(second).at - sent < 5


async def test_rule_070_what_was_under_way_is_told_before_the_cancelled_response_and_nothing_behind_it(
    rig: Rig,
) -> None:
    async with rig.client(SLEEP) as client:
        session, prompt = await _begun(client, rig)
        await client.until(lambda: "begun" in str(client.updates("tool_call_update")))
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        await settle(client)
        lines = written(client)
        end = place_of_response(lines, prompt)
        assert_calls_go_their_way(lines, session, before=end)
        assert_nothing_of_the_turn_follows(lines, session, end)
        last = [update for _, update in updates_of(lines[:end], session, "tool_call_update")][-1]
        assert last["status"] == "failed", "version 1 has no status for a cancelled call"


async def test_rule_071_a_permission_that_the_client_never_answers_holds_up_no_cancellation(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(ASK) as client:
        session, prompt = await _begun(client, rig)
        await client.see_method("session/request_permission")
        before = time.monotonic()
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        assert time.monotonic() - before < 5
        assert not (rig.cwd / "a.txt").exists()


async def test_rule_072_a_cancellation_of_nothing_changes_nothing_and_two_give_one_answer(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "I begin", "hold": True}, {"text": "Whole."}, {"text": "Whole."}])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig)
        await client.see("agent_message_chunk")
        await _cancel(client, session)
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        await settle(client)
        await _cancel(client, session)
        await settle(client)
        for _ in range(2):
            assert (await client.prompt(session))["stopReason"] == "end_turn"
            await _cancel(client, session)
        assert text_of(written(client), session) == "I beginWhole.Whole."
        place_of_response(written(client), prompt)


async def test_rule_073_a_race_of_end_and_cancellation_has_exactly_one_answer(rig: Rig) -> None:
    rounds = 25
    async with rig.client(*["a b c"] * rounds) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for number in range(rounds):
            prompt = await client.begin("session/prompt", client.text_prompt(session))
            seen = len(client.updates("agent_message_chunk"))
            if number % 5:
                await client.until(
                    lambda seen=seen, prompt=prompt, wanted=number % 5: (  # type: ignore[misc]
                        len(client.updates("agent_message_chunk")) - seen >= min(wanted, 3)
                        or any(is_response(line, prompt) for line in written(client))
                    )
                )
            await _cancel(client, session)
            assert await _reason(client, prompt) in ("end_turn", CANCELLED)
            await settle(client)
            end = place_of_response(written(client), prompt)
            assert_nothing_of_the_turn_follows(written(client), session, end)


async def test_rule_074_what_was_said_and_done_before_a_cancellation_stays_and_every_call_has_a_result(
    rig: Rig,
) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    read = tools(call("read", filePath="a.txt"), text="First I read.")
    rig.provider = provider = Scripted([read, SLEEP, {"text": "Half a sen", "hold": True}, {"text": "Back."}])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig)
        await client.until(lambda: "begun" in str(client.updates("tool_call_update")))
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        second = await client.begin("session/prompt", client.text_prompt(session))
        await client.until(lambda: client.said().endswith("Half a sen"))
        await _cancel(client, session)
        assert await _reason(client, second) == CANCELLED
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        history = provider.requests[-1].history
        for told in ("First I read.", "I wait. ", "Half a sen"):
            assert told in repr(history)
        for step in history:
            if isinstance(step, Step):
                assert [each.id for each in step.message.tool_calls] == [each.call_id for each in step.outcomes]


async def test_rule_075_a_cancelled_request_is_answered_all_the_same_and_an_unknown_one_ignored(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "I begin", "hold": True}, {"text": "Back."}])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig)
        await client.see("agent_message_chunk")
        load = {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []}
        for unknown in (str(prompt), 4711, None, "none", {"a": 1}):
            await client.notify("$/cancel_request", {"requestId": unknown})
        assert not any(is_response(line, prompt) for line in written(client))
        other = await client.begin("session/load", load)
        await client.notify("$/cancel_request", {"requestId": other})
        answer = await client.response(other)
        assert "result" in answer or answer["error"]["code"] == -32800
        await client.notify("$/cancel_request", {"requestId": prompt})
        assert await _reason(client, prompt) == CANCELLED
        await client.notify("$/cancel_request", {"requestId": prompt})
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        place_of_response(written(client), prompt)


async def test_rule_076_our_own_open_questions_are_withdrawn(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(ASK, "Back.") as client:
        session, prompt = await _begun(client, rig)
        asked = await client.see_method("session/request_permission")
        await _cancel(client, session)
        assert await _reason(client, prompt) == CANCELLED
        withdrawn = [line["params"] for line in written(client) if line.get("method") == "$/cancel_request"]
        assert withdrawn == [{"requestId": asked["id"]}]
        await client.send({"jsonrpc": "2.0", "id": asked["id"], "result": choose("allow_once")(None)})
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        assert not (rig.cwd / "a.txt").exists()


async def test_rule_077_a_load_is_not_hurt_by_a_cancellation_that_comes_with_it(rig: Rig) -> None:
    async with rig.client("Hi.", "Again.") as client:
        session, prompt = await _begun(client, rig)
        await client.response(prompt)
        await client.call("session/close", {"sessionId": session})
        load = await client.begin("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        await _cancel(client, session)
        with anyio.fail_after(2):
            answer = await client.response(load)
        assert "result" in answer or answer["error"]["code"] == -32800
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        assert (await client.prompt(session))["stopReason"] == "end_turn"


async def test_rule_077_a_turn_that_waits_for_a_server_to_be_joined_can_be_cancelled(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "I begin", "hold": True}, {"text": "Back."}])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig, mcpServers=[server("sleeps")])
        await _cancel(client, session)
        with anyio.fail_after(2):
            assert await _reason(client, prompt) == CANCELLED


async def test_rule_077_a_turn_that_waits_to_ask_the_model_again_can_be_cancelled(rig: Rig) -> None:
    rig.provider = provider = Scripted([LATER, {"text": "Back."}])
    async with rig.client() as client:
        session, prompt = await _begun(client, rig)
        with anyio.fail_after(5):
            while not provider.requests:
                await client.call("session/list", {})
        await _cancel(client, session)
        with anyio.fail_after(1):
            assert await _reason(client, prompt) == CANCELLED
        assert (await client.prompt(session))["stopReason"] == "end_turn"
