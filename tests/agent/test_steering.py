"""`_session/steering`: a message into the running turn."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from acp_agent.llm.messages import Text, UserMessage
from acp_agent.llm.scripted import Scripted
from acp_agent.session.session import MAX_QUEUED, MAX_STEERED_BYTES
from tests.harness import Message, Rig, call, tools
from tests.session.unit import NoteTool

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def steer(session: str, text: str, idle: str | None = None) -> Message:
    meta = {"_meta": {"steering": {"idleBehavior": idle}}} if idle else {}
    return {"sessionId": session, "prompt": [{"type": "text", "text": text}], **meta}


def said(provider: Scripted, request: int) -> list[str]:
    """The person's messages of a request."""
    return [
        part.text
        for entry in provider.requests[request].history
        if isinstance(entry, UserMessage)
        for part in entry.content
        if isinstance(part, Text)
    ]


async def test_a_message_reaches_the_model_with_its_next_request_and_the_turn_ends_once(rig: Rig) -> None:
    release = anyio.Event()

    async def wait(_text: str) -> str:
        await release.wait()
        return "noted"

    note = NoteTool(wait)
    rig.tools = (note,)
    rig.config = {"permission": "allow"}
    rig.provider = provider = Scripted([tools(call("note", text="a")), {"text": "Done."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.until(lambda: bool(note.running))
        assert await client.call("_session/steering", steer(session, "second")) == {"outcome": "injected"}
        release.set()
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        assert said(provider, 1) == ["first", "second"]
        client.lines.clear()
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        assert [each["content"]["text"] for each in client.updates("user_message_chunk")] == ["first", "second"]


async def test_a_message_during_the_last_answer_lets_the_turn_go_on(rig: Rig) -> None:
    gate = anyio.Event()
    seen: list[None] = []

    async def hold() -> None:
        seen.append(None)
        if len(seen) > 1:
            await gate.wait()

    rig.provider = provider = Scripted([{"text": "one two"}, {"text": "three"}], gate=hold)
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.until(lambda: len(seen) > 1)
        assert await client.call("_session/steering", steer(session, "more")) == {"outcome": "injected"}
        gate.set()
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        assert said(provider, 1) == ["first", "more"]


async def test_a_message_to_a_turn_that_is_cancelled_is_kept_for_the_next_one(rig: Rig) -> None:
    rig.provider = provider = Scripted([{"text": "one", "hold": True}, {"text": "two"}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.see("agent_message_chunk")
        assert await client.call("_session/steering", steer(session, "second")) == {"outcome": "injected"}
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
        await client.prompt(session, "third")
        assert said(provider, 1) == ["first", "second", "third"]


async def test_without_a_turn_a_message_begins_one_unless_the_client_wants_it_back(rig: Rig) -> None:
    rig.provider = provider = Scripted([{"text": "Hello."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        back = await client.call("_session/steering", steer(session, "back", "promptRequired"))
        assert back == {"outcome": "promptRequired", "reason": "noRunningTurn"}
        assert provider.requests == []
        assert await client.call("_session/steering", steer(session, "go")) == {"outcome": "startedNewTurn"}
        await client.see("agent_message_chunk")
        assert said(provider, 0) == ["go"]


async def test_an_unknown_session_and_an_empty_message_are_errors(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        for idle in (None, "promptRequired"):
            assert (await client.error("_session/steering", steer("none", "x", idle)))["code"] == -32002
        session = await client.new(rig.cwd)
        assert (await client.error("_session/steering", {"sessionId": session, "prompt": []}))["code"] == -32602


async def test_a_command_is_never_put_into_a_turn(rig: Rig) -> None:
    rig.provider = provider = Scripted([{"text": "one", "hold": True}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.see("agent_message_chunk")
        back = await client.call("_session/steering", steer(session, "/mode plan", "promptRequired"))
        assert back == {"outcome": "promptRequired", "reason": "command"}
        assert await client.call("_session/steering", steer(session, "/mode plan")) == {"outcome": "startedNewTurn"}
        assert client.updates("current_mode_update") == []
        await client.notify("$/cancel_request", {"requestId": prompt})
        await client.see("current_mode_update")
        assert len(provider.requests) == 1


async def test_messages_that_a_turn_does_not_read_are_bounded(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "one", "hold": True}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.see("agent_message_chunk")
        for number in range(MAX_QUEUED):
            assert await client.call("_session/steering", steer(session, f"{number}")) == {"outcome": "injected"}
        assert (await client.error("_session/steering", steer(session, "more")))["code"] == -32600
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}


async def test_the_bytes_of_such_messages_are_bounded(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "one", "hold": True}])
    half = "x" * (MAX_STEERED_BYTES // 2 + 1)
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "first"))
        await client.see("agent_message_chunk")
        assert await client.call("_session/steering", steer(session, half)) == {"outcome": "injected"}
        assert (await client.error("_session/steering", steer(session, half)))["code"] == -32600
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
