"""Sessions by id, seen by a client: opened, closed, loaded, resumed, and reopened by a prompt."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.scripted import Scripted
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import TextContent
from acp_agent.session.manager import SessionManager
from tests.harness import RawClient, Rig, call, kinds, tools
from tests.session.unit import NoteTool, bench, hold

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def opened(session: str, cwd: Path) -> dict[str, Any]:
    """The params of `session/load` and `session/resume`."""
    return {"sessionId": session, "cwd": str(cwd), "mcpServers": []}


NOT_FOUND = -32002


async def _stored(rig: Rig, *texts: str) -> str:
    """A session that an earlier process left behind."""
    async with rig.client(*(texts or ("Hello.",))) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for _ in texts or ("",):
            await client.prompt(session)
    return session


async def test_a_closed_session_is_unknown_until_it_is_loaded(rig: Rig) -> None:
    async with rig.client("One.", "Two.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        assert await client.call("session/close", {"sessionId": session}) == {}
        for method, more in {
            "session/prompt": {"prompt": [{"type": "text", "text": "x"}]},
            "session/set_mode": {"modeId": "plan"},
            "session/set_config_option": {"configId": "mode", "value": "plan"},
            "session/close": {},
        }.items():
            error = await client.error(method, {"sessionId": session, **more})
            assert (error["code"], error["data"]) == (NOT_FOUND, {"sessionId": session}), method
        await client.call("session/load", opened(session, rig.cwd))
        assert (await client.prompt(session))["stopReason"] == "end_turn"


async def test_a_session_that_does_not_exist_is_not_found_whatever_is_asked_of_it(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        for method, params in {
            "session/prompt": client.text_prompt("ses_none"),
            "session/load": opened("ses_none", rig.cwd),
            "session/resume": opened("ses_none", rig.cwd),
            "session/close": {"sessionId": "ses_none"},
            "session/set_mode": {"sessionId": "ses_other", "modeId": "plan"},
            "session/set_model": {"sessionId": "ses_other", "modelId": "scripted/demo"},
        }.items():
            assert (await client.error(method, params))["code"] == NOT_FOUND, method
        await client.notify("session/cancel", {"sessionId": "ses_none"})
        assert await client.call("session/cancel", {"sessionId": "ses_none"}) == {}


async def test_every_prompt_that_was_sent_to_an_unknown_session_is_told_so(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        ids = [await client.begin("session/prompt", client.text_prompt("ses_none")) for _ in range(3)]
        assert [(await client.response(id))["error"]["code"] for id in ids] == [NOT_FOUND] * 3


async def test_a_stored_session_is_reopened_by_a_prompt(rig: Rig) -> None:
    session = await _stored(rig, "One.")
    rig.provider = Scripted([{"text": "Two."}])
    async with rig.client() as client:
        await client.initialize()
        assert await client.prompt(session, "prompt 1") == {"stopReason": "end_turn"}
        assert kinds(client.updates()) == ["agent_message_chunk"]
        assert [type(entry).__name__ for entry in rig.provider.requests[0].history] == [
            "UserMessage",
            "Step",
            "UserMessage",
        ]
        assert "One." in repr(rig.provider.requests[0].history)


@pytest.mark.parametrize("method", ["session/set_mode", "session/set_config_option"])
async def test_a_stored_session_is_reopened_by_a_choice(rig: Rig, method: str) -> None:
    session = await _stored(rig)
    more = {"modeId": "plan"} if method == "session/set_mode" else {"configId": "mode", "value": "plan"}
    async with rig.client("Hi.") as client:
        await client.initialize()
        await client.call(method, {"sessionId": session, **more})
        resumed = await client.call("session/resume", opened(session, rig.cwd))
        assert resumed["modes"]["currentModeId"] == "plan"


async def test_a_cancel_right_behind_a_prompt_to_a_session_that_was_never_opened_finds_it(rig: Rig) -> None:
    session = await _stored(rig)
    rig.provider = Scripted([{"text": "never"}])
    async with rig.client() as client:
        await client.initialize()
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
        assert rig.provider.requests == []


async def test_a_choice_right_behind_a_prompt_to_an_unopened_session_does_not_wait_for_its_end(rig: Rig) -> None:
    session = await _stored(rig)
    rig.provider = Scripted([{"text": "One", "hold": True}])
    async with rig.client() as client:
        await client.initialize()
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"})
        await client.see("agent_message_chunk")
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}


async def test_a_prompt_that_is_cancelled_while_it_opens_a_session_does_not_cost_the_next_one(tmp_path: Path) -> None:
    entered, released = anyio.Event(), anyio.Event()

    class SlowOpening:
        async def state(self, *_: Any) -> Any:
            entered.set()
            await released.wait()
            return it.state

        def restore(self, *_: Any) -> None:
            return None

    reasons = []
    async with bench(tmp_path, {"text": "Hi."}) as it, anyio.create_task_group() as tasks:
        opening: Any = SlowOpening()
        opening.services = it.state.services
        sessions = SessionManager(opening, tasks)
        session = sessions.get("ses")
        first, second = (session.prompt([TextContent(text="x")], it.client) for _ in range(2))
        with anyio.fail_after(5):
            await entered.wait()
            first.cancel()
            with pytest.raises(RpcError):
                await first.result()
            released.set()
            reasons.append(await second.result())
            assert sessions.get("ses") is session
            await sessions.close_all()
    assert reasons == ["end_turn"]


async def test_closing_ends_the_turn_as_cancelled_and_then_answers(rig: Rig) -> None:
    rig.tools = [NoteTool(hold)]
    async with rig.client(tools(call("note", text="a"))) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for _ in range(2)]
        await client.see("tool_call_update")
        close = await client.begin("session/close", {"sessionId": session})
        await client.response(close)
        ids = [message["id"] for who, message in client.lines if who == "agent" and "id" in message]
        assert sorted(ids[-3:-1]) == prompts
        assert ids[-1] == close
        for prompt in prompts:
            assert (await client.response(prompt))["result"] == {"stopReason": "cancelled"}
        assert client.updates("tool_call_update")[-1]["status"] == "failed"


async def test_a_load_right_behind_a_close_sees_the_whole_of_the_turn_that_was_closed(rig: Rig) -> None:
    rig.tools = [NoteTool(hold)]
    async with rig.client(tools(call("note", text="a"), text="I note.")) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.begin("session/prompt", client.text_prompt(session))
        await client.see("tool_call_update")
        await client.begin("session/close", {"sessionId": session})
        seen = len(client.updates())
        await client.call("session/load", opened(session, rig.cwd))
        calls = [update for update in client.updates()[seen:] if update["sessionUpdate"] == "tool_call"]
        assert [each["status"] for each in calls] == ["failed"]


async def test_resume_shows_nothing_again_and_gives_the_choices(rig: Rig) -> None:
    session = await _stored(rig)
    async with rig.client() as client:
        await client.initialize()
        result = await client.call("session/resume", opened(session, rig.cwd))
        assert set(result) == {"modes", "configOptions", "models"}
        assert client.updates() == []


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
@pytest.mark.parametrize("cwd", ["relative", "", "/nowhere/at/all", "FILE", "/nul\x00"])
async def test_a_working_directory_that_is_none_is_refused_and_does_not_stick(rig: Rig, method: str, cwd: str) -> None:
    session = await _stored(rig)
    file = rig.folder / "file"
    file.write_text("")
    async with rig.client() as client:
        await client.initialize()
        params = {**opened(session, rig.cwd), "cwd": str(file) if cwd == "FILE" else cwd}
        error = await client.error(method, params)
        assert error["code"] == -32602
        assert "cwd" in error["message"]
        assert error["data"] == {"expected": {"cwd": "the absolute path of an existing directory"}}
        await client.call(method, opened(session, rig.cwd))


async def test_a_load_may_bring_another_working_directory(rig: Rig) -> None:
    session = await _stored(rig)
    other = rig.folder / "other"
    other.mkdir()
    (other / "a.txt").write_text("from the other place\n")
    rig.provider = Scripted([tools(call("read", filePath="a.txt")), {"text": "Ok."}])
    async with rig.client() as client:
        await client.initialize()
        await client.call("session/load", opened(session, other))
        await client.prompt(session)
        assert "from the other place" in repr(rig.provider.requests[1].history)


async def test_two_sessions_run_at_the_same_time_and_their_updates_name_them(rig: Rig) -> None:
    async with rig.client({"text": "One", "hold": True}, "Two.") as client:
        await client.initialize()
        first, second = await client.new(rig.cwd), await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(first))
        await client.see("agent_message_chunk")
        assert await client.prompt(second) == {"stopReason": "end_turn"}
        assert [update["content"]["text"] for update in client.updates(session=first)] == ["One"]
        assert [update["content"]["text"] for update in client.updates(session=second)] == ["Two."]
        await client.notify("session/cancel", {"sessionId": first})
        await client.response(prompt)


# Load shows what was shown live.


def canonical(updates: list[dict[str, Any]]) -> list[Any]:
    """Messages whole and calls in their last state, in the order of their first appearance; then plan and usage."""
    found: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for update in updates:
        match update["sessionUpdate"]:
            case "agent_message_chunk" | "agent_thought_chunk" | "user_message_chunk":
                key = update["messageId"]
                before = found.get(key, {"content": {"text": ""}})["content"].get("text", "")
                text = before + update["content"].get("text", "")
                found[key] = {**update, "content": {**update["content"], "text": text}}
            case "tool_call" | "tool_call_update":
                key = update["toolCallId"]
                found[key] = {**found.get(key, {}), **update, "sessionUpdate": "call"}
            case kind:
                last[kind] = update
    return [*found.values(), last]


LONG_TALK: list[Any] = [
    {"thinking": "First think. ", "text": "I look. ", "tool_calls": [call("read", filePath="a.txt")],
     "usage": {"input": 10, "output": 2}},
    tools(
        call("edit", filePath="a.txt", oldString="one", newString="two"),
        call("todowrite", todos=[{"content": "x", "status": "pending"}]),
        call("nope"),
        call("read", filePath="missing.txt"),
        call("bash", command="exit 3", description="fails"),
    ),
    {"text": "Done.", "usage": {"input": 30, "output": 5}},
    {"text": ""},
    {"text": ""},
    {"text": "Half", "error": {"kind": "auth", "message": "gone"}},
    {"text": "No.", "stop_reason": "refusal"},
    {**tools(call("read", filePath="a.txt"), text="cut"), "stop_reason": "max_tokens"},
]  # fmt: skip


async def test_a_load_shows_what_was_shown_live(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    rig.config = {"default_agent": "nobody"}  # a note, said with the first prompt
    async with rig.client(*LONG_TALK) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for number in range(5):
            await client.response(await client.begin("session/prompt", client.text_prompt(session, f"p{number}")))
    live = canonical([each for each in client.updates() if each["sessionUpdate"] != "usage_update"])
    async with rig.client() as again:
        await again.initialize()
        await again.call("session/load", opened(session, rig.cwd))
        replayed = canonical(again.updates())
        prompts = [each["content"]["text"] for each in again.updates("user_message_chunk")]
        assert prompts == ["p0", "p1", "p2", "p3", "p4"]
        assert [each for each in replayed if each.get("sessionUpdate") != "user_message_chunk"] == live
        results = [who for who, message in again.lines if who == "agent"]
        place = [number for number, (_, message) in enumerate(again.lines) if message.get("result")][-1]
        behind = {each["params"]["update"]["sessionUpdate"] for _, each in again.lines[place + 1 :]}
        assert behind <= {"session_info_update", "usage_update", "available_commands_update"}
        assert len(results) > len(live)


async def test_a_load_of_a_busy_session_shows_what_is_there_so_far_and_does_not_wait(rig: Rig) -> None:
    released = anyio.Event()

    async def gate() -> None:
        await released.wait()

    rig.provider = Scripted([{"text": "Slow.", "chunks": 1}], gate=gate)
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        load = await client.begin("session/load", opened(session, rig.cwd))
        await client.response(load)
        assert kinds(client.updates()) == ["user_message_chunk"]
        released.set()
        await client.response(prompt)
        assert kinds(client.updates()) == ["user_message_chunk", "agent_message_chunk"]


# The process died: the store as it is in the middle of a turn is what the next process finds.


async def _copy_in_the_middle(rig: Rig, client: RawClient, target: Path) -> None:
    """What is on the disk right now, as after `kill -9`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal"):
        source = rig.store.with_name(rig.store.name + suffix)
        if source.exists():
            target.with_name(target.name + suffix).write_bytes(source.read_bytes())


