"""MCP servers in sessions: those of the client and of the configuration, over the wire, with real servers."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from acp_agent.llm.messages import Step, UserMessage
from acp_agent.llm.scripted import Scripted
from tests.harness import Message, RawClient, Rig, call, choose, tools
from tests.tools.desk import Holders
from tests.tools.mcp.bench import SERVERS, processes, tool, web

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.provider = Scripted([{"text": "One."}, {"text": "Two."}])
    return rig


@pytest.fixture
def holders(tmp_path: Path) -> Any:
    holders = Holders(tmp_path)
    yield holders
    holders.close()


def odd(name: str, **how: Any) -> Message:
    """The misbehaving server as a client names it."""
    return {
        "name": name,
        "command": sys.executable,
        "args": ["-S", str(SERVERS / "odd.py"), json.dumps(how)],
        "env": [],
    }


def toolbox(name: str = "box") -> Message:
    return {"name": name, "command": sys.executable, "args": [str(SERVERS / "toolbox.py"), "stdio"], "env": []}


def closed_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/mcp"


async def opened(client: RawClient, rig: Rig, *servers: Message) -> str:
    result = await client.call("session/new", {"cwd": str(rig.cwd), "mcpServers": list(servers)})
    return str(result["sessionId"])


def offered(rig: Rig, request: int = -1) -> list[str]:
    """The names of the tools that the model was told of, without our own."""
    assert isinstance(rig.provider, Scripted)
    ours = {each.name for each in rig.tools}
    return [each.name for each in rig.provider.requests[request].tools if each.name not in ours]


async def joined(client: RawClient, session: str, *names: str) -> str:
    """Wait until `/mcp` says that these are ready or failed; gives what it says."""
    while True:
        mark = len(client.said())
        await client.prompt(session, "/mcp")
        said = client.said()[mark:]
        lines = [line for line in said.splitlines() if line.startswith(tuple(f"- `{name}`" for name in names))]
        if len(lines) == len(names) and not any(": joining" in line for line in lines):
            return said
        await anyio.sleep(0.05)  # other processes are at work, and nothing of theirs can be waited for


async def test_session_new_waits_for_no_server_and_the_good_ones_arrive(rig: Rig, tmp_path: Path, holders: Holders):
    html = odd("html", noise=["<!doctype html>"], up=str(holders.path), silent=True)
    asleep = odd("asleep", up=str(holders.path), silent=True)
    closed = {"type": "http", "name": "closed", "url": closed_port(), "headers": []}
    servers = [asleep, odd("dead", exit=1, complain="no licence"), html, closed]
    with web("http") as url:
        async with rig.client() as client:
            await client.initialize()
            good = {"type": "http", "name": "web", "url": url, "headers": []}
            session = await opened(client, rig, *servers, toolbox(), good)
            assert client.updates() == []  # the answer came first, and two of the servers never give one
            await holders.up(2)
            said = await joined(client, session, "dead", "closed", "box", "web")
            assert "- `asleep` (stdio): joining, 0 tools" in said
            assert "- `html` (stdio): joining, 0 tools" in said
            assert "- `dead` (stdio): failed, 0 tools. It ended with exit code 1: no licence." in said
            assert "- `closed` (http): failed, 0 tools. Nothing answers at its address" in said
            assert "- `box` (stdio): ready, 12 tools" in said
            assert "- `web` (http): ready, 12 tools" in said
            assert (await client.prompt(session))["stopReason"] == "end_turn"
            assert "The MCP server dead cannot be used. It ended with exit code 1: no licence." in client.said()
            names = offered(rig)
            assert [name for name in names if name.endswith("_echo")] == ["box_echo", "web_echo"]
            assert names[:-3] == sorted(names[:-3])
    await holders.gone()
    assert processes() == []


async def test_two_sessions_never_see_each_others_servers(rig: Rig):
    async with rig.client() as client:
        await client.initialize()
        first = await opened(client, rig, odd("one", tools=[tool("a")]))
        second = await opened(client, rig, odd("two", tools=[tool("b")]))
        await client.prompt(first)
        assert offered(rig) == ["one_a"]
        await client.prompt(second)
        assert offered(rig) == ["two_b"]
        said = await joined(client, second, "two")
        assert "`one`" not in said


async def test_a_server_that_comes_late_is_there_in_the_next_request(rig: Rig, tmp_path: Path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with rig.client() as client:
        await client.initialize()
        late = odd("late", hold=str(gate), tools=[tool("t")])
        session = await opened(client, rig, odd("early", tools=[tool("t")]), late)
        await client.prompt(session)
        assert offered(rig) == ["early_t"]
        await to_thread.run_sync(gate.write_text, "go")
        await joined(client, session, "late")
        await client.prompt(session)
        assert offered(rig) == ["early_t", "late_t"]


async def test_a_turn_that_waits_for_servers_can_be_cancelled(rig: Rig, holders: Holders):
    async with rig.client() as client:
        await client.initialize()
        session = await opened(client, rig, odd("asleep", up=str(holders.path), silent=True))
        id = await client.begin("session/prompt", client.text_prompt(session))
        await holders.up()
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(id))["result"] == {"stopReason": "cancelled"}
        assert rig.provider.requests == []  # type: ignore[union-attr]


async def test_a_call_is_asked_about_and_its_image_reaches_model_and_client(rig: Rig):
    rig.provider = Scripted([tools(call("box_picture"), call("box_add", a="x")), {"text": "Seen."}])
    async with rig.client() as client:
        client.answers["session/request_permission"] = choose("allow_always")
        await client.initialize()
        session = await opened(client, rig, toolbox())
        await joined(client, session, "box")
        await client.prompt(session)
        (asked,) = [line["params"] for _, line in client.lines if line.get("method") == "session/request_permission"]
        assert (asked["toolCall"]["title"], asked["toolCall"]["kind"]) == ("box: picture", "other")
        assert asked["toolCall"]["_meta"] == {"acp-agent/reason": "what a tool of the MCP server box may do"}
        ended = [update for update in client.updates("tool_call_update") if update.get("status") == "completed"]
        assert [update["content"][0]["content"]["type"] for update in ended] == ["image"]
        step = next(entry for entry in rig.provider.requests[1].history if isinstance(entry, Step))
        picture, refused = step.outcomes
        assert [image.mime_type for image in picture.images] == ["image/png"]
        assert refused.is_error
        assert "- a: 'x' is not of type 'integer'" in refused.output


async def test_a_rule_of_the_configuration_lets_the_tools_of_a_server_run_or_hides_them(rig: Rig):
    rig.config["permission"] = {"box_*": "allow", "odd_b": "deny"}
    rig.provider = Scripted([tools(call("box_echo", text="hey")), {"text": "Heard."}])
    async with rig.client() as client:
        await client.initialize()
        session = await opened(client, rig, toolbox(), odd("odd", tools=[tool("a"), tool("b")]))
        await joined(client, session, "box", "odd")
        await client.prompt(session)
        assert [line for _, line in client.lines if line.get("method") == "session/request_permission"] == []
        assert {"odd_a", "odd_b"} & set(offered(rig)) == {"odd_a"}
        step = next(entry for entry in rig.provider.requests[1].history if isinstance(entry, Step))
        assert [outcome.output for outcome in step.outcomes] == ["hey"]


async def test_progress_of_a_call_is_shown_before_its_end_and_never_after(rig: Rig):
    rig.config["permission"] = "allow"
    rig.provider = Scripted([tools(call("box_count", to=50)), {"text": "Counted."}])
    async with rig.client() as client:
        await client.initialize()
        session = await opened(client, rig, toolbox())
        await joined(client, session, "box")
        await client.prompt(session)
        updates = client.updates("tool_call_update")
        assert [update["status"] for update in updates][-1] == "completed"
        assert [update["status"] for update in updates].count("completed") == 1
        assert any(" of 50)" in json.dumps(update.get("content")) for update in updates[:-1])


async def test_prompts_of_servers_are_commands(rig: Rig):
    async with rig.client() as client:
        await client.initialize()
        session = await opened(client, rig, toolbox())
        await client.until(lambda: "box_greet" in json.dumps(client.updates("available_commands_update")))
        (command,) = [
            each
            for each in client.updates("available_commands_update")[-1]["availableCommands"]
            if each["name"] == "box_greet"
        ]
        assert command["description"] == "Greets somebody."
        assert command["input"] == {"hint": "<name> [manner]"}
        assert await client.prompt(session, "/box_greet Ann") == {"stopReason": "end_turn"}
        (sent,) = [entry for entry in rig.provider.requests[0].history if isinstance(entry, UserMessage)]  # type: ignore[union-attr]
        assert "Greet Ann in a warm way." in repr(sent)
        assert "/box_greet" not in repr(sent)
        mark = len(client.said())
        assert await client.prompt(session, "/box_greet") == {"stopReason": "end_turn"}
        assert client.said()[mark:].strip() == "/box_greet needs name. Write it as: /box_greet <name> [manner]"


async def test_a_client_that_takes_notices_hears_of_a_dead_server_between_turns(rig: Rig):
    async with rig.client() as client:
        await client.initialize(session={"notices": {}})
        await opened(client, rig, odd("dead", exit=3))
        notice = await client.see("notice")
        assert notice["description"] == "The MCP server dead cannot be used. It ended with exit code 3."


async def test_a_closed_session_leaves_no_server_and_a_loaded_one_brings_its_own(rig: Rig, holders: Holders):
    async with rig.client() as client:
        await client.initialize()
        session = await opened(client, rig, odd("first", up=str(holders.path), stubborn=True, tools=[tool("t")]))
        await holders.up()
        await client.call("session/close", {"sessionId": session})
        await holders.gone()
        assert processes() == []
        params = {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": [odd("second", tools=[tool("t")])]}
        await client.call("session/load", params)
        await client.prompt(session)
        assert offered(rig) == ["second_t"]
    assert processes() == []


async def test_the_servers_of_the_configuration_are_joined_too(rig: Rig):
    server = odd("", tools=[tool("t")])
    local = {"type": "local", "command": [server["command"], *server["args"]]}
    rig.config["mcp"] = {"mine": local, "off": {**local, "enabled": False}}
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        assert offered(rig) == ["mine_t"]
        assert "- `off` (stdio): off. Switched off in the configuration." in await joined(client, session, "mine")


async def test_a_server_that_the_project_names_is_not_started_without_a_yes(rig: Rig):
    server = odd("", tools=[tool("t")])
    local = {"type": "local", "command": [server["command"], *server["args"]]}
    (rig.cwd / "opencode.json").write_text(json.dumps({"mcp": {"theirs": local}}))
    async with rig.client() as client:
        client.answers["session/request_permission"] = choose("reject_once")
        await client.initialize()
        session = await client.new(rig.cwd)
        assert processes() == []
        await client.prompt(session)
        assert offered(rig) == []
        assert processes() == []
        assert "- `theirs` (stdio): off." in await joined(client, session, "theirs")


async def test_too_many_servers_are_refused_before_anything_is_there(rig: Rig):
    async with rig.client() as client:
        await client.initialize()
        servers = [odd(f"s{index}") for index in range(65)]
        error = await client.error("session/new", {"cwd": str(rig.cwd), "mcpServers": servers})
        assert (error["code"], error["data"]) == (-32602, {"path": "mcpServers", "limit": 64})
        assert error["message"] == "mcpServers: 65 are too many, a session has at most 64."
        assert (await client.call("session/list", {}))["sessions"] == []
        assert processes() == []
