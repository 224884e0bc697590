"""How a session comes to be: its configuration, its model and mode, what is wrong with them, and what was stored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from acp_agent.llm.scripted import Scripted
from tests.harness import Rig, call, tools
from tests.session.test_manager import opened

pytestmark = pytest.mark.anyio

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def _new(client: Any, rig: Rig) -> Any:
    await client.initialize()
    return await client.call("session/new", {"cwd": str(rig.cwd), "mcpServers": []})


async def test_a_new_session_answers_with_its_choices_in_every_form(rig: Rig) -> None:
    async with rig.client() as client:
        result = await _new(client, rig)
        assert result["sessionId"] == "ses_1"
        assert result["modes"]["currentModeId"] == "build"
        assert result["models"]["currentModelId"] == "scripted/demo"
        assert {each["id"]: each["currentValue"] for each in result["configOptions"]} == {
            "model": "scripted/demo",
            "mode": "build",
        }


async def test_the_default_agent_is_the_first_mode_and_its_model_the_first_model(rig: Rig) -> None:
    rig.config = {"default_agent": "review", "agent": {"review": {"mode": "primary", "model": "scripted/small"}}}
    async with rig.client() as client:
        result = await _new(client, rig)
        assert result["modes"]["currentModeId"] == "review"
        assert result["models"]["currentModelId"] == "scripted/small"


async def test_mcp_servers_are_accepted_of_every_kind_and_may_be_left_out(rig: Rig) -> None:
    servers = [
        {"name": "a", "command": "/bin/a", "args": [], "env": [{"name": "X", "value": "y"}]},
        {"type": "http", "name": "b", "url": "http://127.0.0.1:1", "headers": []},
        {"type": "sse", "name": "c", "url": "http://127.0.0.1:1", "headers": []},
    ]
    async with rig.client() as client:
        await client.initialize()
        await client.call("session/new", {"cwd": str(rig.cwd), "mcpServers": servers})
        await client.call("session/new", {"cwd": str(rig.cwd)})
        error = await client.error("session/new", {"cwd": str(rig.cwd), "mcpServers": [{"name": "d"}]})
        assert (error["code"], error["data"]["errors"][0]["path"][:12]) == (-32602, "mcpServers.0")


def _broken_project(rig: Rig) -> None:
    (rig.cwd / "opencode.json").write_text('{\n  "permission": {"edit": "perhaps"},\n  "modell": "x",\n}\n')


async def test_problems_with_the_configuration_are_the_first_chunk_of_the_next_prompt(rig: Rig) -> None:
    _broken_project(rig)
    async with rig.client("Hi.", "Again.") as client:
        session = (await _new(client, rig))["sessionId"]
        await client.prompt(session)
        first = client.updates()[0]["content"]["text"]
        assert "opencode.json:2:" in first
        assert "opencode.json:3:" in first
        await client.prompt(session)
        assert client.said().count("opencode.json:2:") == 1


async def test_problems_with_the_configuration_are_a_notice_where_the_client_takes_notices(rig: Rig) -> None:
    _broken_project(rig)
    async with rig.client("Hi.") as client:
        await client.initialize(session={"notices": {}})
        session = await client.new(rig.cwd)
        notice = await client.see("notice")
        assert (notice["severity"], notice["title"]) == ("warning", "Configuration")
        assert "opencode.json:2:" in notice["description"]
        position = [message.get("method") or "answer" for who, message in client.lines if who == "agent"]
        assert position == ["answer", "answer", "session/update", "session/update"], "the notice follows the answer"
        await client.prompt(session)
        assert client.said() == "Hi."


async def test_a_broken_file_is_told_with_its_place_and_the_rest_works(rig: Rig) -> None:
    (rig.cwd / "opencode.json").write_text('{"model": ')
    async with rig.client("Hi.") as client:
        session = (await _new(client, rig))["sessionId"]
        await client.prompt(session)
        assert "opencode.json:1:11: " in client.said()
        assert client.said().endswith("Hi.")


async def test_without_a_model_a_prompt_says_what_to_do_and_fails_with_an_error_that_is_not_auth_required(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = rig.app()
    monkeypatch.delenv("OPENCODE_CONFIG_CONTENT")
    app.opening.environ = dict(os.environ)
    async with rig.client(app=app) as client:
        result = await _new(client, rig)
        assert result["models"]["currentModelId"] == "none"
        error = await client.error("session/prompt", client.text_prompt(result["sessionId"]))
        assert error["code"] == -32603
        assert "ANTHROPIC_API_KEY" in error["message"]
        assert error["message"] in client.said()


async def test_a_single_provider_with_a_key_is_used_and_that_is_said_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    rig.provider = Scripted([{"text": "Hi."}, {"text": "Hi."}])
    app = rig.app()
    monkeypatch.delenv("OPENCODE_CONFIG_CONTENT")
    app.opening.environ = dict(os.environ)
    async with rig.client(app=app) as client:
        result = await _new(client, rig)
        assert result["models"]["currentModelId"].startswith("anthropic/")
        for _ in range(2):
            await client.prompt(result["sessionId"])
        assert client.said().count("no model is configured; using anthropic/") == 1
        assert KEY not in repr(client.lines)


async def test_mode_model_and_history_are_as_they_were_when_a_session_is_reopened(rig: Rig) -> None:
    async with rig.client("One.") as client:
        session = (await _new(client, rig))["sessionId"]
        await client.prompt(session)
        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"})
        await client.call("session/set_model", {"sessionId": session, "modelId": "scripted/other"})
    rig.provider = Scripted([{"text": "Two."}])
    async with rig.client() as client:
        await client.initialize()
        result = await client.call("session/resume", opened(session, rig.cwd))
        assert result["modes"]["currentModeId"] == "plan"
        assert result["models"]["currentModelId"] == "scripted/other"
        await client.prompt(session)
        request = rig.provider.requests[0]
        assert request.model == "other"
        assert "plan" in request.reminder
        assert len(request.history) == 3


async def test_a_mode_that_was_chosen_during_a_refused_prompt_stays(rig: Rig) -> None:
    async def switch(text: str) -> str:
        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"})
        return text

    from tests.session.unit import NoteTool

    rig.tools = [NoteTool(switch)]
    async with rig.client(tools(call("note", text="a")), {"text": "No.", "stop_reason": "refusal"}) as client:
        session = (await _new(client, rig))["sessionId"]
        assert (await client.prompt(session))["stopReason"] == "refusal"
        live = (await client.call("session/resume", opened(session, rig.cwd)))["modes"]["currentModeId"]
    async with rig.client() as client:
        await client.initialize()
        stored = (await client.call("session/resume", opened(session, rig.cwd)))["modes"]["currentModeId"]
    assert (live, stored) == ("plan", "plan")


async def test_what_a_person_allowed_for_good_is_forgotten_with_the_session(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    write = [tools(call("write", filePath="a.txt", content="x")), {"text": "Ok."}]
    always = {"outcome": {"outcome": "selected", "optionId": "allow_always"}}
    asked = []
    async with rig.client(*write, *write) as client:
        session = (await _new(client, rig))["sessionId"]
        client.answers["session/request_permission"] = lambda params: asked.append(params) or always
        await client.prompt(session)
        await client.prompt(session)
        assert len(asked) == 1
    async with rig.client(*write) as client:
        await client.initialize()
        client.answers["session/request_permission"] = lambda params: asked.append(params) or always
        await client.prompt(session)
        assert len(asked) == 2


async def test_only_the_updates_of_the_turn_lie_between_a_prompt_and_its_answer(rig: Rig) -> None:
    async with rig.client({"text": "Hi.", "usage": {"input": 1, "output": 1}}) as client:
        session = (await _new(client, rig))["sessionId"]
        await client.see("available_commands_update")
        before = len(client.lines)
        await client.prompt(session)
        lines = [message for who, message in client.lines[before:] if who == "agent"]
        told = [message["params"]["update"]["sessionUpdate"] if "params" in message else "answer" for message in lines]
        assert told == ["session_info_update", "agent_message_chunk", "usage_update", "answer"]