async def test_after_a_kill_in_the_stream_everything_shown_is_there_and_the_next_prompt_works(
    rig: Rig, tmp_path: Path
) -> None:
    after = Rig(tmp_path)
    after.store = tmp_path / "copy" / "sessions.db"
    rig.provider = Scripted([{"text": "Before. "}, {"thinking": "Hm. ", "text": "Half of it", "hold": True}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "first")
        await client.begin("session/prompt", client.text_prompt(session, "second"))
        await client.until(lambda: client.said().endswith("of it"))

        def draft() -> str:
            with sqlite3.connect(rig.store) as database:
                row = database.execute("SELECT json FROM draft").fetchone()
            database.close()
            return row[0] if row else ""

        with anyio.fail_after(5):
            while "Half of it" not in await anyio.to_thread.run_sync(draft):
                continue
        await _copy_in_the_middle(rig, client, after.store)
        live = canonical(client.updates())
    after.provider = Scripted([{"text": "Going on."}])
    async with after.client() as again:
        await again.initialize()
        await again.call("session/load", opened(session, rig.cwd))
        replayed = canonical(again.updates())
        assert [each for each in replayed if each.get("sessionUpdate") != "user_message_chunk"] == live
        assert (await again.prompt(session, "third"))["stopReason"] == "end_turn"
        assert "Half of it" in repr(after.provider.requests[0].history)
        await again.call("session/load", opened(session, rig.cwd))
        assert again.said().count("Half of it") == 2, "the draft was settled once"


async def test_after_a_kill_in_a_tool_the_call_is_shown_as_failed_and_the_model_is_told(
    rig: Rig, tmp_path: Path
) -> None:
    after = Rig(tmp_path)
    after.store = tmp_path / "copy" / "sessions.db"
    started = anyio.Event()

    async def work(text: str) -> str:
        if text == "quick":
            return "quick is done"
        started.set()
        return await hold(text)

    rig.tools = after.tools = [NoteTool(work)]
    rig.provider = Scripted([tools(call("note", text="quick"), call("note", text="slow"), text="Both.")])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.begin("session/prompt", client.text_prompt(session))
        await started.wait()
        await client.until(
            lambda: any(update["status"] == "completed" for update in client.updates("tool_call_update"))
        )
        await _copy_in_the_middle(rig, client, after.store)
    after.provider = Scripted([{"text": "I see."}])
    async with after.client() as again:
        await again.initialize()
        await again.call("session/load", opened(session, rig.cwd))
        shown = [(each["title"], each["status"], each["rawInput"]) for each in again.updates("tool_call")]
        assert shown == [
            ("Note quick", "completed", {"text": "quick"}),
            ("Note slow", "failed", {"text": "slow"}),
        ]
        await again.prompt(session, "and now?")
        step = after.provider.requests[0].history[1]
        outputs = [outcome.output for outcome in step.outcomes]  # type: ignore[union-attr]
        assert outputs[0] == "quick is done"
        assert "interrupted" in outputs[1]
