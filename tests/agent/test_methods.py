"""The table of methods: every row leads somewhere, what is advertised follows from it, and nothing else is answered."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from acp_agent import schema
from acp_agent.agent.agent import Agent
from acp_agent.agent.lifecycle import SessionMethods
from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS, Method, agent_capabilities
from acp_agent.schema import AgentCapabilities, Wire
from tests.harness import Rig

ROWS = [*REQUESTS.items(), *NOTIFICATIONS.items()]

NOT_BUILT = [
    "logout",
    "session/fork",
    "session/unknown",
    "fs/read_text_file",
    "terminal/create",
    "_vendor/extension",
    "",
    "Session/New",
    "__class__",
]


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_every_row_names_a_type_of_the_schema_and_a_handler_that_takes_it(name: str, row: Method) -> None:
    type_ = getattr(schema, row.params)
    assert issubclass(type_, Wire)
    of_sessions, _, method = row.handler.rpartition(".")
    handler = getattr(SessionMethods if of_sessions == "session" else Agent, method)
    parameters = [each for each in inspect.signature(handler).parameters if each != "self"]
    assert len(parameters) == 1
    if name != "initialize":
        assert inspect.signature(handler).parameters["params"].annotation == f"schema.{row.params}"


def test_the_rows_agree_with_the_table_of_wire_types() -> None:
    for name, row in REQUESTS.items():
        assert schema.message_types[name].params is getattr(schema, row.params), name


def test_the_capabilities_follow_from_the_rows() -> None:
    told = AgentCapabilities.parse(agent_capabilities())
    session = told.session_capabilities
    assert told.load_session is ("session/load" in REQUESTS)
    assert (session.resume is not None) is ("session/resume" in REQUESTS)
    assert (session.list is not None) is ("session/list" in REQUESTS)
    assert (session.close is not None) is ("session/close" in REQUESTS)
    assert (session.delete is not None) is ("session/delete" in REQUESTS)
    advertised = {row.capability.removeprefix("sessionCapabilities.") for row in REQUESTS.values() if row.capability}
    assert advertised == {"loadSession", "resume", "list", "close", "delete", "title", "status", "options"}
    assert told.prompt_capabilities.audio is True
    assert (told.mcp_capabilities.http, told.mcp_capabilities.sse) == (True, True)


def test_changing_one_answer_of_the_capabilities_changes_no_other() -> None:
    agent_capabilities()["promptCapabilities"]["image"] = "changed"
    assert agent_capabilities()["promptCapabilities"]["image"] is True


@pytest.mark.anyio
async def test_what_is_not_built_is_not_found(tmp_path: Path) -> None:
    async with Rig(tmp_path).client() as client:
        await client.initialize()
        for method in NOT_BUILT:
            error = await client.error(method, {})
            assert (error["code"], error["data"]) == (-32601, {"method": method})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("session/new", {}, "cwd"),
        ("session/new", None, "cwd"),
        ("session/new", {"cwd": 5}, "cwd"),
        ("session/new", {"cwd": "/", "mcpServers": "none"}, "mcpServers"),
        ("session/new", {"cwd": "/", "mcpServers": [{"type": "carrier pigeon", "name": "x"}]}, "mcpServers.0"),
        ("session/prompt", {"sessionId": "s"}, "prompt"),
        ("session/prompt", {"prompt": []}, "sessionId"),
        ("session/prompt", {"sessionId": 1, "prompt": []}, "sessionId"),
        ("session/prompt", {"sessionId": "s", "prompt": "hello"}, "prompt"),
        ("session/prompt", {"sessionId": "s", "prompt": [{"type": "text"}]}, "prompt.0.text.text"),
        ("session/prompt", {"sessionId": "s", "prompt": [{"type": "text", "text": "a"}, {"type": "x"}]}, "prompt.1"),
        ("session/load", {"sessionId": "s"}, "cwd"),
        ("session/close", {}, "sessionId"),
        ("session/cancel", {"session": "s"}, "sessionId"),
        ("session/set_mode", {"sessionId": "s"}, "modeId"),
        ("session/set_model", {"sessionId": "s", "modelId": None}, "modelId"),
        ("session/set_config_option", {"sessionId": "s", "value": "x"}, "configId"),
        ("session/list", {"cwd": 5}, "cwd"),
        ("session/list", {"cursor": {}}, "cursor"),
    ],
)
async def test_invalid_params_are_told_with_their_path(tmp_path: Path, method: str, params: Any, path: str) -> None:
    async with Rig(tmp_path).client() as client:
        await client.initialize()
        error = await client.error(method, params)
        assert error["code"] == -32602
        assert path in [problem["path"] for problem in error["data"]["errors"]]
        assert all(problem["expected"] for problem in error["data"]["errors"])
        assert "\n" not in error["message"]
        assert await client.call("session/list", {}) == {"sessions": []}, "the process goes on"


@pytest.mark.anyio
async def test_unknown_fields_and_unknown_notifications_are_ignored(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.client("Hi.") as client:
        await client.initialize()
        await client.notify("session/unknown", {"x": 1})
        await client.notify("session/cancel", {"no": "session"})
        session = await client.new(rig.cwd)
        await client.notify("session/cancel", {"sessionId": session, "reason": "a whim", "_meta": {}})
        params = {**client.text_prompt(session), "_meta": {"a": 1}, "extra": True}
        assert await client.call("session/prompt", params) == {"stopReason": "end_turn"}
