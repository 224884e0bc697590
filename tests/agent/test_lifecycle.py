"""Sessions: opened with more than a directory, titled, asked about, deleted; and what clients are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.scripted import Scripted
from tests.harness import Message, RawClient, Rig, call, tools
from tests.session.unit import NoteTool

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def setup(rig: Rig, **more: Any) -> Message:
    return {"cwd": str(rig.cwd), "mcpServers": [], **more}


def text(*parts: str) -> list[Message]:
    return [{"type": "text", "text": part} for part in parts]


def kinds_after(client: RawClient, id: Any) -> list[str]:
    """The kinds of the updates behind the response with this id."""
    lines = [message for who, message in client.lines if who == "agent"]
    place = next(number for number, each in enumerate(lines) if each.get("id") == id and "method" not in each)
    return [each["params"]["update"]["sessionUpdate"] for each in lines[place + 1 :] if "params" in each]


async def test_authenticate_answers_at_once_and_knows_its_methods(rig: Rig) -> None:
    async with rig.client() as client:
        method = (await client.initialize())["authMethods"][0]["id"]
        assert await client.call("authenticate", {"methodId": method}) == {}
        error = await client.error("authenticate", {"methodId": "other"})
        assert (error["code"], error["data"]) == (-32602, {"methodId": "other", "expected": [method]})


@pytest.mark.parametrize("method", ["session/new", "session/load", "session/resume"])
async def test_the_commands_follow_the_response_that_names_the_session(rig: Rig, method: str) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.see("available_commands_update")
        client.lines.clear()
        params = setup(rig) if method == "session/new" else setup(rig, sessionId=session)
        id = await client.begin(method, params)
        await client.response(id)
        await client.see("available_commands_update")
        assert "available_commands_update" in kinds_after(client, id)
        names = [each["name"] for each in client.updates("available_commands_update")[0]["availableCommands"]]
        assert {"help", "init", "model", "title"} <= set(names)


async def test_usage_and_title_are_told_behind_a_resume(rig: Rig) -> None:
    async with rig.client({"text": "Hi.", "usage": {"input": 100, "output": 20}}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.call("session/set_title", {"sessionId": session, "title": "  My\n title "})
        await client.prompt(session)
        live = client.updates("usage_update")[-1]
        await client.call("session/close", {"sessionId": session})
        client.lines.clear()
        id = await client.begin("session/resume", setup(rig, sessionId=session))
        await client.response(id)
        await client.see("available_commands_update")
        assert kinds_after(client, id)[:2] == ["session_info_update", "usage_update"]
        assert client.updates("usage_update") == [live]
        assert client.updates("session_info_update")[0]["title"] == "My title"


async def test_the_cost_is_told_where_prices_are_known_and_counted_over_a_load(rig: Rig) -> None:
    models = {"demo": {"limit": {"context": 1000}, "cost": {"input": 10, "output": 20, "cache_read": 1}}}
    rig.config = {"provider": {"scripted": {"options": {"script": str(rig.script_file)}, "models": models}}}
    usage = {"input": 1000, "output": 100, "cache_read": 600}
    async with rig.client({"text": "A.", "usage": usage}, {"text": "B.", "usage": usage}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        await client.prompt(session)
        costs = [each["cost"] for each in client.updates("usage_update")]
        assert costs == [{"amount": 0.0066, "currency": "USD"}, {"amount": 0.0132, "currency": "USD"}]
        await client.call("session/close", {"sessionId": session})
        client.lines.clear()
        await client.call("session/load", setup(rig, sessionId=session))
        assert (await client.see("usage_update"))["cost"] == costs[-1]


async def test_a_deleted_session_is_gone_and_deleting_it_again_is_fine(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        kept, gone = await client.new(rig.cwd), await client.new(rig.cwd)
        await client.prompt(gone)
        for _ in range(2):
            assert await client.call("session/delete", {"sessionId": gone}) == {}
        assert [each["sessionId"] for each in (await client.call("session/list", {}))["sessions"]] == [kept]
        for method in ("session/load", "session/resume"):
            error = await client.error(method, setup(rig, sessionId=gone))
            assert (error["code"], error["data"]) == (-32002, {"sessionId": gone})
        assert (await client.error("session/prompt", client.text_prompt(gone)))["code"] == -32002
        assert await client.call("session/delete", {"sessionId": "never was"}) == {}


async def test_deleting_a_session_in_mid_turn_ends_the_turn_and_leaves_nothing(rig: Rig) -> None:
    async with rig.client({"text": "one", "hold": True}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.see("agent_message_chunk")
        assert await client.call("session/delete", {"sessionId": session}) == {}
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
        assert await client.call("session/list", {}) == {"sessions": []}


async def test_the_status_of_a_session_changes_nothing(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        asked = {"sessionId": session}
        assert await client.call("session/status", asked) == {"status": "open"}
        await client.call("session/close", asked)
        for _ in range(2):
            assert await client.call("session/status", asked) == {"status": "saved"}
        error = await client.error("session/status", {"sessionId": "none"})
        assert (error["code"], error["data"]) == (-32002, {"sessionId": "none"})


async def test_a_title_that_a_person_gave_stays(rig: Rig) -> None:
    async with rig.client("Hi.", "Ho.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        stored = await client.call("session/set_title", {"sessionId": session, "title": " A \t title\n"})
        assert stored == {"title": "A title"}
        assert (await client.see("session_info_update"))["title"] == "A title"
        await client.prompt(session, "Please rename everything")
        assert len(client.updates("session_info_update")) == 1
        await client.call("session/close", {"sessionId": session})
        assert await client.call("session/set_title", {"sessionId": session, "title": "Closed"}) == {"title": "Closed"}
        assert (await client.call("session/list", {}))["sessions"][0]["title"] == "Closed"
        for title, code in (("", -32602), (" \n", -32602), (5, -32602), (None, -32602)):
            assert (await client.error("session/set_title", {"sessionId": session, "title": title}))["code"] == code
        assert (await client.error("session/set_title", {"sessionId": "none", "title": "x"}))["code"] == -32002


async def test_options_are_told_without_a_session(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        told = await client.call("session/options", {"cwd": str(rig.cwd)})
        assert await client.call("session/list", {}) == {"sessions": []}
        new = await client.call("session/new", setup(rig))
        assert told == {"configOptions": new["configOptions"], "modes": new["modes"]}
        await client.call("session/set_mode", {"sessionId": new["sessionId"], "modeId": "plan"})
        of_open = await client.call("session/options", {"sessionId": new["sessionId"]})
        assert of_open["modes"]["currentModeId"] == "plan"
        await client.call("session/close", {"sessionId": new["sessionId"]})
        assert await client.call("session/options", {"sessionId": new["sessionId"]}) == of_open
        assert await client.call("session/status", {"sessionId": new["sessionId"]}) == {"status": "saved"}
        assert (await client.error("session/options", {"sessionId": "none"}))["code"] == -32002
        assert (await client.error("session/options", {}))["code"] == -32602
        assert (await client.error("session/options", {"cwd": "relative"}))["code"] == -32602


async def test_a_session_begins_with_the_options_that_were_picked(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        new = await client.call("session/new", setup(rig, configOptions={"mode": "plan"}))
        assert new["modes"]["currentModeId"] == "plan"
        error = await client.error("session/new", setup(rig, configOptions={"mode": "no such"}))
        assert error["code"] == -32602
        assert len((await client.call("session/list", {}))["sessions"]) == 1


async def test_models_are_grouped_by_provider(rig: Rig) -> None:
    rig.config = {
        "provider": {"scripted": {"name": "Script", "options": {"script": "x"}, "models": {"demo": {}, "b": {}}}}
    }
    async with rig.client() as client:
        await client.initialize()
        new = await client.call("session/new", setup(rig))
        model, mode = new["configOptions"]
        assert (model["id"], model["category"], model["currentValue"]) == ("model", "model", "scripted/demo")
        assert model["options"] == [
            {
                "group": "scripted",
                "name": "Script",
                "options": [{"value": "scripted/demo", "name": "demo"}, {"value": "scripted/b", "name": "b"}],
            }
        ]
        assert (mode["id"], mode["category"]) == ("mode", "mode")


@pytest.mark.parametrize(
    ("method", "change", "told"),
    [
        ("session/set_mode", {"modeId": "plan"}, ["current_mode_update", "config_option_update"]),
        (
            "session/set_config_option",
            {"configId": "mode", "value": "plan"},
            ["current_mode_update", "config_option_update"],
        ),
        ("session/set_model", {"modelId": "scripted/b"}, ["config_option_update"]),
        ("session/set_config_option", {"configId": "model", "value": "scripted/b"}, ["config_option_update"]),
    ],
)
async def test_both_forms_of_a_choice_are_told_in_step(rig: Rig, method: str, change: Message, told: list[str]) -> None:
    rig.config = {"provider": {"scripted": {"options": {"script": "x"}, "models": {"demo": {}, "b": {}}}}}
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.see("available_commands_update")
        client.lines.clear()
        result = await client.call(method, {"sessionId": session, **change})
        updates = client.updates("current_mode_update", "config_option_update")
        assert [each["sessionUpdate"] for each in updates] == told
        if "configOptions" in result:
            assert result["configOptions"] == updates[-1]["configOptions"]
        assert {each["id"]: each["currentValue"] for each in updates[-1]["configOptions"]} == {
            "mode": "plan" if "plan" in change.values() else "build",
            "model": "scripted/b" if "scripted/b" in change.values() else "scripted/demo",
        }
        client.lines.clear()
        await client.call(method, {"sessionId": session, **change})
        assert client.updates("current_mode_update", "config_option_update") == [], "nothing changed"


async def test_more_directories_are_roots_and_are_listed(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "AGENTS.md").write_text("Be kind to the other folder.")
    (other / "a.txt").write_text("found")
    rig.provider = provider = Scripted([tools(call("read", filePath=str(other / "a.txt"))), {"text": "Read."}])
    async with rig.client() as client:
        await client.initialize()
        new = await client.call("session/new", setup(rig, additionalDirectories=[str(other), str(other), str(rig.cwd)]))
        await client.prompt(new["sessionId"])
        assert client.updates("tool_call_update")[-1]["status"] == "completed", "no question about another folder"
        assert f"Additional directory: {other}" in provider.requests[0].system
        assert "Be kind to the other folder." in provider.requests[0].system
        assert (await client.call("session/list", {}))["sessions"][0]["additionalDirectories"] == [str(other)]


@pytest.mark.parametrize("wrong", ["relative", "", "/does/not/exist", 5])
async def test_a_wrong_additional_directory_fails_the_request(rig: Rig, wrong: Any) -> None:
    async with rig.client() as client:
        await client.initialize()
        error = await client.error("session/new", setup(rig, additionalDirectories=[str(rig.folder), wrong]))
        assert error["code"] == -32602
        assert await client.call("session/list", {}) == {"sessions": []}


async def test_roots_that_are_not_given_again_are_not_used_again(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with rig.client("Hi.") as client:
        await client.initialize()
        new = await client.call("session/new", setup(rig, additionalDirectories=[str(other)]))
        session = new["sessionId"]
        await client.call("session/resume", setup(rig, sessionId=session))
        assert (
            "additionalDirectories" not in (await client.call("session/list", {}))["sessions"][0]
            or not (await client.call("session/list", {}))["sessions"][0]["additionalDirectories"]
        )
        error = await client.error(
            "session/load", {"sessionId": session, "cwd": str(other), "additionalDirectories": [str(rig.cwd)]}
        )
        assert (error["code"], error["data"]) == (-32602, {"expected": {"cwd": str(rig.cwd)}})


async def test_an_open_session_moves_with_a_load_unless_a_turn_runs(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "here.txt").write_text("over here")
    async with rig.client({"text": "a", "hold": True}, tools(call("read", filePath="here.txt")), "Done.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.see("agent_message_chunk")
        moved = {"sessionId": session, "cwd": str(other), "mcpServers": []}
        assert (await client.error("session/resume", moved))["code"] == -32602
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
        await client.call("session/resume", moved)
        client.lines.clear()
        await client.prompt(session)
        assert "over here" in client.updates("tool_call_update")[-1]["content"][0]["content"]["text"]
        assert (await client.call("session/list", {}))["sessions"][0]["cwd"] == str(other)


async def test_a_client_may_add_to_the_system_prompt_and_a_load_keeps_it(rig: Rig) -> None:
    rig.provider = provider = Scripted([{"text": "A."}, {"text": "B."}, {"text": "C."}])
    async with rig.client() as client:
        await client.initialize()
        prompt = {"mode": "append", "content": text("Always rhyme.", "And be brief.")}
        new = await client.call("session/new", setup(rig, systemPrompt=prompt))
        session = new["sessionId"]
        await client.prompt(session)
        assert provider.requests[0].system.endswith("\n\nAlways rhyme.\n\nAnd be brief.\n")
        await client.call("session/close", {"sessionId": session})
        await client.call("session/load", setup(rig, sessionId=session))
        await client.prompt(session)
        assert provider.requests[1].system == provider.requests[0].system
        other = {"mode": "override", "content": text("You are a parrot.")}
        await client.call("session/resume", setup(rig, sessionId=session, systemPrompt=other))
        await client.prompt(session)
        assert provider.requests[2].system.startswith("You are a parrot.\n\n# Environment")
        assert "Always rhyme" not in provider.requests[2].system
        assert provider.requests[2].tools == provider.requests[0].tools


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "prepend", "content": text("x")},
        {"mode": "append", "content": []},
        {"mode": "append", "content": text(" ")},
        {"mode": "append", "content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
        {"content": text("x")},
        "be nice",
    ],
)
async def test_a_system_prompt_that_cannot_be_applied_opens_nothing(rig: Rig, wrong: Any) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        assert (await client.error("session/new", setup(rig, systemPrompt=wrong)))["code"] == -32602
        for method in ("session/load", "session/resume"):
            error = await client.error(method, setup(rig, sessionId=session, systemPrompt=wrong))
            assert error["code"] == -32602
        assert len((await client.call("session/list", {}))["sessions"]) == 1


async def test_the_session_id_stands_in_the_load_result_for_the_client_that_needs_it(rig: Rig) -> None:
    for name, has in (("aoe", True), ("zed", False)):
        async with rig.client() as client:
            info = {"protocolVersion": 1, "clientInfo": {"name": name, "version": "1"}}
            await client.call("initialize", info)
            session = await client.new(rig.cwd)
            loaded = await client.call("session/load", setup(rig, sessionId=session))
            assert ("sessionId" in loaded) is has


async def test_strict_clients_hear_of_stable_capabilities_only(rig: Rig) -> None:
    async with rig.client() as client:
        info = {"protocolVersion": 1, "clientInfo": {"name": "acp-tck", "version": "1"}}
        told = (await client.call("initialize", info))["agentCapabilities"]["sessionCapabilities"]
        assert not {"title", "status", "options"} & set(told)
        assert {"list", "resume", "close", "delete", "additionalDirectories"} <= set(told)


async def test_of_two_loads_at_once_the_second_is_refused_rather_than_half_done(rig: Rig, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        one = await client.begin("session/load", setup(rig, sessionId=session, additionalDirectories=[str(first)]))
        two = await client.begin("session/load", setup(rig, sessionId=session, additionalDirectories=[str(second)]))
        assert "result" in await client.response(one)
        assert (await client.response(two))["error"]["code"] == -32602
        assert (await client.call("session/list", {}))["sessions"][0]["additionalDirectories"] == [str(first)]


async def test_a_prompt_right_behind_a_load_runs_under_what_the_load_brings(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    rig.provider = provider = Scripted([{"text": "Hi."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        load = await client.begin("session/load", setup(rig, sessionId=session, additionalDirectories=[str(other)]))
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        assert "result" in await client.response(load)
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        assert f"Additional directory: {other}" in provider.requests[0].system


async def test_a_load_of_a_session_that_is_closed_meanwhile_fails_and_tells_nothing_behind(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        load = await client.begin("session/load", setup(rig, sessionId=session))
        assert await client.call("session/close", {"sessionId": session}) == {}
        assert (await client.response(load))["error"]["code"] == -32002
        await client.call("session/list", {})
        assert kinds_after(client, load) == []


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_first_values_of_options_hold_for_an_open_session_too(rig: Rig, method: str) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        again = await client.call(method, setup(rig, sessionId=session, configOptions={"mode": "plan"}))
        assert again["modes"]["currentModeId"] == "plan"
        error = await client.error(method, setup(rig, sessionId=session, configOptions={"mode": "no such"}))
        assert error["code"] == -32602


async def test_a_load_in_mid_answer_shows_what_was_streamed_so_far(rig: Rig) -> None:
    gate = anyio.Event()
    seen: list[None] = []

    async def hold() -> None:
        seen.append(None)
        if len(seen) == 4:
            await gate.wait()

    rig.provider = Scripted([{"thinking": "hm ", "text": "alpha beta gamma delta"}], gate=hold)
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "go on"))
        await client.until(lambda: client.said() == "alpha beta ")
        client.lines.clear()
        await client.call("session/load", setup(rig, sessionId=session))
        gate.set()
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        chunks = client.updates("user_message_chunk", "agent_thought_chunk", "agent_message_chunk")
        assert [each["content"]["text"] for each in chunks][:2] == ["go on", "hm "]
        assert "".join(each["content"]["text"] for each in chunks[2:]) == "alpha beta gamma delta"
        assert len({each["messageId"] for each in chunks[2:]}) == 1


async def test_a_load_while_a_call_runs_shows_the_call(rig: Rig) -> None:
    release = anyio.Event()

    async def wait(_text: str) -> str:
        await release.wait()
        return "noted"

    note = NoteTool(wait)
    rig.tools = (note,)
    rig.config = {"permission": "allow"}
    async with rig.client(tools(call("note", text="a")), "Done.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.until(lambda: bool(note.running))
        client.lines.clear()
        await client.call("session/load", setup(rig, sessionId=session))
        release.set()
        await client.response(prompt)
        states = [(each["sessionUpdate"], each["status"]) for each in client.updates("tool_call", "tool_call_update")]
        assert states == [("tool_call", "in_progress"), ("tool_call_update", "completed")]


async def test_a_session_that_another_process_deleted_is_not_found(rig: Rig) -> None:
    async with rig.client("Hi.") as client, rig.client() as other:
        await client.initialize()
        await other.initialize()
        session = await client.new(rig.cwd)
        await other.call("session/delete", {"sessionId": session})
        for method, more in (
            ("session/prompt", {"prompt": text("x")}),
            ("session/set_mode", {"modeId": "plan"}),
            ("session/set_title", {"title": "x"}),
            ("session/load", setup(rig)),
            ("session/resume", setup(rig)),
        ):
            error = await client.error(method, {"sessionId": session, **more})
            assert (error["code"], error["data"]) == (-32002, {"sessionId": session}), method


async def test_first_values_hold_for_a_session_that_another_request_is_just_opening(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
    async with rig.client() as client:
        await client.initialize()
        change = await client.begin("session/set_mode", {"sessionId": session, "modeId": "build"})
        load = await client.begin("session/load", setup(rig, sessionId=session, configOptions={"mode": "plan"}))
        assert "result" in await client.response(change)
        assert (await client.response(load))["result"]["modes"]["currentModeId"] == "plan"
