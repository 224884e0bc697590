from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.messages import Text, Thinking, ToolCall, Usage
from acp_agent.llm.provider import Completed, ProviderError, TextDelta, ThinkingDelta, ToolCallDelta
from acp_agent.llm.scripted import Scripted, ScriptedStep, ScriptInvalid, read_script
from tests.llm.requests import answer, error_of, message, read_all, request

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_step_is_played_word_by_word_and_completed():
    step = {
        "thinking": "let me see",
        "text": "Two  words",
        "tool_calls": [
            {"name": "read", "arguments": {"path": "ü"}},
            {"name": "bash", "arguments": '{"broken'},
            {"name": "ls"},
        ],
        "usage": {"input": 5, "output": 2},
    }
    provider = Scripted([step])
    asked = request()
    assert await read_all(provider, asked) == [
        ThinkingDelta("let "),
        ThinkingDelta("me "),
        ThinkingDelta("see"),
        TextDelta("Two  "),
        TextDelta("words"),
        ToolCallDelta("c1", "read", '{"path": "ü"}'),
        ToolCallDelta("c2", "bash", '{"broken'),
        ToolCallDelta("c3", "ls", "{}"),
        Completed(
            message(
                Thinking(text="let me see"),
                Text(text="Two  words"),
                ToolCall(id="c1", name="read", arguments='{"path": "ü"}'),
                ToolCall(id="c2", name="bash", arguments='{"broken'),
                ToolCall(id="c3", name="ls", arguments="{}"),
            ),
            Usage(input=5, output=2),
            "tool_calls",
        ),
    ]
    assert provider.requests == [asked]


async def test_steps_are_taken_in_order_until_there_are_none():
    provider = Scripted([ScriptedStep(text="one"), {"text": "two", "stop_reason": "max_tokens"}])
    assert provider.remaining == 2
    assert [(await answer(provider)).message.text, (await answer(provider)).stop_reason] == ["one", "max_tokens"]
    with pytest.raises(ProviderError, match="the script has no further step") as caught:
        await read_all(provider)
    assert caught.value.kind == "bad_request"
    provider.append({"text": "three"})
    assert (await answer(provider)).message.text == "three"
    assert len(provider.requests) == 4


@pytest.mark.parametrize(("chunks", "pieces"), [(1, ["abcd"]), (2, ["ab", "cd"]), (4, list("abcd")), (9, list("abcd"))])
async def test_the_number_of_deltas_can_be_chosen(chunks: int, pieces: list[str]):
    events = await read_all(Scripted([{"text": "abcd", "chunks": chunks}]))
    assert [event.text for event in events if isinstance(event, TextDelta)] == pieces


async def test_an_error_comes_after_what_was_said():
    error = {"kind": "rate_limit", "message": "slow down", "status": 429, "retry_after": 2}
    provider = Scripted([{"text": "So", "error": error}, {"error": error}])
    async with provider.stream(request()) as stream:
        shown: list[Any] = []
        first = await error_of(stream, shown)
        assert shown == [TextDelta("So")]
        assert stream.snapshot() == message(Text(text="So"))
    with pytest.raises(ProviderError) as caught:
        await read_all(provider)
    for raised in (first, caught.value):
        assert (str(raised), raised.kind, raised.status, raised.retry_after) == (
            "scripted/small: slow down",
            "rate_limit",
            429,
            2,
        )


async def test_a_held_stream_stays_open_until_it_is_cancelled():
    shown: list[Any] = []
    async with Scripted([{"text": "So", "hold": True}]).stream(request()) as stream:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def read() -> None:
                    async for event in stream:
                        shown.append(event)

                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                assert shown == [TextDelta("So")]
                scope.cancel()
        assert scope.cancelled_caught
        assert stream.snapshot() == message(Text(text="So"))


async def test_a_gate_is_passed_before_each_delta_and_the_end():
    passed = 0

    async def gate() -> None:
        nonlocal passed
        passed += 1

    async with Scripted([{"text": "one two"}], gate=gate).stream(request()) as stream:
        async for event in stream:
            assert passed == {"one ": 1, "two": 2}.get(getattr(event, "text", ""), 3)


@pytest.mark.parametrize("wrap", [True, False])
async def test_a_script_may_be_a_file(tmp_path: Path, wrap: bool):
    path = tmp_path / "script.json"
    steps = [{"text": "from a file"}]
    path.write_text(json.dumps({"steps": steps} if wrap else steps))
    provider = Scripted(path)
    provider.append({"text": "added"})
    assert [(await answer(provider)).message.text for _ in range(2)] == ["from a file", "added"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("5", "a list of steps"),
        ('[{"text": "a"}, {"txet": "b"}]', "step 2: txet"),
        ('[{"tool_calls": [{}]}]', "step 1: tool_calls.0.name"),
        ('{"steps": [{"chunks": 0}]}', "step 1: chunks"),
        (None, "No such file"),
    ],
)
async def test_a_script_that_cannot_be_played_says_why(tmp_path: Path, content: str | None, words: str):
    path = tmp_path / "script.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ScriptInvalid) as caught:
        read_script(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    with pytest.raises(ProviderError) as refused:
        await read_all(Scripted(path))
    assert words in str(refused.value)
