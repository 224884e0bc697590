"""The prompt turn on fakes: what is shown, what is recorded, what the next model call sends, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.messages import Step, Text, UserMessage
from acp_agent.llm.scripted import Scripted
from acp_agent.rpc.messages import RpcError
from acp_agent.session.record import events, history
from acp_agent.session.record.store import StoreError
from tests.harness import call, tools
from tests.session.unit import NoteTool, bench, broken

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_text_and_thoughts_are_shown_as_they_come_each_under_one_message_id(tmp_path: Path) -> None:
    async with bench(tmp_path, {"thinking": "Let me see.", "text": "All is well.", "chunks": 3}) as it:
        assert await it.run() == "end_turn"
        assert [update["content"]["text"] for update in it.client.of("agent_thought_chunk")] == ["Let", " me ", "see."]
        assert [update["content"]["text"] for update in it.client.of("agent_message_chunk")] == [
            "All ",
            "is w",
            "ell.",
        ]
        assert {update["messageId"] for update in it.client.of("agent_thought_chunk")} == {"msg_2-thought"}
        assert {update["messageId"] for update in it.client.of("agent_message_chunk")} == {"msg_2"}


async def test_a_turn_without_calls_is_recorded_as_prompt_and_answer_and_both_outlive_a_power_cut(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, {"text": "Hello."}) as it:
        await it.run("hi")
        assert [event.type for event in it.store.events()] == ["user_message", "assistant_message"]
        assert it.store.durable == ["user_message", "assistant_message"]
        assert it.talk() == ["user: hi", "model: Hello."]


async def test_tool_results_reach_the_model_in_the_order_of_the_calls_whichever_ended_first(tmp_path: Path) -> None:
    release = {"slow": anyio.Event()}

    async def work(text: str) -> str:
        if text == "slow":
            await release["slow"].wait()
        else:
            release["slow"].set()
        return f"did {text}"

    steps = tools(call("note", text="slow"), call("note", text="fast"))
    async with bench(tmp_path, steps, {"text": "Done."}, tools=[NoteTool(work)]) as it:
        assert await it.run() == "end_turn"
        assert it.outcomes() == [[("did slow", False), ("did fast", False)], []]
        finals = [event.output for event in it.store.events() if isinstance(event, events.ToolCallFinal)]
        assert finals == ["did fast", "did slow"]
        step = it.requests[1].history[-1]
        assert isinstance(step, Step)
        assert [outcome.output for outcome in step.outcomes] == ["did slow", "did fast"]


async def test_a_call_is_shown_while_its_arguments_are_still_written(tmp_path: Path) -> None:
    gates = [anyio.Event() for _ in range(4)]
    passed = iter(gates)

    async def gate() -> None:
        await next(passed).wait()

    provider = Scripted([tools(call("note", text="a"), text="I")], gate=gate)
    provider.append({"text": ""})
    async with bench(tmp_path, tools=[NoteTool()], provider=provider) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(it.run)
        gates[0].set()
        gates[1].set()
        await it.client.until(lambda: bool(it.client.of("tool_call")))
        assert it.client.updates[-1] == {
            "sessionUpdate": "tool_call",
            "toolCallId": "call_1",
            "title": "note",
            "name": "note",
            "kind": "other",
            "status": "pending",
        }
        tasks.cancel_scope.cancel()


async def test_the_call_ids_are_ours_and_every_update_of_a_call_repeats_title_and_name(tmp_path: Path) -> None:
    steps = tools(call("note", text="a"), call("note", text="b"))
    async with bench(tmp_path, steps, steps, {"text": "Done."}, tools=[NoteTool()]) as it:
        await it.run()
        assert list(it.client.calls()) == ["call_1", "call_2", "call_3", "call_4"]
        assert set(map(tuple, it.client.calls().values())) == {("pending", "in_progress", "completed")}
        for update in it.client.of("tool_call_update"):
            assert (update["name"], update["title"][:5]) == ("note", "Note ")
            assert update["rawInput"] in ({"text": "a"}, {"text": "b"})


@pytest.mark.parametrize(("window", "shown"), [(100_000, [{"used": 107, "size": 100_000}]), (None, [])])
async def test_usage_is_shown_where_the_window_is_known(tmp_path: Path, window: int | None, shown: list[Any]) -> None:
    limit = {"limit": {"context": window, "output": 10}} if window else {}
    script = {"options": {"script": str(tmp_path / "s")}, "models": {"demo": {"name": "Demo", **limit}}}
    step = {"text": "Hi.", "usage": {"input": 100, "output": 7}}
    async with bench(tmp_path, step, config={"provider": {"scripted": script}}) as it:
        await it.run()
        updates = [{"used": each["used"], "size": each["size"]} for each in it.client.of("usage_update")]
        assert updates == shown
        assert [event.usage.total for event in it.store.events() if isinstance(event, events.Usage)] == [107]


async def test_the_step_limit_ends_a_turn_with_a_sentence_and_max_turn_requests(tmp_path: Path) -> None:
    again = [tools(call("note", text=str(number))) for number in range(9)]
    config = {"agent": {"build": {"steps": 3}}}
    async with bench(tmp_path, *again, tools=[NoteTool()], config=config) as it:
        assert await it.run() == "max_turn_requests"
        assert len(it.requests) == 3
        assert it.client.said() == "Stopped after 3 steps without an end. Send another prompt to go on."
        assert [len(step) for step in it.outcomes()] == [1, 1, 1]


async def test_the_step_limit_is_200_unless_configured(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        assert it.state.step_limit == 200


async def test_an_empty_answer_is_asked_once_more(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": ""}, {"text": "Sorry, here."}) as it:
        assert await it.run() == "end_turn"
        assert (len(it.requests), it.client.said()) == (2, "Sorry, here.")


async def test_two_empty_answers_end_the_turn_with_a_visible_sentence(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": ""}, {"text": " \n"}, {"text": "never asked for"}) as it:
        assert await it.run() == "end_turn"
        assert it.client.said().strip() == "The model gave an empty answer twice. Ask again, or choose another model."
        assert it.provider.remaining == 1


async def test_thoughts_alone_are_no_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, {"thinking": "Hm."}, {"text": "Here."}) as it:
        assert await it.run() == "end_turn"
        assert len(it.requests) == 2


async def test_a_refused_prompt_is_not_sent_again(tmp_path: Path) -> None:
    steps = [{"text": "Fine."}, {"text": "No.", "stop_reason": "refusal"}, {"text": "Yes."}]
    async with bench(tmp_path, *steps) as it:
        await it.run("first")
        assert await it.run("bad") == "refusal"
        assert it.client.said() == "Fine.No.\n\nThe model refused this request."
        await it.run("third")
        assert it.talk() == ["user: first", "model: Fine.", "user: third", "model: Yes."]
        assert history.history(event for _, event in history.holding(it.store.records["ses"])) == it.state.history


async def test_a_refusal_after_a_tool_step_takes_the_whole_prompt_back(tmp_path: Path) -> None:
    steps = [tools(call("note", text="a")), {"text": "No.", "stop_reason": "refusal"}]
    async with bench(tmp_path, *steps, tools=[NoteTool()]) as it:
        assert await it.run("bad") == "refusal"
        assert it.talk() == []
        assert list(it.client.calls().values()) == [["pending", "in_progress", "completed"]]


async def test_calls_of_an_answer_that_was_cut_off_are_closed_and_not_run(tmp_path: Path) -> None:
    tool = NoteTool()
    step = {**tools(call("note", text="whole"), text="I will"), "stop_reason": "max_tokens"}
    async with bench(tmp_path, step, tools=[tool]) as it:
        assert await it.run() == "max_tokens"
        assert tool.running == []
        assert list(it.client.calls().values()) == [["pending", "failed"]]
        assert it.talk() == ["user: go", "model: I will"]


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal"])
async def test_a_call_that_was_shown_and_is_not_in_the_final_answer_is_closed(tmp_path: Path, stop_reason: str) -> None:
    cut = {"tool_calls": [{"name": "note", "arguments": '{"text": "unfini'}], "text": "I", "stop_reason": stop_reason}
    async with bench(tmp_path, cut, tools=[NoteTool()]) as it:
        assert await it.run() == stop_reason
        assert list(it.client.calls().values()) == [["pending", "failed"]]


async def test_a_failed_model_call_says_a_sentence_and_raises(tmp_path: Path) -> None:
    error = {"kind": "auth", "message": "HTTP 401: the key is wrong", "status": 401}
    async with bench(tmp_path, {"error": error}, {"text": "Back."}) as it:
        with pytest.raises(RpcError) as raised:
            await it.run("hi")
        assert it.client.said() == "scripted/demo: HTTP 401: the key is wrong."
        assert raised.value.wire() == {
            "code": -32603,
            "message": "scripted/demo: HTTP 401: the key is wrong",
            "data": {"provider": "scripted", "model": "demo", "kind": "auth", "retryable": False, "status": 401},
        }
        assert await it.run("again") == "end_turn"
        assert it.talk() == ["user: hi", "user: again", "model: Back."]  # our sentence is never sent to a model


async def test_an_unknown_model_says_a_sentence_and_raises(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.state.model = "nobody/nothing"
        with pytest.raises(RpcError) as raised:
            await it.run()
        assert raised.value.code == -32603
        assert 'provider "nobody"' in it.client.said()


async def test_a_model_note_is_said_once(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "A."}, {"text": "B."}) as it:
        it.state.model = "scripted/unheard"
        await it.run()
        await it.run()
        assert it.client.said().count("scripted/unheard is not among the models") == 1
        assert [request.model for request in it.requests] == ["unheard", "unheard"]


async def test_another_model_is_asked_from_the_next_model_call(tmp_path: Path) -> None:
    async def switch(text: str) -> str:
        it.state.model = "scripted/demo-2"
        return text

    models = {"demo": {"name": "Demo"}, "demo-2": {"name": "Demo 2"}}
    config = {"provider": {"scripted": {"options": {"script": "x"}, "models": models}}}
    steps = [tools(call("note", text="a")), {"text": "Done."}]
    async with bench(tmp_path, *steps, tools=[NoteTool(switch)], config=config) as it:
        await it.run()
        assert [request.model for request in it.requests] == ["demo", "demo-2"]


async def test_problems_of_the_configuration_are_the_first_thing_said_and_said_once(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "A."}, {"text": "B."}) as it:
        it.state.notes = ["opencode.json:1:2: odd", "opencode.json:3:4: odder"]
        await it.run()
        await it.run()
        assert it.client.said() == "opencode.json:1:2: odd\nopencode.json:3:4: odder\n\nA.B."
        assert it.talk() == ["user: go", "model: A.", "user: go", "model: B."]


async def test_a_store_that_fails_is_told_and_ends_the_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, tools(call("note", text="a")), tools=[NoteTool()]) as it:
        it.store.fails = lambda events: any(event.type == "tool_call_final" for event in events)
        with pytest.raises(StoreError):
            await it.run()
        assert it.client.said() == "The disk is full."
        assert list(it.client.calls().values()) == [["pending", "in_progress", "failed"]]
        assert [len(step) for step in it.outcomes()] == [1]


async def test_a_defect_of_a_tool_costs_one_call_and_not_the_turn(tmp_path: Path) -> None:
    steps = tools(call("note", text="bug"), call("note", text="tool"), call("note", text="fine"))
    async with bench(tmp_path, steps, {"text": "On."}, tools=[NoteTool(broken)]) as it:
        assert await it.run() == "end_turn"
        assert it.outcomes()[0] == [
            ("The tool note broke: KeyError: 'bug'", True),
            ("It does not work.", True),
            ("fine", False),
        ]


# Cancelled in every state: what was shown is closed and recorded, and the next request's history is valid.


async def _noted(it: Any, reasons: list[str]) -> None:
    reasons.append(await it.run())


async def _cancelled(it: Any, when: Any) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.run)
            await when()
            tasks.cancel_scope.cancel()


async def _sends_a_valid_history_afterwards(it: Any) -> list[Any]:
    it.provider.append({"text": "Back."})
    assert await it.run("again") == "end_turn"
    sent = list(it.requests[-1].history)
    record = [event for _, event in history.holding(it.store.records["ses"])]
    assert history.history(record) == it.state.history, "what would be reloaded is what is in memory"
    assert isinstance(sent[-1], UserMessage)
    assert sent[-1].content == (Text(text="again"),)
    return sent


async def test_cancelled_before_the_first_byte_nothing_is_shown(tmp_path: Path) -> None:
    opened = anyio.Event()

    async def gate() -> None:
        opened.set()
        if len(it.requests) == 1:
            await anyio.sleep_forever()

    async with bench(tmp_path, provider=Scripted([{"text": "never"}], gate=gate)) as it:
        await _cancelled(it, opened.wait)
        assert it.client.updates == []
        sent = await _sends_a_valid_history_afterwards(it)
        assert len(sent) == 2


async def test_cancelled_in_the_stream_what_was_shown_is_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, {"thinking": "Hm. ", "text": "One two", "hold": True}) as it:
        await _cancelled(it, lambda: it.client.until(lambda: it.client.said() == "One two"))
        last = it.store.events()[-1]
        assert isinstance(last, events.AssistantMessage)
        assert (last.interrupted, last.message.text, last.message_id) == (True, "One two", "msg_2")
        sent = await _sends_a_valid_history_afterwards(it)
        assert isinstance(sent[1], Step)
        assert sent[1].message.text == "One two"


async def test_cancelled_while_a_call_is_written_the_call_is_closed_and_not_run(tmp_path: Path) -> None:
    tool = NoteTool()
    step = {**tools(call("note", text="a"), text="So"), "hold": True}
    async with bench(tmp_path, step, tools=[tool]) as it:
        await _cancelled(it, lambda: it.client.until(lambda: bool(it.client.calls())))
        assert list(it.client.calls().values()) == [["pending", "failed"]]
        assert tool.running == []
        sent = await _sends_a_valid_history_afterwards(it)
        assert isinstance(sent[1], Step)
        assert sent[1].message.tool_calls == ()


async def test_cancelled_while_tools_run_every_call_ends_and_results_that_came_stay(tmp_path: Path) -> None:
    async def work(text: str) -> str:
        if text == "stays":
            await anyio.sleep_forever()
        return "it worked"

    steps = tools(call("note", text="quick"), call("note", text="stays"))
    async with bench(tmp_path, steps, tools=[NoteTool(work)]) as it:

        def quick_is_over() -> bool:
            return list(it.client.calls().values()) == [
                ["pending", "in_progress", "completed"],
                ["pending", "in_progress"],
            ]

        await _cancelled(it, lambda: it.client.until(quick_is_over))
        assert list(it.client.calls().values())[1] == ["pending", "in_progress", "failed"]
        assert it.outcomes() == [[("it worked", False), (history.CANCELLED, True)]]
        await _sends_a_valid_history_afterwards(it)


async def test_cancelled_while_a_person_is_asked_the_call_is_closed_and_not_run(tmp_path: Path) -> None:
    tool = NoteTool()
    config = {"permission": {"note": "ask"}}
    async with bench(tmp_path, tools(call("note", text="a")), tools=[tool], config=config) as it:
        await _cancelled(it, lambda: it.client.until(lambda: bool(it.client.asked)))
        assert list(it.client.calls().values()) == [["pending", "failed"]]
        assert tool.running == []
        assert it.outcomes() == [[(history.CANCELLED, True)]]
        await _sends_a_valid_history_afterwards(it)


async def test_cancelled_while_the_client_lags_a_finished_call_keeps_its_one_result(tmp_path: Path) -> None:
    recorded = anyio.Event()

    async def work(text: str) -> str:
        it.client.stalled = True  # the client stops reading while the tool runs
        recorded.set()
        return "it worked"

    async with bench(tmp_path, tools(call("note", text="a")), tools=[NoteTool(work)]) as it:

        async def the_result_is_recorded() -> None:
            await recorded.wait()
            while it.store.events()[-1].type != "tool_call_final":
                await anyio.lowlevel.checkpoint()

        await _cancelled(it, the_result_is_recorded)
        assert [event.type for event in it.store.events()].count("tool_call_final") == 1
        assert list(it.client.calls().values()) == [["pending", "in_progress", "completed"]]
        it.client.stalled = False
        await _sends_a_valid_history_afterwards(it)


async def test_cancelled_while_a_result_waits_for_the_disk_the_result_stays(tmp_path: Path) -> None:
    waiting, free = anyio.Event(), anyio.Event()

    async def slow(found: Any) -> None:
        if any(event.type == "tool_call_final" for event in found):
            waiting.set()
            await free.wait()

    async with bench(tmp_path, tools(call("note", text="it worked")), tools=[NoteTool()]) as it:
        it.store.slow = slow
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(it.run)
                await waiting.wait()
                tasks.cancel_scope.cancel()
                free.set()
        assert it.outcomes() == [[("it worked", False)]]
        assert list(it.client.calls().values()) == [["pending", "in_progress", "completed"]]
        await _sends_a_valid_history_afterwards(it)


async def test_a_cancellation_never_tears_the_record_from_the_history(tmp_path: Path) -> None:
    """Cancel behind each number of checkpoints that a turn with a tool passes: at every one of them all holds."""
    reasons: list[str] = []
    checkpoints = 0
    while not reasons:
        steps = [{**tools(call("note", text="a"), text="One "), "thinking": "Hm."}, {"text": "Two."}]
        async with bench(tmp_path, *steps, tools=[NoteTool()]) as it:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_noted, it, reasons)
                for _ in range(checkpoints):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            shown = it.client.calls()
            assert all(states[-1] in ("completed", "failed") for states in shown.values()), (checkpoints, shown)
            record = [event for _, event in history.holding(it.store.records.get("ses", []))]
            assert history.history(record) == it.state.history, checkpoints
            recorded = "".join(event.message.text for event in record if isinstance(event, events.AssistantMessage))
            assert recorded.startswith(it.client.said()), checkpoints
        checkpoints += 1
    assert checkpoints > 10
