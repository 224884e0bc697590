"""Asking a person: when, about what, one question at a time, and what counts as a yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from acp_agent.session import options
from acp_agent.session.client import Choice
from tests.harness import call, tools
from tests.session.unit import FakeClient, NoteTool, bench

pytestmark = pytest.mark.anyio

ASK = {"permission": {"note": "ask"}}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def _choose(option: str | None, problem: str = "") -> Any:
    return lambda _call, _options: Choice(option, problem)


async def test_a_question_shows_the_call_and_offers_one_option_of_each_kind(tmp_path: Path) -> None:
    step = tools(call("note", text="a"))
    async with bench(tmp_path, step, {"text": "Ok."}, tools=[NoteTool()], config=ASK, decide=_choose(None)) as it:
        await it.run()
        (asked,) = it.client.asked
        wire = asked.wire()
        assert {key: wire[key] for key in ("toolCallId", "title", "name", "kind", "status", "rawInput")} == {
            "toolCallId": "call_1",
            "title": "Note a",
            "name": "note",
            "kind": "other",
            "status": "pending",
            "rawInput": {"text": "a"},
        }
        assert it.client.offered == [["allow_once", "allow_always", "reject_once"]]


@pytest.mark.parametrize(
    ("choice", "runs", "told"),
    [
        (Choice("allow_once"), True, None),
        (Choice("allow_always"), True, None),
        (Choice("reject_once"), False, "refused by the user"),
        (Choice(None, "the user dismissed the question"), False, "the user dismissed the question"),
        (Choice(None, "the client could not ask the user (no)"), False, "the client could not ask the user (no)"),
    ],
)
async def test_only_a_yes_lets_a_call_run(tmp_path: Path, choice: Choice, runs: bool, told: str | None) -> None:
    tool = NoteTool()
    step = tools(call("note", text="a"))
    decide = lambda _call, _options: choice  # noqa: E731
    async with bench(tmp_path, step, {"text": "Ok."}, tools=[tool], config=ASK, decide=decide) as it:
        assert await it.run() == "end_turn"
        assert bool(tool.running) is runs
        ((output, is_error),) = it.outcomes()[0]
        assert is_error is not runs
        if told:
            assert told in output
            assert list(it.client.calls().values()) == [["pending", "failed"]]


async def test_allow_once_asks_again_and_allow_always_covers_the_pattern_for_the_session(tmp_path: Path) -> None:
    def steps(text: str) -> list[Any]:
        return [tools(call("note", text=text)), {"text": "Ok."}]

    once, always = Choice("allow_once"), Choice("allow_always")
    answers = iter([once, always, always])
    played = [*steps("a"), *steps("a"), *steps("a"), *steps("b")]
    decide = lambda _call, _options: next(answers)  # noqa: E731
    async with bench(tmp_path, *played, tools=[NoteTool()], config=ASK, decide=decide) as it:
        asked = []
        for _ in range(4):
            await it.run()
            asked.append(len(it.client.asked))
        assert asked == [1, 2, 2, 3]
    async with bench(tmp_path, *steps("a"), tools=[NoteTool()], config=ASK, decide=_choose(None)) as another:
        await another.run()
        assert len(another.client.asked) == 1


async def test_questions_of_one_answer_are_asked_one_at_a_time(tmp_path: Path) -> None:
    open_questions = most = 0

    class Client(FakeClient):
        async def request_permission(self, *arguments: Any) -> Choice:
            nonlocal open_questions, most
            open_questions += 1
            most = max(most, open_questions)
            choice = await super().request_permission(*arguments)
            open_questions -= 1
            return choice

    step = tools(*(call("note", text=str(number)) for number in range(5)))
    async with bench(tmp_path, step, {"text": "Ok."}, tools=[NoteTool()], config=ASK) as it:
        client = Client(_choose("allow_once"))
        await it.run(client=client)
        assert (len(client.asked), most) == (5, 1)


async def test_an_answer_that_settles_the_next_question_too_is_not_asked_for_twice(tmp_path: Path) -> None:
    step = tools(call("note", text="a"), call("note", text="a"))
    async with bench(
        tmp_path, step, {"text": "Ok."}, tools=[NoteTool()], config=ASK, decide=_choose("allow_always")
    ) as it:
        await it.run()
        assert len(it.client.asked) == 1
        assert it.outcomes()[0] == [("a", False), ("a", False)]


async def test_the_third_identical_call_in_a_row_is_asked_about_and_not_one_between_others(tmp_path: Path) -> None:
    same, other = tools(call("note", text="a")), tools(call("note", text="b"))
    steps = [same, other, same, other, same, same, same, {"text": "Ok."}, same, {"text": "Ok."}]
    async with bench(tmp_path, *steps, tools=[NoteTool()], decide=_choose("reject_once")) as it:
        await it.run()
        (asked,) = it.client.asked
        assert asked.tool_call_id == "call_7"
        assert it.outcomes()[6][0][1] is True
        await it.run()
        assert len(it.client.asked) == 1, "another turn counts anew"


async def test_a_refusal_by_rule_is_told_with_the_rule_and_nobody_is_asked(tmp_path: Path) -> None:
    tool = NoteTool()
    config = {"permission": {"note": {"*": "allow", "secret*": "deny"}}}
    steps = [tools(call("note", text="secret 1"), call("note", text="public")), {"text": "Ok."}]
    async with bench(tmp_path, *steps, tools=[tool], config=config, decide=_choose(None)) as it:
        await it.run()
        assert tool.running == ["public"]
        assert it.client.asked == []
        assert 'the rule "note": "secret*" = deny' in it.outcomes()[0][0][0]


async def test_a_mode_chosen_in_mid_turn_binds_the_next_call(tmp_path: Path) -> None:
    async def work(text: str) -> str:
        if text == "switch":
            await options.set_mode(it.state, "plan")
        return text

    step = tools(call("edit", text="switch"))
    steps = [step, tools(call("edit", text="after")), {"text": "Ok."}]
    tool = NoteTool(work, name="edit", kind="edit")
    async with bench(tmp_path, *steps, tools=[tool], decide=_choose(None)) as it:
        await it.run()
        assert tool.running == ["switch"]
        assert it.outcomes()[1][0][1] is True


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
async def test_a_question_waits_as_long_as_the_person_does(tmp_path: Path) -> None:
    step = tools(call("note", text="a"))
    async with bench(tmp_path, step, tools=[NoteTool()], config=ASK) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(it.run)
        await it.client.until(lambda: bool(it.client.asked))
        await anyio.sleep(3600)  # of the test's clock
        assert it.client.calls() == {"call_1": ["pending"]}
        tasks.cancel_scope.cancel()
