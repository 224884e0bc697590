"""What holds for every command that is answered here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from acp_agent.session.commands import COMMANDS
from acp_agent.session.commands.base import LONGEST_ANSWER
from tests.harness import Rig
from tests.session.commands.chat import app_with, chat

pytestmark = pytest.mark.anyio

LOCAL = [command.name for command in COMMANDS if command.answer is not None]
ARGUMENTS = ["", " reconnect x", " plan", " scripted/demo", " nonsense", " é\x00\u202e`", " \ud800", " " + "x" * 5000]

HUGE: dict[str, Any] = {
    "agent": {f"agent-{number}": {"description": "word " * 200, "prompt": "text " * 500} for number in range(300)},
    "permission": {"bash": {f"command-{number} *": "ask" for number in range(2_000)}},
    "instructions": [f"missing-{number}.md" for number in range(500)],
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", [*LOCAL, "no-such-command"])
async def test_a_command_is_answered_without_the_model_which_never_hears_of_it(rig: Rig, name: str) -> None:
    async with chat(rig, {"text": "Two."}) as it:
        answer = await it.ask(f"/{name}")
        assert answer.strip()
        assert it.requests == []
        await it.ask("A real prompt.")
        assert it.sent() == ["A real prompt."]
        assert [entry for entry in it.requests[0].history if answer in str(entry)] == []


@pytest.mark.parametrize("name", [*LOCAL, "no-such-command"])
async def test_load_replays_a_command_and_its_answer_and_the_model_does_not_hear_of_them_then(
    rig: Rig, name: str
) -> None:
    async with chat(rig, {"text": "Two."}) as it:
        answer = await it.ask(f"/{name}")
        await it.client.call("session/close", {"sessionId": it.session})
        mark = len(it.client.updates())
        load = {"sessionId": it.session, "cwd": str(rig.cwd), "mcpServers": []}
        await it.client.call("session/load", load)
        shown = [
            (update["sessionUpdate"], update["content"]["text"])
            for update in it.client.updates()[mark:]
            if "content" in update
        ]
        assert shown == [("user_message_chunk", f"/{name}"), ("agent_message_chunk", answer)]
        await it.ask("A real prompt.")
        assert it.sent() == ["A real prompt."]


async def test_every_command_works_with_whatever_stands_behind_it(rig: Rig) -> None:
    async with chat(rig) as it:
        for name in LOCAL:
            for arguments in ARGUMENTS:
                answer = await it.ask(f"/{name}{arguments}")
                assert answer.strip()
                assert len(answer) <= LONGEST_ANSWER
        assert it.requests == []


async def test_every_answer_is_bounded_however_much_is_configured(rig: Rig) -> None:
    rig.config = HUGE
    rig.config["provider"] = {
        "scripted": {
            "options": {"script": str(rig.script_file)},
            "models": {f"model-{number}": {"name": "name " * 50} for number in range(2_000)},
        }
    }
    rig.config["model"] = "scripted/model-1"
    async with chat(rig) as it:
        for name in LOCAL:
            assert 10 < len(await it.ask(f"/{name}")) <= LONGEST_ANSWER, name
        assert it.requests == []


@pytest.mark.parametrize(
    "content",
    [
        "{ this is no JSON",
        json.dumps({"model": "nobody/nothing", "permission": {"bash": 7}, "agent": [], "provdier": {}}),
        json.dumps({"model": "anthropic/claude-sonnet-4-5"}),
        "",
    ],
    ids=["unreadable", "wrong", "no key", "nothing"],
)
async def test_every_command_works_without_a_model_and_with_a_broken_configuration(rig: Rig, content: str) -> None:
    async with rig.client(app=app_with(rig, content)) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for name in LOCAL:
            before = len(client.said())
            result = await client.prompt(session, f"/{name}")
            assert result["stopReason"] == "end_turn"
            assert client.said()[before:].strip(), name


async def test_a_command_with_an_image_is_answered_all_the_same(rig: Rig) -> None:
    image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
    async with chat(rig) as it:
        assert "**Commands**" in await it.ask([image, {"type": "text", "text": "/help"}])


async def test_a_path_is_a_prompt(rig: Rig) -> None:
    async with chat(rig, {"text": "It is."}) as it:
        assert await it.ask("/usr/bin/python is broken") == "It is."
        assert it.sent() == ["/usr/bin/python is broken"]


async def test_help_names_every_command_with_its_arguments(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/help")
        for command in COMMANDS:
            assert f"`/{command.name}{f' [{command.hint}]' if command.hint else ''}`: {command.description}" in text
