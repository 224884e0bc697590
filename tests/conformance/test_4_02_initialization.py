"""Section 4.2, rules 21 to 30: initialize, capabilities, and the shape of what is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.shapes import CAMEL, FREE, SNAKE, assert_stable, keys_of, unknown_root_keys
from tests.conformance.transcript import EVERYTHING, place_of_response, text_of, updates_of, written
from tests.harness import RawClient, Rig, call, choose, tools

pytestmark = pytest.mark.anyio


class Editor:
    """A client's files and terminals, as honest as it gets: the disk, and commands that never run."""

    def __init__(self, client: RawClient) -> None:
        client.answers.update(
            {
                "fs/read_text_file": lambda params: {"content": Path(params["path"]).read_text()},
                "fs/write_text_file": self._write,
                "session/request_permission": choose("allow_once"),
            }
        )

    @staticmethod
    def _write(params: Any) -> Any:
        Path(params["path"]).write_text(params["content"])
        return {}


async def _whole_conversation(rig: Rig, client: RawClient, client_info: Any, capabilities: Any) -> dict[Any, str]:
    """A bit of everything that this agent sends; gives the methods of the requests by id."""
    asked: dict[Any, str] = {}

    async def ask(method: str, params: Any) -> Any:
        id = await client.begin(method, params)
        asked[id] = method
        return (await client.response(id)).get("result")

    Editor(client)
    hello = {"protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": client_info}
    await ask("initialize", hello)
    session = (await ask("session/new", {"cwd": str(rig.cwd), "mcpServers": []}))["sessionId"]
    await ask("session/prompt", client.text_prompt(session))
    await ask("session/prompt", client.text_prompt(session, "again"))
    await ask("session/set_mode", {"sessionId": session, "modeId": "plan"})
    await ask("session/set_config_option", {"sessionId": session, "configId": "mode", "value": "build"})
    await ask("session/list", {})
    await ask("session/none", {})
    await ask("session/close", {"sessionId": session})
    await ask("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
    await ask("session/resume", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
    return asked


def _script() -> tuple[Any, ...]:
    entry = {"content": "look", "status": "in_progress", "priority": "high"}
    return (
        {"thinking": "Let me see.", **tools(call("todowrite", todos=[entry]), call("read", filePath="a.txt"))},
        tools(
            call("edit", filePath="a.txt", oldString="one", newString="1"),
            call("bash", command="echo printed", description="prints"),
            call("nothing", at="all"),
        ),
        {"text": "Done.", "usage": {"input": 10, "output": 5}},
        {"error": {"kind": "bad_request", "message": "no"}},
    )


@pytest.fixture
def talkative(rig: Rig) -> Rig:
    (rig.cwd / "a.txt").write_text("one\n")
    rig.config = {"permission": {"edit": "ask"}}
    return rig


async def test_rule_021_requests_before_initialize_are_refused_and_notifications_ignored(rig: Rig) -> None:
    async with rig.client() as client:
        for method in ("session/new", "session/list", "session/prompt", "authenticate", "none", "_x/y"):
            assert (await client.error(method, {}))["code"] == -32600, method
        before = len(written(client))
        await client.notify("session/cancel", {"sessionId": "none"})
        await client.notify("$/cancel_request", {"requestId": 1})
        await client.notify("none", {})
        await client.error("initialize", {"protocolVersion": "what"})
        assert (await client.error("session/list", {}))["code"] == -32600, "a failed initialize is none"
        assert len(written(client)) == before + 2
        await client.initialize()
        assert "sessions" in await client.call("session/list", {})


async def test_rule_022_initialize_tells_the_version_and_the_capabilities(rig: Rig) -> None:
    async with rig.client() as client:
        result = await client.initialize()
        assert result["protocolVersion"] == 1
        assert result["agentCapabilities"]["loadSession"] is True
        assert {"list", "resume", "close"} <= set(result["agentCapabilities"]["sessionCapabilities"])
        assert isinstance(result["authMethods"], list)


@pytest.mark.parametrize("version", [0, 1, 2, 3, 65535])
async def test_rule_023_every_version_that_is_asked_for_is_answered_with_1(rig: Rig, version: int) -> None:
    async with rig.client() as client:
        result = await client.call("initialize", {"protocolVersion": version, "clientCapabilities": {}})
        assert result["protocolVersion"] == 1
        assert await client.new(rig.cwd)


async def test_rule_024_a_newer_clients_names_are_understood_in_a_version_1_answer(rig: Rig) -> None:
    newer = {
        "protocolVersion": 2,
        "info": {"name": "newer", "version": "9", "title": "Newer"},
        "capabilities": {"fs": {"readTextFile": True}, "session": {"prompt": {}, "notices": {}}, "unheard": [1]},
    }
    (rig.cwd / "a.txt").write_text("disk\n")
    async with rig.client(tools(call("read", filePath="a.txt")), "Done.") as client:
        client.answers["fs/read_text_file"] = lambda _params: {"content": "buffer\n"}
        assert (await client.call("initialize", newer))["protocolVersion"] == 1
        await client.prompt(await client.new(rig.cwd))
        assert (await client.see_method("fs/read_text_file"))["params"]["path"] == str(rig.cwd / "a.txt")


async def test_rule_025_the_agent_introduces_itself_by_one_name(rig: Rig) -> None:
    async with rig.client() as client:
        first, second = [(await client.initialize())["agentInfo"] for _ in range(2)]
        assert first == second
        assert first["name"] == "acp-agent"
        assert first["version"]


@pytest.mark.parametrize(
    "capabilities",
    [
        {},
        {"fs": {}},
        {"fs": {"readTextFile": True}},
        {"fs": {"writeTextFile": True}},
        {"fs": {"readTextFile": True, "writeTextFile": True}},
        {"terminal": True},
        EVERYTHING,
    ],
    ids=json.dumps,
)
async def test_rule_026_a_turn_works_with_every_combination_of_capabilities(talkative: Rig, capabilities: Any) -> None:
    rig = talkative
    async with rig.client(*_script()) as client:
        Editor(client)
        await client.initialize(**capabilities)
        session = await client.new(rig.cwd)
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        assert text_of(written(client), session).endswith("Done.")
        assert (rig.cwd / "a.txt").read_text() == "1\n"
        used = {line["method"] for line in written(client) if "method" in line and "id" in line}
        allowed = {"session/request_permission"}
        files = capabilities.get("fs", {})
        allowed |= {"fs/read_text_file"} if files.get("readTextFile") else set()
        allowed |= {"fs/write_text_file"} if files.get("writeTextFile") else set()
        assert used - {method for method in used if method.startswith("terminal/")} == allowed
        assert capabilities.get("terminal") or not any(method.startswith("terminal/") for method in used)


@pytest.mark.parametrize(
    "capabilities",
    [None, {"fs": 7}, {"fs": None}, {"fs": {"readTextFile": "yes", "writeTextFile": 1.5}}, {"terminal": {}}, [], 5],
    ids=json.dumps,
)
async def test_rule_027_malformed_optional_capabilities_count_as_missing(talkative: Rig, capabilities: Any) -> None:
    rig = talkative
    async with rig.client(*_script()) as client:
        client.answers["session/request_permission"] = choose("allow_once")
        await client.call("initialize", {"protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": 3})
        assert (await client.prompt(await client.new(rig.cwd)))["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("more", "accepted"),
    [
        ({"mcpServers": None}, True),
        ({"mcpServers": ...}, True),
        ({"mcpServers": [], "additionalDirectories": None}, True),
        ({"mcpServers": [], "unknown": {"a": 1}}, True),
        ({"mcpServers": [], "_meta": None}, True),
        ({"mcpServers": [], "_meta": {"x": [1]}}, True),
        ({"mcpServers": [], "cwd": 5}, False),
        ({"mcpServers": [], "cwd": None}, False),
        ({"mcpServers": [], "cwd": ...}, False),
    ],
    ids=str,
)
async def test_rule_027_optional_fields_of_a_new_session_are_read_leniently_and_required_ones_are_not(
    rig: Rig, more: Any, accepted: bool
) -> None:
    async with rig.client() as client:
        await client.initialize()
        params = {name: value for name, value in {"cwd": str(rig.cwd), **more}.items() if value is not ...}
        response = await client.response(await client.begin("session/new", params))
        if accepted:
            assert response["result"]["sessionId"]
        else:
            assert response["error"]["code"] == -32602


async def test_rule_028_no_type_has_a_root_field_of_ours(talkative: Rig) -> None:
    """To a strict client. Others get the former `models` with a session, which older ones still choose by."""
    async with talkative.client(*_script()) as client:
        asked = await _whole_conversation(talkative, client, {"name": "acp-tck", "version": "1"}, EVERYTHING)
        assert unknown_root_keys(written(client), asked) == {}
        own = {line["method"] for line in written(client) if "method" in line and line["method"].startswith("_")}
        assert own == set(), "nobody asked for an extension"


async def test_rule_028_other_clients_get_one_former_field_and_nothing_else(talkative: Rig) -> None:
    async with talkative.client(*_script()) as client:
        asked = await _whole_conversation(talkative, client, {"name": "an-editor", "version": "1"}, EVERYTHING)
        for where, keys in unknown_root_keys(written(client), asked).items():
            assert (where.split()[0] in {"session/new", "session/load", "session/resume"}, keys) == (True, {"models"})


@pytest.mark.parametrize("capabilities", [{}, EVERYTHING], ids=["nothing", "everything"])
async def test_rule_029_all_that_is_sent_fits_the_stable_schema_and_its_way_of_naming(
    talkative: Rig, capabilities: Any
) -> None:
    async with talkative.client(*_script()) as client:
        asked = await _whole_conversation(talkative, client, {"name": "acp-tck", "version": "1"}, capabilities)
        lines = written(client)
        assert len(lines) > 20
        assert_stable(lines, asked)
        own = [line.get("params", line.get("result")) for line in lines]
        assert [key for body in own for key in keys_of(body) if not CAMEL.fullmatch(key) and key not in FREE] == []
        for line in lines:
            if line.get("method") == "session/update":
                assert SNAKE.fullmatch(line["params"]["update"]["sessionUpdate"])
        session = next(line["result"]["sessionId"] for line in lines if "sessionId" in line.get("result", {}))
        for _, update in updates_of(lines, session, "usage_update"):
            assert (type(update["used"]), type(update["size"])) == (int, int)


async def test_rule_030_capabilities_that_the_schema_does_not_know_stand_in_meta(rig: Rig) -> None:
    known = {
        "": {"loadSession", "promptCapabilities", "mcpCapabilities", "sessionCapabilities", "auth", "_meta"},
        "promptCapabilities": {"image", "audio", "embeddedContext", "_meta"},
        "mcpCapabilities": {"http", "sse", "_meta"},
        "auth": {"logout", "_meta"},
        # systemPrompt became stable behind the schema that lies beside the repository
        "sessionCapabilities": {
            "list", "delete", "resume", "close", "additionalDirectories", "systemPrompt", "_meta",
        },
    }  # fmt: skip
    async with rig.client() as client:
        strict = {"name": "acp-tck", "version": "1"}
        params = {"protocolVersion": 1, "clientCapabilities": {}, "clientInfo": strict}
        capabilities = (await client.call("initialize", params))["agentCapabilities"]
        for place, names in known.items():
            there = capabilities.get(place, {}) if place else capabilities
            assert set(there) <= names, place
        id = await client.begin("initialize", params)
        await client.response(id)
        assert place_of_response(written(client), id) == 1
