"""`session/prompt` and its cancellation as a client meets them: admission, answers, permissions, content."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.llm.messages import Image, Text, UserMessage
from acp_agent.llm.scripted import Scripted
from tests.harness import RawClient, Rig, call, choose, kinds, tools
from tests.session.unit import NoteTool, hold

pytestmark = pytest.mark.anyio

CANCELLED = {"stopReason": "cancelled"}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def _started(rig: Rig, client: RawClient) -> tuple[str, Any]:
    await client.initialize()
    session = await client.new(rig.cwd)
    return session, await client.begin("session/prompt", client.text_prompt(session))


async def _goes_on(client: RawClient, rig: Rig, session: str) -> None:
    """The session takes the next prompt, and what it sends is valid."""
    assert rig.provider is not None
    rig.provider.append({"text": "Back."})  # type: ignore[attr-defined]  # a Scripted, as these tests give it
    seen = len(client.said())
    assert await client.prompt(session, "again") == {"stopReason": "end_turn"}
    assert client.said()[seen:] == "Back."


async def _cancel(client: RawClient, how: str, session: str, prompt: Any) -> None:
    match how:
        case "notification":
            await client.notify("session/cancel", {"sessionId": session})
        case "request":
            assert await client.call("session/cancel", {"sessionId": session}) == {}
        case "$/cancel_request":
            await client.notify("$/cancel_request", {"requestId": prompt})


EVERY_WAY = pytest.mark.parametrize("how", ["notification", "request", "$/cancel_request"])


@EVERY_WAY
async def test_cancelled_before_the_first_byte(rig: Rig, how: str) -> None:
    async def gate() -> None:
        asked.set()
        if len(provider.requests) == 1:
            await anyio.sleep_forever()

    asked = anyio.Event()
    rig.provider = provider = Scripted([{"text": "never"}], gate=gate)
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        await asked.wait()
        await _cancel(client, how, session, prompt)
        assert (await client.response(prompt))["result"] == CANCELLED
        assert client.updates() == []
        await _goes_on(client, rig, session)


@EVERY_WAY
async def test_cancelled_in_the_stream(rig: Rig, how: str) -> None:
    rig.provider = Scripted([{"text": "One two", "hold": True}])
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        await client.until(lambda: client.said() == "One two")
        await _cancel(client, how, session, prompt)
        assert (await client.response(prompt))["result"] == CANCELLED
        await _goes_on(client, rig, session)


@EVERY_WAY
async def test_cancelled_while_a_tool_runs(rig: Rig, how: str) -> None:
    rig.tools = [NoteTool(hold)]
    rig.provider = Scripted([tools(call("note", text="a"))])
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        await client.see("tool_call_update")
        await _cancel(client, how, session, prompt)
        assert (await client.response(prompt))["result"] == CANCELLED
        assert [update.get("status") for update in client.updates()] == ["pending", "in_progress", "failed"]
        await _goes_on(client, rig, session)


@EVERY_WAY
async def test_cancelled_while_a_permission_is_pending(rig: Rig, how: str) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    rig.provider = Scripted([tools(call("write", filePath="a.txt", content="x"))])
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        asked = await client.see_method("session/request_permission")
        await _cancel(client, how, session, prompt)
        assert (await client.response(prompt))["result"] == CANCELLED
        cancelled = await client.see_method("$/cancel_request")
        assert cancelled["params"] == {"requestId": asked["id"]}
        late = {"outcome": {"outcome": "selected", "optionId": "allow_once"}}
        await client.send({"jsonrpc": "2.0", "id": asked["id"], "result": late})
        await _goes_on(client, rig, session)
        assert not (rig.cwd / "a.txt").exists()
        assert [update.get("status") for update in client.updates("tool_call", "tool_call_update")] == [
            "pending",
            "failed",
        ]


async def test_a_cancel_on_the_line_after_its_prompt_finds_it(rig: Rig) -> None:
    rig.provider = Scripted()
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"] == CANCELLED
        assert rig.provider.requests == []
        await _goes_on(client, rig, session)


async def test_a_cancel_ends_the_running_prompt_and_every_waiting_one(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "One", "hold": True}])
    async with rig.client() as client:
        session, first = await _started(rig, client)
        waiting = [await client.begin("session/prompt", client.text_prompt(session)) for _ in range(16)]
        await client.see("agent_message_chunk")
        error = await client.error("session/prompt", client.text_prompt(session))
        assert (error["code"], error["data"]) == (-32600, {"sessionId": session})
        await client.notify("session/cancel", {"sessionId": session})
        for prompt in (first, *waiting):
            assert (await client.response(prompt))["result"] == CANCELLED
        await _goes_on(client, rig, session)


async def test_one_waiting_prompt_is_cancelled_by_its_id_at_once_and_the_others_stay(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "One", "hold": True}, {"text": "Three."}])
    async with rig.client() as client:
        session, first = await _started(rig, client)
        second = await client.begin("session/prompt", client.text_prompt(session, "zweitens"))
        third = await client.begin("session/prompt", client.text_prompt(session, "drittens"))
        await client.see("agent_message_chunk")
        await client.notify("$/cancel_request", {"requestId": second})
        assert (await client.response(second))["result"] == CANCELLED
        await client.notify("$/cancel_request", {"requestId": first})
        assert (await client.response(first))["result"] == CANCELLED
        assert (await client.response(third))["result"] == {"stopReason": "end_turn"}
        assert "zweitens" not in repr(rig.provider.requests)


async def test_waiting_prompts_run_in_order_and_every_answer_follows_its_updates(rig: Rig) -> None:
    async with rig.client("A.", "B.", "C.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for _ in range(3)]
        for prompt in prompts:
            await client.response(prompt)
        said = client.updates("agent_message_chunk")
        told = [
            message["params"]["update"]["content"]["text"] if "method" in message else message["id"]
            for who, message in client.lines
            if who == "agent" and (message.get("id") in prompts or (message.get("params") or {}).get("update") in said)
        ]
        assert told == ["A.", prompts[0], "B.", prompts[1], "C.", prompts[2]]


async def test_cancelling_what_does_not_run_is_harmless(rig: Rig) -> None:
    rig.provider = Scripted()
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for id in (session, "ses_none"):
            await client.notify("session/cancel", {"sessionId": id})
            assert await client.call("session/cancel", {"sessionId": id}) == {}
        await client.notify("$/cancel_request", {"requestId": 999})
        await _goes_on(client, rig, session)


async def test_the_end_of_the_client_ends_a_turn_and_what_was_shown_is_kept(rig: Rig) -> None:
    rig.tools = [NoteTool(hold)]
    async with rig.client(tools(call("note", text="a"), text="I note.")) as client:
        session, _ = await _started(rig, client)
        await client.until(lambda: len(client.updates()) == 4)
    async with rig.client("Back.") as client:
        await client.initialize()
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        assert kinds(client.updates()) == ["user_message_chunk", "agent_message_chunk", "tool_call"]
        assert client.updates()[-1]["status"] == "failed"


# Permission answers as clients may give them.


def _selected(option: Any) -> dict[str, Any]:
    return {"result": {"outcome": {"outcome": "selected", "optionId": option}}}


@pytest.mark.parametrize(
    "answer",
    [
        _selected("reject_once"),
        _selected("allow"),
        _selected("ALLOW_ONCE"),
        _selected(["allow_once"]),
        _selected({"allow_once": 1}),
        _selected(None),
        _selected(True),
        {"result": {"outcome": {"outcome": "cancelled"}}},
        {"result": {"outcome": {"outcome": "approved", "optionId": "allow_once"}}},
        {"result": {"outcome": "allow_once"}},
        {"result": {"optionId": "allow_once"}},
        {"result": {}},
        {"result": None},
        {"result": "allow_once"},
        {"result": [{"outcome": "selected", "optionId": "allow_once"}]},
        {"error": {"code": -32601, "message": "no such method"}},
        {"error": "no"},
        {"error": None, "result": None},
        {"result": {"outcome": {"outcome": "selected", "optionId": "allow_once"}}, "error": {"code": 1}},
    ],
    ids=lambda answer: json.dumps(answer)[:60],
)
async def test_whatever_is_no_yes_is_a_no(rig: Rig, answer: dict[str, Any]) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(tools(call("write", filePath="a.txt", content="x")), "Ok.") as client:
        _session, prompt = await _started(rig, client)
        asked = await client.see_method("session/request_permission")
        await client.send({"jsonrpc": "2.0", "id": asked["id"], **answer})
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        assert not (rig.cwd / "a.txt").exists()
        last = client.updates("tool_call_update")[-1]
        assert last["status"] == "failed"
        assert "This call was not run" in json.dumps(last["content"])


async def test_an_option_that_was_not_offered_approves_nothing(rig: Rig) -> None:
    """A dangerous line is never to be remembered, so `allow_always` is not among the options."""
    line = f"rm -rf {rig.cwd}"
    async with rig.client(tools(call("bash", command=line, description="x")), "Ok.") as client:
        _session, prompt = await _started(rig, client)
        asked = await client.see_method("session/request_permission")
        assert [each["optionId"] for each in asked["params"]["options"]] == ["allow_once", "reject_once"]
        await client.send({"jsonrpc": "2.0", "id": asked["id"], **_selected("allow_always")})
        await client.response(prompt)
        assert client.updates("tool_call_update")[-1]["status"] == "failed"
        assert rig.cwd.is_dir()


async def test_a_yes_lets_an_edit_run_whose_question_showed_the_diff(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(tools(call("write", filePath="a.txt", content="x\n")), "Ok.") as client:
        client.answers["session/request_permission"] = choose("allow_once")
        session, prompt = await _started(rig, client)
        assert (await client.response(prompt))["result"] == {"stopReason": "end_turn"}
        asked = (await client.see_method("session/request_permission"))["params"]
        assert asked["sessionId"] == session
        assert asked["toolCall"]["content"][0] == {
            "type": "diff",
            "path": str(rig.cwd / "a.txt"),
            "newText": "x\n",
        }
        assert (rig.cwd / "a.txt").read_text() == "x\n"


async def test_the_second_question_about_a_file_shows_it_as_the_first_edit_left_it(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    (rig.cwd / "a.txt").write_text("a b\n")
    edits = [call("edit", filePath="a.txt", oldString=letter, newString=letter.upper()) for letter in "ab"]
    async with rig.client(tools(*edits), "Ok.") as client:
        client.answers["session/request_permission"] = choose("allow_once")
        _session, prompt = await _started(rig, client)
        await client.response(prompt)
        first, second = (
            message["params"]["toolCall"]["content"][0]
            for _, message in client.lines
            if message.get("method") == "session/request_permission"
        )
        assert (first["oldText"], second["oldText"], second["newText"]) == ("a b\n", first["newText"], "A B\n")


async def test_our_request_ids_are_strings(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(tools(call("write", filePath="a", content="x")), "Ok.") as client:
        client.answers["session/request_permission"] = choose("allow_once")
        _session, prompt = await _started(rig, client)
        await client.response(prompt)
        assert isinstance((await client.see_method("session/request_permission"))["id"], str)


# What a prompt may hold.


async def _sent(rig: Rig, *blocks: dict[str, Any]) -> tuple[Any, ...]:
    rig.provider = Scripted([{"text": "Hi."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.call("session/prompt", {"sessionId": session, "prompt": list(blocks)})
    (message,) = rig.provider.requests[0].history
    assert isinstance(message, UserMessage)
    return message.content


async def test_every_advertised_block_reaches_the_model(rig: Rig) -> None:
    image = base64.b64encode(b"\x89PNG").decode()
    link = {"type": "resource_link", "uri": "file:///a%20b/missing.py", "name": "missing.py"}
    text = {"type": "resource", "resource": {"uri": "file:///x.py", "text": "print(1)"}}
    blob = {"type": "resource", "resource": {"uri": "file:///x.bin", "blob": "AAAA", "mimeType": "application/zip"}}
    content = await _sent(
        rig,
        {"type": "text", "text": "look"},
        {"type": "image", "data": image, "mimeType": "image/png"},
        link,
        text,
        blob,
    )
    assert content[:2] == (Text(text="look"), Image(data=image, mime_type="image/png"))
    assert [part.text for part in content[2:]] == [
        "[Attached by reference: missing.py at /a b/missing.py; not read: There is no file /a b/missing.py.]",
        "[Attached: /x.py]\n1: print(1)\n[End of /x.py]",
        "[Attached: /x.bin, application/zip, binary, 3 bytes, not shown]",
    ]


async def test_a_named_file_is_read_as_the_editor_has_it(rig: Rig) -> None:
    (rig.cwd / "a.py").write_text("on the disk")
    rig.provider = Scripted([{"text": "Hi."}])
    async with rig.client() as client:
        client.answers["fs/read_text_file"] = lambda params: {"content": f"unsaved {Path(params['path']).name}"}
        await client.initialize(fs={"readTextFile": True})
        session = await client.new(rig.cwd)
        link = {"type": "resource_link", "uri": (rig.cwd / "new.py").as_uri(), "name": "new.py"}
        prompt = [{"type": "text", "text": "fix @a.py"}, link]
        await client.call("session/prompt", {"sessionId": session, "prompt": prompt})
    (message,) = rig.provider.requests[0].history
    assert isinstance(message, UserMessage)
    assert message.content == (
        Text(text="fix @a.py"),
        Text(text="[Attached: a.py]\n1: unsaved a.py\n[End of a.py]"),
        Text(text="[Attached: new.py]\n1: unsaved new.py\n[End of new.py]"),
    )


async def test_a_block_of_no_kind_there_is_is_refused_with_its_place(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        error = await client.error("session/prompt", {"sessionId": session, "prompt": [{"type": "video"}]})
        assert error["code"] == -32602
        assert "prompt.0" in error["message"]


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"type": "audio", "data": "not base64!", "mimeType": "audio/wav"}, "prompt[1].data"),
        ({"type": "audio", "data": "", "mimeType": "audio/wav"}, "prompt[1].data"),
        ({"type": "image", "data": "not base64!", "mimeType": "image/png"}, "prompt[1].data"),
        (
            {"type": "resource", "resource": {"uri": "x:y", "blob": "not base64!", "mimeType": "image/png"}},
            "prompt[1].resource.blob",
        ),
    ],
)
async def test_a_block_that_cannot_be_used_is_refused_with_its_place(rig: Rig, block: Any, place: str) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        params = {"sessionId": session, "prompt": [{"type": "text", "text": "a"}, block]}
        error = await client.error("session/prompt", params)
        assert (error["code"], error["data"]) == (-32602, {"path": place})
        assert await client.prompt(session) == {"stopReason": "end_turn"}


async def test_a_prompt_without_anything_in_it_is_refused(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        error = await client.error("session/prompt", {"sessionId": session, "prompt": []})
        assert (error["code"], error["data"]) == (-32602, {"path": "prompt"})


# Choices in mid-turn.


async def test_a_mode_chosen_in_mid_turn_binds_the_next_tool_call(rig: Rig) -> None:
    gate = anyio.Event()

    async def wait(_text: str) -> str:
        await gate.wait()
        return "waited"

    from acp_agent.tools import BUILTIN

    rig.tools = [NoteTool(wait), *BUILTIN]
    steps = [tools(call("note", text="a")), tools(call("write", filePath="a.txt", content="x")), "Ok."]
    async with rig.client(*steps) as client:
        session, prompt = await _started(rig, client)
        await client.see("tool_call_update")
        assert await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"}) == {}
        gate.set()
        await client.response(prompt)
        assert not (rig.cwd / "a.txt").exists()
        assert client.updates("tool_call_update")[-1]["status"] == "failed"


async def test_a_model_chosen_in_mid_turn_is_asked_next(rig: Rig) -> None:
    gate = anyio.Event()

    async def wait(_text: str) -> str:
        await gate.wait()
        return "waited"

    rig.tools = [NoteTool(wait)]
    rig.provider = Scripted([tools(call("note", text="a")), {"text": "Ok."}])
    async with rig.client() as client:
        session, prompt = await _started(rig, client)
        await client.see("tool_call_update")
        await client.call("session/set_model", {"sessionId": session, "modelId": "scripted/other"})
        gate.set()
        await client.response(prompt)
        assert [request.model for request in rig.provider.requests] == ["demo", "other"]
