"""Section 4.4, rules 40 to 53: sessions."""

from __future__ import annotations

import itertools
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.conftest import Start
from tests.conformance.transcript import place_of_response, settle, text_of, updates_of, written
from tests.harness import RawClient, Rig, call, choose, tools

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).with_name("mcp_server.py")
REPLAYED = {"user_message_chunk", "agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan"}


def server(behaviour: str = "good", name: str = "") -> dict[str, Any]:
    """An MCP server as a client names it."""
    return {"name": name or behaviour, "command": sys.executable, "args": [str(SERVER), behaviour], "env": []}


def opening(rig: Rig, session: str | None = None, **more: Any) -> dict[str, Any]:
    """Params of `session/new`, and with a session of load and resume."""
    return {"cwd": str(rig.cwd), "mcpServers": [], **({"sessionId": session} if session else {}), **more}


async def loudly(client: RawClient, rig: Rig, session: str, text: str, **meta: Any) -> str:
    """Have the model call the server's tool as soon as it is offered; gives what the tool said."""
    provider = rig.provider
    assert isinstance(provider, Scripted)
    with anyio.fail_after(10):
        while True:
            provider.append({"text": "Which tools are there?"})
            assert (await client.prompt(session))["stopReason"] == "end_turn"
            name = next((tool.name for tool in provider.requests[-1].tools if tool.name.endswith("shout")), None)
            if name is not None:
                break
    provider.append(tools(call(name, text=text)), {"text": "Done."})
    mark = len(written(client))
    await client.call("session/prompt", {**client.text_prompt(session), **({"_meta": meta} if meta else {})})
    shown = [update for _, update in updates_of(written(client)[mark:], session, "tool_call_update")]
    return json.dumps(shown[-1])


