"""Section 4.7, rules 78 to 81: permissions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.transcript import assert_calls_go_their_way, place_of_response, updates_of, written
from tests.harness import RawClient, Rig, call, choose, tools

pytestmark = pytest.mark.anyio

WRITE = tools(call("write", filePath="a.txt", content="x"))


@pytest.fixture
def asking(rig: Rig) -> Rig:
    rig.config = {"permission": {"edit": "ask"}}
    return rig


def _asked(client: RawClient) -> list[Any]:
    return [line for line in written(client) if line.get("method") == "session/request_permission"]


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"outcome": {"outcome": "selected", "optionId": "reject_once"}}},
        {"result": {"outcome": {"outcome": "selected", "optionId": "never offered"}}},
        {"result": {"outcome": {"outcome": "selected"}}},
        {"result": {"outcome": {"outcome": "cancelled"}}},
        {"result": {"outcome": {"outcome": "cancelled", "optionId": "allow_once"}}},
        {"result": {"outcome": {"outcome": "granted", "optionId": "allow_once"}}},
        {"result": {"outcome": "selected", "optionId": "allow_once"}},
        {"result": True},
        {"result": None},
        {"error": {"code": -32603, "message": "the window is gone"}},
        {"error": "allow_once"},
    ],
    ids=json.dumps,
)
async def test_rule_078_only_an_offered_option_that_was_selected_is_a_yes(asking: Rig, answer: Any) -> None:
    async with asking.client(WRITE, "I see.") as client:
        await client.initialize()
        session = await client.new(asking.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        asked = await client.see_method("session/request_permission")
        await client.send({"jsonrpc": "2.0", "id": asked["id"], **answer})
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert not (asking.cwd / "a.txt").exists()
        assert client.updates("tool_call_update")[-1]["status"] == "failed"


async def test_rule_078_an_offered_yes_is_a_yes(asking: Rig) -> None:
    async with asking.client(WRITE, "Done.") as client:
        client.answers["session/request_permission"] = choose("allow_once")
        await client.initialize()
        await client.prompt(await client.new(asking.cwd))
        assert (asking.cwd / "a.txt").read_text() == "x"


async def test_rule_079_options_are_distinct_and_the_call_was_reported_before(asking: Rig) -> None:
    async with asking.client(WRITE, "Done.") as client:
        client.answers["session/request_permission"] = choose("allow_once")
        await client.initialize()
        session = await client.new(asking.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.response(prompt)
        (asked,) = _asked(client)
        options = asked["params"]["options"]
        assert len(options) >= 2
        assert len({option["optionId"] for option in options}) == len(options)
        assert {option["kind"] for option in options} <= {"allow_once", "allow_always", "reject_once", "reject_always"}
        assert {option["kind"].split("_")[0] for option in options} == {"allow", "reject"}
        assert all(option["name"].strip() for option in options)
        lines = written(client)
        (reported,) = updates_of(lines, session, "tool_call")
        assert reported[1]["toolCallId"] == asked["params"]["toolCall"]["toolCallId"]
        assert reported[0] < lines.index(asked) < place_of_response(lines, prompt)
        started = [at for at, update in updates_of(lines, session, "tool_call_update")
                   if update.get("status") == "in_progress"]  # fmt: skip
        assert started[0] > lines.index(asked), "nothing runs before it was allowed"


async def test_rule_080_a_failed_question_costs_its_call_and_an_always_is_remembered(asking: Rig) -> None:
    def edit(text: str) -> Any:
        return tools(call("write", filePath="a.txt", content=text))

    async with asking.client(edit("1"), "No.", edit("2"), edit("3"), "Done.") as client:
        await client.initialize()
        session = await client.new(asking.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        asked = await client.see_method("session/request_permission")
        await client.send({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32603, "message": "broken"}})
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        client.answers["session/request_permission"] = choose("allow_always")
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        assert (asking.cwd / "a.txt").read_text() == "3"
        assert len(_asked(client)) == 2, "what was allowed for good is not asked about again"
        assert_calls_go_their_way(written(client), session)


async def test_rule_081_questions_of_two_sessions_overlap_and_are_answered_in_any_order(asking: Rig) -> None:
    other = asking.folder / "other"
    other.mkdir()
    async with asking.client(WRITE, WRITE, "Done.", "Done.") as client:
        await client.initialize()
        sessions = [await client.new(asking.cwd), await client.new(other)]
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for session in sessions]
        await client.until(lambda: len(_asked(client)) == 2)
        for asked in reversed(_asked(client)):
            yes = asked["params"]["sessionId"] == sessions[0]
            result = choose("allow_once" if yes else "reject_once")(None)
            await client.send({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        for prompt in prompts:
            assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert (asking.cwd / "a.txt").exists()
        assert not (other / "a.txt").exists()


async def test_rule_081_questions_of_parallel_calls_get_their_own_answers(asking: Rig) -> None:
    both = tools(call("write", filePath="a.txt", content="a"), call("write", filePath="b.txt", content="b"))

    def decide(params: Any) -> Any:
        path = params["toolCall"]["rawInput"]["filePath"]
        return choose("allow_once" if path == "b.txt" else "reject_once")(None)

    async with asking.client(both, "Done.") as client:
        client.answers["session/request_permission"] = decide
        await client.initialize()
        session = await client.new(asking.cwd)
        await client.prompt(session)
        assert (asking.cwd / "b.txt").read_text() == "b"
        assert not (asking.cwd / "a.txt").exists()
        assert_calls_go_their_way(written(client), session)
