"""The tool calls of an answer: what the model is told of each, how they run side by side, and what is shown."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.schema import (
    AgentPlanUpdate,
    PlanEntry,
    TextContent,
    ToolCallLocation,
    ToolCallProgress,
    ToolContent,
)
from acp_agent.session.record import events
from acp_agent.tools.base import ToolResult
from acp_agent.tools.edit import EditTool
from acp_agent.tools.read import ReadTool
from tests.harness import call, tools
from tests.session.unit import NoteTool, bench

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_an_unknown_tool_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    step = tools(call("shell", line="ls"))
    async with bench(tmp_path, step, {"text": "Oh."}, tools=[NoteTool(), ReadTool()]) as it:
        assert await it.run() == "end_turn"
        assert it.outcomes()[0] == [('There is no tool "shell". These exist: note, read.', True)]
        assert it.client.of("tool_call_update")[-1]["kind"] == "other"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, ["text", "required"]),
        ({"text": "a", "count": 0}, ["count", "greater than or equal to 1", "got 0"]),
        ({"text": "a", "count": "many"}, ["count", "integer", "got 'many'"]),
        ({"txt": "a"}, ["text", "unknown: txt", "the fields are count, text"]),
        ('{"text": ', ["not valid JSON", "character"]),
        ("[1]", ["must be a JSON object, not a list"]),
        ("[" * 100_000, ["too deep"]),
    ],
)
async def test_invalid_arguments_tell_the_model_which_field_and_why(
    tmp_path: Path, arguments: Any, told: list[str]
) -> None:
    tool = NoteTool()
    step = {"tool_calls": [{"name": "note", "arguments": arguments}]}
    async with bench(tmp_path, step, {"text": "Oh."}, tools=[tool]) as it:
        await it.run()
        ((output, is_error),) = it.outcomes()[0]
        assert is_error
        assert all(part in output for part in told), output
        assert tool.running == []
        assert list(it.client.calls().values()) == [["pending", "failed"]]


async def test_the_end_of_a_call_carries_what_it_did(tmp_path: Path) -> None:
    place = ToolCallLocation(path=str(tmp_path / "a"), line=3)

    def work(_text: str) -> ToolResult:
        content = [ToolContent(content=TextContent(text="for you"))]
        return ToolResult("for the model", content, locations=[place], title="A better title", data={"exit": 0})

    async with bench(tmp_path, tools(call("note", text="a")), {"text": "Ok."}, tools=[NoteTool(work)]) as it:
        await it.run()
        assert it.client.of("tool_call_update") == [
            {
                "sessionUpdate": "tool_call_update",
                "toolCallId": "call_1",
                "title": "Note a",
                "name": "note",
                "kind": "other",
                "status": "in_progress",
                "locations": [],
                "rawInput": {"text": "a"},
            },
            {
                "sessionUpdate": "tool_call_update",
                "toolCallId": "call_1",
                "title": "A better title",
                "name": "note",
                "kind": "other",
                "status": "completed",
                "content": [{"type": "content", "content": {"type": "text", "text": "for you"}}],
                "locations": [{"path": str(tmp_path / "a"), "line": 3}],
                "rawInput": {"text": "a"},
                "rawOutput": {"exit": 0},
            },
        ]
        (final,) = [event for event in it.store.events() if isinstance(event, events.ToolCallFinal)]
        assert (final.output, final.title, final.size, final.decision) == (
            "for the model",
            "A better title",
            len("for the model"),
            "allowed",
        )


async def test_output_of_a_running_call_is_shown_as_progress_and_not_recorded(tmp_path: Path) -> None:
    async def work(text: str) -> str:
        content = [ToolContent(content=TextContent(text="half"))]
        await tool.contexts[-1].emit(ToolCallProgress(tool_call_id="whatever", content=content))
        return text

    tool = NoteTool(work)
    async with bench(tmp_path, tools(call("note", text="a")), {"text": "Ok."}, tools=[tool]) as it:
        await it.run()
        running = it.client.of("tool_call_update")[1]
        assert (running["toolCallId"], running["status"], running["title"]) == ("call_1", "in_progress", "Note a")
        assert running["content"] == [{"type": "content", "content": {"type": "text", "text": "half"}}]
        assert "half" not in repr(it.store.events())


async def test_a_plan_is_recorded_before_it_is_shown(tmp_path: Path) -> None:
    plan = [PlanEntry(content="one", priority="high", status="pending")]

    async def work(text: str) -> str:
        await tool.contexts[-1].emit(AgentPlanUpdate(entries=plan))
        return text

    tool = NoteTool(work)
    async with bench(tmp_path, tools(call("note", text="a")), {"text": "Ok."}, tools=[tool]) as it:
        await it.run()
        assert it.client.of("plan") == [AgentPlanUpdate(entries=plan).wire()]
        assert [event.entries for event in it.store.events() if isinstance(event, events.PlanChanged)] == [tuple(plan)]


async def test_every_event_is_recorded_before_the_client_hears_of_it(tmp_path: Path) -> None:
    """At the end of each call and of each answer, the record holds it when the client is told."""
    async with bench(tmp_path, tools(call("note", text="a")), {"text": "Ok."}, tools=[NoteTool()]) as it:
        heard = it.client.update_now

        def check(session_id: str, update: Any) -> None:
            if isinstance(update, ToolCallProgress) and update.status == "completed":
                assert it.store.events()[-1].type == "tool_call_final"
            heard(session_id, update)

        it.client.update_now = check  # type: ignore[method-assign]  # the fake's own seam
        assert await it.run() == "end_turn"


async def test_at_most_sixteen_calls_of_an_answer_run_at_once(tmp_path: Path) -> None:
    most = now = begun = 0
    full = anyio.Event()

    async def work(_text: str) -> str:
        nonlocal most, now, begun
        now, begun = now + 1, begun + 1
        most = max(most, now)
        if now == 16 or begun == 40:
            full.set()
        await full.wait()
        now -= 1
        return "done"

    step = tools(*(call("note", text=str(number)) for number in range(40)))
    async with bench(tmp_path, step, {"text": "Ok."}, tools=[NoteTool(work)]) as it:
        await it.run()
        assert (most, len(it.outcomes()[0])) == (16, 40)


async def test_edits_of_one_file_in_one_answer_see_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a b c d\n")
    swaps = [call("edit", filePath="a.txt", oldString=letter, newString=letter.upper()) for letter in "abcd"]
    async with bench(tmp_path, tools(*swaps), {"text": "Ok."}, tools=[EditTool()]) as it:
        await it.run()
        assert (tmp_path / "a.txt").read_text() == "A B C D\n"
        diffs = [update["content"][0] for update in it.client.of("tool_call_update") if update["status"] == "completed"]
        news = [diff["newText"] for diff in diffs]
        assert [diff["oldText"] for diff in diffs] == ["a b c d\n", *news[:-1]]


async def test_a_title_is_one_line_without_control_characters(tmp_path: Path) -> None:
    text = "a\nb\x1b[31m\u202e" + "c" * 600
    async with bench(tmp_path, tools(call("note", text=text)), {"text": "Ok."}, tools=[NoteTool()]) as it:
        await it.run()
        for update in it.client.of("tool_call_update"):
            assert update["title"].startswith("Note a b [31m c")
            assert len(update["title"]) == 500


async def test_a_number_that_json_has_not_does_not_stop_a_call(tmp_path: Path) -> None:
    arguments = '{"text": "a", "count": 1, "more": NaN}'
    step = {"tool_calls": [{"name": "note", "arguments": arguments}]}
    async with bench(tmp_path, step, {"text": "Ok."}, tools=[NoteTool(lambda _text: "fine")]) as it:
        await it.run()
        raw = it.client.of("tool_call_update")[-1]["rawInput"]
        assert math.isnan(raw["more"])
        assert it.outcomes()[0] == [("fine", False)]


async def test_calls_that_change_things_are_recorded_for_good_before_they_run(tmp_path: Path) -> None:
    durable: dict[str, list[str]] = {}

    def at(kind: Any) -> NoteTool:
        def work(text: str) -> str:
            durable[kind] = list(it.store.durable)
            return text

        return NoteTool(work, name=kind, kind=kind)

    steps = [tools(call("read", text="a")), tools(call("edit", text="a")), {"text": "Ok."}]
    async with bench(tmp_path, *steps, tools=[at("read"), at("edit")]) as it:
        await it.run()
        assert durable == {"read": ["user_message"], "edit": ["user_message", "assistant_message"]}