async def test_rule_040_every_new_session_has_an_id_of_its_own(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        ids = [await client.new(rig.cwd) for _ in range(12)]
        assert all(isinstance(id, str) and id for id in ids)
        assert len(set(ids)) == 12


async def test_rule_041_two_sessions_work_in_their_own_directories_and_the_process_stays_where_it_is(rig: Rig) -> None:
    folders = [rig.folder / "one", rig.folder / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "who.txt").write_text(f"I am {folder.name}\n")
    where = os.getcwd()
    look = tools(call("read", filePath="who.txt"), call("bash", command="pwd", description="where"))
    async with rig.client(look, "Done.", look, "Done.") as client:
        await client.initialize()
        for relative in ("one", "./one", "../one", ""):
            assert (await client.error("session/new", {"cwd": relative, "mcpServers": []}))["code"] == -32602
        sessions = [await client.new(folder) for folder in folders]
        for session, folder in zip(sessions, folders, strict=True):
            await client.prompt(session)
            told = json.dumps(client.updates("tool_call_update", session=session))
            assert f"I am {folder.name}" in told
            assert str(folder) in told
        assert os.getcwd() == where


async def test_rule_042_what_lies_outside_the_roots_is_not_touched_unasked_neither_directly_nor_by_a_link(
    rig: Rig,
) -> None:
    outside = rig.folder / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("the secret\n")
    (rig.cwd / "link").symlink_to(outside)
    (rig.cwd / "file-link.txt").symlink_to(outside / "secret.txt")
    ways = [str(outside / "secret.txt"), "../outside/secret.txt", "link/secret.txt", "file-link.txt"]
    reads = [call("read", filePath=way) for way in ways]
    writes = [call("write", filePath="link/new.txt", content="x")]
    async with rig.client(tools(*reads, *writes), "Done.") as client:
        client.answers["session/request_permission"] = choose("reject_once")
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        ends = [
            update for update in client.updates("tool_call_update") if update.get("status") in ("completed", "failed")
        ]
        assert [update["status"] for update in ends] == ["failed"] * 5
        assert "the secret" not in json.dumps(client.updates())
        assert not (outside / "new.txt").exists()


async def test_rule_042_the_additional_directories_are_roots_too(rig: Rig) -> None:
    more = rig.folder / "more"
    more.mkdir()
    (more / "here.txt").write_text("inside as well\n")
    async with rig.client(tools(call("read", filePath=str(more / "here.txt"))), "Done.") as client:
        client.answers["session/request_permission"] = choose("reject_once")
        await client.initialize()
        new = await client.call("session/new", opening(rig, additionalDirectories=[str(more)]))
        await client.prompt(new["sessionId"])
        assert "inside as well" in json.dumps(client.updates("tool_call_update"))
        assert not any(line.get("method") == "session/request_permission" for line in written(client))


async def test_rule_043_a_directory_that_cannot_be_a_root_fails_the_request_and_makes_no_session(rig: Rig) -> None:
    file = rig.folder / "file"
    file.write_text("x")
    async with rig.client() as client:
        capabilities = (await client.initialize())["agentCapabilities"]
        assert capabilities["sessionCapabilities"]["additionalDirectories"] == {}
        for bad in ("relative", "", "./x", str(rig.folder / "missing"), str(file), "~"):
            error = await client.error("session/new", opening(rig, additionalDirectories=[str(rig.folder), bad]))
            assert error["code"] == -32602, bad
        assert (await client.call("session/list", {}))["sessions"] == []
        twice = [str(rig.folder), str(rig.folder), str(rig.cwd)]
        assert (await client.call("session/new", opening(rig, additionalDirectories=twice)))["sessionId"]


async def test_rule_043_a_root_holds_for_one_opening_and_brings_its_instructions(rig: Rig) -> None:
    more = rig.folder / "more"
    more.mkdir()
    (more / "AGENTS.md").write_text("Always whistle.\n")
    (more / "a.txt").write_text("in the other root\n")
    read = tools(call("read", filePath=str(more / "a.txt")))
    rig.provider = provider = Scripted([{"text": "One."}, read, {"text": "Two."}])
    async with rig.client() as client:
        client.answers["session/request_permission"] = choose("reject_once")
        await client.initialize()
        session = (await client.call("session/new", opening(rig, additionalDirectories=[str(more)])))["sessionId"]
        await client.prompt(session)
        assert "Always whistle." in repr(provider.requests[0])
        await client.call("session/close", {"sessionId": session})
        await client.call("session/load", opening(rig, session))
        await client.prompt(session)
        assert "in the other root" not in json.dumps(client.updates("tool_call_update"))
        assert await client.see_method("session/request_permission")


async def test_rule_044_servers_over_stdio_are_joined_and_broken_ones_cost_nothing_else(rig: Rig) -> None:
    rig.provider = Scripted()
    broken = [server("sleeps"), server("exits"), server("prints_html"), {**server(name="gone"), "command": "/no/such"}]
    async with rig.client() as client:
        client.answers["session/request_permission"] = choose("allow_once")
        await client.initialize()
        session = (await client.call("session/new", opening(rig, mcpServers=[*broken, server()])))["sessionId"]
        assert "HELLO" in await loudly(client, rig, session, "hello")


async def test_rule_044_servers_belong_to_their_session(rig: Rig) -> None:
    rig.provider = provider = Scripted()
    async with rig.client() as client:
        client.answers["session/request_permission"] = choose("allow_once")
        await client.initialize()
        other = await client.new(rig.cwd)
        session = (await client.call("session/new", opening(rig, mcpServers=[server()])))["sessionId"]
        assert "HI" in await loudly(client, rig, session, "hi")
        provider.append({"text": "Nothing."})
        await client.prompt(other)
        assert not any("shout" in tool.name for tool in provider.requests[-1].tools)


def _conversation() -> list[Any]:
    entry = {"content": "look", "status": "in_progress", "priority": "high"}
    step = tools(call("todowrite", todos=[entry]), call("read", filePath="a.txt"), text="I look.")
    return [{"thinking": "Hm.", **step}, {"text": "It says one."}]


async def test_rule_045_a_load_shows_all_of_the_conversation_before_its_response_and_the_model_knows_it(
    rig: Rig,
) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    rig.provider = provider = Scripted([*_conversation(), {"text": "As I said."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "what does it say?")
        await settle(client)
        live = written(client)
        assert {update["sessionUpdate"] for _, update in updates_of(live, session)} >= REPLAYED - {"user_message_chunk"}
        await client.call("session/close", {"sessionId": session})
        mark = len(written(client))
        id = await client.begin("session/load", opening(rig, session))
        result = (await client.response(id))["result"]
        await settle(client)
        lines = written(client)[mark:]
        end = place_of_response(lines, id)
        replay = [(place, update) for place, update in updates_of(lines, session, *REPLAYED)]
        assert {update["sessionUpdate"] for _, update in replay} >= REPLAYED - {"tool_call_update"}
        assert all(place < end for place, _ in replay)
        assert isinstance(result, dict)
        for kind in ("agent_message_chunk", "agent_thought_chunk"):
            assert text_of(lines, session, kind) == text_of(live, session, kind)
        assert text_of(lines, session, "user_message_chunk") == "what does it say?"
        calls = [update["toolCallId"] for _, update in updates_of(live, session, "tool_call")]
        assert [update["toolCallId"] for _, update in replay if update["sessionUpdate"] == "tool_call"] == calls
        await client.prompt(session, "again")
        assert "It says one." in repr(provider.requests[-1].history)
        assert "one" in repr(provider.requests[-1].history)


async def test_rule_046_a_resume_shows_nothing_of_the_conversation_and_the_model_knows_it(rig: Rig) -> None:
    rig.provider = provider = Scripted([{"text": "Blue."}, {"text": "Still blue."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "which colour?")
        await client.call("session/close", {"sessionId": session})
        mark = len(written(client))
        resumed = await client.call("session/resume", {"sessionId": session, "cwd": str(rig.cwd)})
        assert "modes" in resumed
        await settle(client)
        assert list(updates_of(written(client)[mark:], session, *REPLAYED)) == []
        await client.prompt(session, "sure?")
        assert "Blue." in repr(provider.requests[-1].history)


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_rule_047_with_more_directories_another_working_directory_is_refused(rig: Rig, method: str) -> None:
    other = rig.folder / "other"
    other.mkdir()
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        await client.call("session/close", {"sessionId": session})
        more = {"additionalDirectories": [str(rig.folder)]}
        assert (await client.error(method, opening(rig, session, cwd=str(other), **more)))["code"] == -32602
        assert "modes" in await client.call(method, opening(rig, session, **more))


async def test_rule_048_a_close_cancels_what_runs_and_the_session_can_be_loaded_again(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "I begin", "hold": True}, {"text": "Back."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.see("agent_message_chunk")
        close = await client.begin("session/close", {"sessionId": session})
        assert (await client.response(close))["result"] == {}
        assert (await client.response(prompt))["result"]["stopReason"] == "cancelled"
        for method, params in (
            ("session/prompt", client.text_prompt(session)),
            ("session/set_mode", {"sessionId": session, "modeId": "plan"}),
        ):
            error = await client.error(method, params)
            assert (error["code"], error["data"]["sessionId"]) == (-32002, session)
        assert session in [each["sessionId"] for each in (await client.call("session/list", {}))["sessions"]]
        await client.call("session/load", opening(rig, session))
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        again = await client.response(await client.begin("session/close", {"sessionId": "none"}))
        assert again.get("result") == {} or again["error"]["code"] == -32002


async def test_rule_049_a_list_is_empty_filtered_newest_first_and_paged(rig: Rig) -> None:
    other = rig.folder / "other"
    other.mkdir()
    ticks = itertools.count(1_700_000_000)
    rig.clock = lambda: float(next(ticks))
    async with rig.client(*["Hi."] * 4) as client:
        await client.initialize()
        assert await client.call("session/list", {}) == {"sessions": []}
        ids = []
        for cwd in (*[rig.cwd] * 60, other):
            ids.append(await client.new(cwd))
        first = await client.call("session/list", {})
        second = await client.call("session/list", {"cursor": first["nextCursor"]})
        assert 0 < len(first["sessions"]) < 61
        assert "nextCursor" not in second
        assert [each["sessionId"] for each in (*first["sessions"], *second["sessions"])] == ids[::-1]
        here = await client.call("session/list", {"cwd": str(other)})
        assert [each["sessionId"] for each in here["sessions"]] == ids[-1:]
        assert (await client.call("session/list", {"cwd": str(rig.folder)}))["sessions"] == [], "no prefixes"
        for cursor in ("none", "", "AAAA"):
            response = await client.response(await client.begin("session/list", {"cursor": cursor}))
            assert cursor == "" or response["error"]["code"] == -32602


async def test_rule_050_a_deleted_session_is_gone_and_may_be_deleted_again(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "Hi."}, {"text": "I begin", "hold": True}])
    async with rig.client() as client:
        await client.initialize()
        idle, busy = await client.new(rig.cwd), await client.new(rig.cwd)
        await client.prompt(idle)
        prompt = await client.begin("session/prompt", client.text_prompt(busy))
        await client.until(lambda: "I begin" in client.said())
        for session in (idle, busy, idle, "never there"):
            assert await client.call("session/delete", {"sessionId": session}) == {}
        assert (await client.response(prompt))["result"]["stopReason"] == "cancelled"
        assert (await client.call("session/list", {}))["sessions"] == []
        for method in ("session/load", "session/resume"):
            error = await client.error(method, opening(rig, idle))
            assert (error["code"], error["data"]["sessionId"]) == (-32002, idle)


async def test_rule_051_an_unknown_session_is_told_by_its_id_and_its_cancellation_ignored(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        for method, params in (
            ("session/prompt", client.text_prompt("none")),
            ("session/set_mode", {"sessionId": "none", "modeId": "plan"}),
            ("session/set_config_option", {"sessionId": "none", "configId": "mode", "value": "plan"}),
            ("session/load", opening(rig, "none")),
            ("session/resume", opening(rig, "none")),
        ):
            error = await client.error(method, params)
            assert (error["code"], error["data"]["sessionId"]) == (-32002, "none"), method
        mark = len(written(client))
        await client.notify("session/cancel", {"sessionId": "none"})
        await settle(client)
        assert len(written(client)) == mark + 5


@pytest.mark.e2e
def test_rule_052_two_processes_open_the_same_session_and_lose_nothing_of_it(start: Start, project: Path) -> None:
    one, two = start("One.", "Three."), start("Two.")
    for process in (one, two):
        process.initialize()
    session = one.new(project)
    assert one.prompt(session, "first") == "end_turn"
    two.load(session, project)
    assert two.prompt(session, "second") == "end_turn"
    assert one.prompt(session, "third") == "end_turn"
    third = start()
    third.initialize()
    replay = third.load(session, project)
    told = "".join(each["content"]["text"] for each in replay if each["sessionUpdate"].endswith("message_chunk"))
    assert [told.count(word) for word in ("first", "One.", "second", "Two.", "third", "Three.")] == [1] * 6


async def test_rule_053_a_title_and_a_time_are_told_as_soon_as_they_are_known(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "Mend the broken parser of dates")
        await settle(client)
        told = client.updates("session_info_update")
        titles = [update["title"] for update in told if update.get("title")]
        assert titles
        (listed,) = (await client.call("session/list", {}))["sessions"]
        assert listed["title"] == titles[-1]
        times = [listed["updatedAt"], *(update["updatedAt"] for update in told if update.get("updatedAt"))]
        for time in times:
            assert datetime.fromisoformat(time).utcoffset() is not None
            assert time.endswith("Z")
