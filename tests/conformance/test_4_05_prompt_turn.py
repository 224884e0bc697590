"""Section 4.5, rules 54 to 67: the prompt turn."""

from __future__ import annotations

import base64
import itertools
import struct
import zlib
from typing import Any

import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.transcript import (
    STOP_REASONS,
    assert_calls_go_their_way,
    assert_nothing_of_the_turn_follows,
    place_of_response,
    settle,
    text_of,
    updates_of,
    written,
)
from tests.harness import RawClient, Rig, call, tools

pytestmark = pytest.mark.anyio


def _png() -> str:
    """A picture of one red dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\x00\xff\x00\x00")
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", dot) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


PNG = _png()
WAV = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(24) + b"data\x00\x00\x00\x00").decode()


async def _ready(client: RawClient, rig: Rig, **capabilities: Any) -> str:
    await client.initialize(**capabilities)
    return await client.new(rig.cwd)


async def _send(client: RawClient, session: str, *blocks: Any) -> Any:
    return await client.call("session/prompt", {"sessionId": session, "prompt": list(blocks)})


def _text(text: str, **more: Any) -> Any:
    return {"type": "text", "text": text, **more}


@pytest.mark.parametrize(
    "link",
    [
        {"uri": "file:///no/such/file.txt", "name": "missing"},
        {"uri": "https://example.invalid/page", "name": "page", "mimeType": "text/html", "size": 3},
        {"uri": "odd:scheme", "name": "", "title": None, "description": None, "annotations": {"priority": 0.5}},
        {"uri": "not a uri at all", "name": "x"},
        {"uri": "", "name": "x"},
    ],
    ids=lambda link: link["uri"],
)
async def test_rule_054_a_link_is_taken_wherever_it_points(rig: Rig, link: Any) -> None:
    rig.provider = provider = Scripted([{"text": "Seen."}])
    async with rig.client() as client:
        session = await _ready(client, rig)
        result = await _send(client, session, {"type": "resource_link", **link}, _text("what is this?"))
        assert result["stopReason"] == "end_turn"
        assert "what is this?" in repr(provider.requests[0].history)
        assert link["uri"].removeprefix("file://") in repr(provider.requests[0].history)


async def test_rule_054_a_link_to_a_file_that_is_there_reaches_the_model(rig: Rig) -> None:
    (rig.cwd / "notes.txt").write_text("the notes say hello\n")
    rig.provider = provider = Scripted([{"text": "Seen."}])
    async with rig.client() as client:
        session = await _ready(client, rig)
        uri = (rig.cwd / "notes.txt").as_uri()
        await _send(client, session, _text("read"), {"type": "resource_link", "uri": uri, "name": "notes.txt"})
        told = repr(provider.requests[0].history)
        assert "notes.txt" in told


async def test_rule_055_what_is_advertised_reaches_the_model_and_what_is_not_is_refused(rig: Rig) -> None:
    rig.provider = provider = Scripted()
    blob = base64.b64encode(b"some bytes").decode()
    blocks: list[tuple[str, Any, str]] = [
        ("image", {"type": "image", "data": PNG, "mimeType": "image/png"}, ""),
        ("audio", {"type": "audio", "data": WAV, "mimeType": "audio/wav"}, ""),
        ("embeddedContext", {"type": "resource", "resource": {"uri": "mem:a", "text": "embedded words"}}, "words"),
        ("embeddedContext", {"type": "resource", "resource": {"uri": "mem:b", "blob": blob}}, "mem:b"),
    ]
    async with rig.client() as client:
        capabilities = (await client.initialize())["agentCapabilities"]["promptCapabilities"]
        session = await client.new(rig.cwd)
        for name, block, told in blocks:
            params = {"sessionId": session, "prompt": [_text("look"), block]}
            provider.append({"text": "Seen."})
            response = await client.response(await client.begin("session/prompt", params))
            if capabilities.get(name):
                assert response["result"]["stopReason"] == "end_turn", name
                last = repr(provider.requests[-1].history[-1])
                assert told in last
                assert len(last) > len(repr([_text("look")])), f"something of the {name} is told"
            else:
                assert response["error"]["code"] == -32602, name


@pytest.mark.parametrize(
    ("steps", "config", "reason"),
    [
        (["Fine."], {}, "end_turn"),
        ([{"text": "I can", "stop_reason": "max_tokens"}], {}, "max_tokens"),
        ([{"text": "No.", "stop_reason": "refusal"}], {}, "refusal"),
        ([tools(call("glob", pattern="*"))] * 2 + ["So far."], {"agent": {"build": {"steps": 1}}}, "max_turn_requests"),
    ],
    ids=["end", "tokens", "refusal", "requests"],
)
async def test_rule_056_a_turn_ends_with_the_reason_that_it_has(rig: Rig, steps: Any, config: Any, reason: str) -> None:
    rig.config = config
    async with rig.client(*steps) as client:
        session = await _ready(client, rig)
        assert (await client.prompt(session))["stopReason"] == reason
        assert reason in STOP_REASONS


async def test_rule_057_all_of_a_turn_comes_before_its_response_and_nothing_of_it_behind(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    entry = {"content": "look", "status": "in_progress", "priority": "high"}
    steps = (
        {"thinking": "Hm.", **tools(call("todowrite", todos=[entry]), call("read", filePath="a.txt"), text="First.")},
        {"text": "Last words.", "usage": {"input": 3, "output": 4}},
    )
    async with rig.client(*steps) as client:
        session = await _ready(client, rig)
        await settle(client)
        begin = len(written(client))
        assert_nothing_of_the_turn_follows(written(client), session, -1)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.response(prompt)
        await settle(client)
        lines = written(client)
        end = place_of_response(lines, prompt)
        assert text_of(lines[begin:end], session) == "First.Last words."
        assert_calls_go_their_way(lines, session, before=end)
        assert_nothing_of_the_turn_follows(lines, session, end)


async def test_rule_058_two_turns_at_once_never_mix_their_sessions_up(rig: Rig) -> None:
    async with rig.client(*[{"text": "word " * 50}] * 2) as client:
        first, second = await _ready(client, rig), await client.new(rig.cwd)
        prompts = [await client.begin("session/prompt", client.text_prompt(each)) for each in (first, second)]
        for prompt in prompts:
            await client.response(prompt)
        lines = written(client)
        assert {line["params"]["sessionId"] for line in lines if line.get("method") == "session/update"} == {
            first,
            second,
        }
        for session in (first, second):
            assert text_of(lines, session) == "word " * 50


async def test_rule_059_chunks_of_a_message_share_an_id_that_a_load_keeps(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    steps = ({"thinking": "Hm, hm.", **tools(call("read", filePath="a.txt"), text="I look now.")}, "It is one thing.")
    async with rig.client(*steps) as client:
        session = await _ready(client, rig)
        await client.prompt(session)
        chunks = [update for _, update in updates_of(written(client), session, "agent_message_chunk")]
        ids = [chunk["messageId"] for chunk in chunks]
        assert len(chunks) > 2
        assert len(set(ids)) == 2
        assert ids == sorted(ids, key=ids.index), "messages do not mingle"
        thoughts = {each["messageId"] for _, each in updates_of(written(client), session, "agent_thought_chunk")}
        assert len(thoughts) == 1
        await client.call("session/close", {"sessionId": session})
        mark = len(written(client))
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        replay = written(client)[mark:]
        again = [update["messageId"] for _, update in updates_of(replay, session, "agent_message_chunk")]
        assert list(dict.fromkeys(again)) == list(dict.fromkeys(ids))
        assert {each["messageId"] for _, each in updates_of(replay, session, "agent_thought_chunk")} == thoughts
        assert all(each.get("messageId") for _, each in updates_of(replay, session, "user_message_chunk"))


@pytest.mark.parametrize("end", ["end", "error", "cancel"])
async def test_rule_060_every_call_is_reported_started_and_ended_however_the_turn_ends(rig: Rig, end: str) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    calls = tools(
        call("read", filePath="a.txt"),
        call("read", filePath="missing.txt"),
        call("nothing of the kind"),
        call("edit", filePath="a.txt"),
        call("bash", command="sleep 60" if end == "cancel" else "true", description="x"),
    )
    last = {"error": {"kind": "bad_request", "message": "no"}} if end == "error" else {"text": "Done."}
    async with rig.client(calls, last) as client:
        session = await _ready(client, rig)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        if end == "cancel":
            running = [{"status": "in_progress", "kind": "execute"}]
            await client.until(
                lambda: any(
                    {"status": each.get("status"), "kind": each.get("kind")} in running
                    for each in client.updates("tool_call_update")
                )
            )
            await client.notify("session/cancel", {"sessionId": session})
        await client.response(prompt)
        await settle(client)
        lines = written(client)
        assert_calls_go_their_way(lines, session, before=place_of_response(lines, prompt))
        reported = [update for _, update in updates_of(lines, session, "tool_call")]
        assert len({update["toolCallId"] for update in reported}) == 5
        names = {update["toolCallId"]: update["name"] for update in reported}
        for _, update in updates_of(lines, session, "tool_call_update"):
            assert update.get("name", names[update["toolCallId"]]) == names[update["toolCallId"]]
        started = {
            update["toolCallId"]
            for _, update in updates_of(lines, session, "tool_call_update")
            if update.get("status") == "in_progress"
        }
        done = [
            update["toolCallId"]
            for _, update in updates_of(lines, session, "tool_call_update")
            if update.get("status") == "completed"
        ]
        assert set(done) <= started


async def test_rule_061_every_content_of_a_call_is_the_whole_content(rig: Rig) -> None:
    line = "for i in 1 2 3 4; do echo line-$i; sleep 0.15; done"
    async with rig.client(tools(call("bash", command=line, description="counts")), "Done.") as client:
        session = await _ready(client, rig)
        await client.prompt(session)
        seen = [
            "".join(part["content"]["text"] for part in update["content"] if part["type"] == "content")
            for _, update in updates_of(written(client), session, "tool_call_update")
            if update.get("content")
        ]
        assert len(seen) > 1, "something was shown while it ran"
        for earlier, later in itertools.pairwise(seen):
            assert all(word in later for word in earlier.split() if word.startswith("line-"))
        assert all(f"line-{number}" in seen[-1] for number in (1, 2, 3, 4))


async def test_rule_062_a_plan_is_told_whole_each_time(rig: Rig) -> None:
    def plan(*statuses: str) -> Any:
        entries = [
            {"content": f"step {number}", "status": status, "priority": "medium"}
            for number, status in enumerate(statuses)
        ]
        return tools(call("todowrite", todos=entries))

    steps = (plan("in_progress", "pending"), plan("completed", "in_progress"), plan("completed"), "Done.")
    async with rig.client(*steps) as client:
        session = await _ready(client, rig)
        await client.prompt(session)
        plans = [update["entries"] for _, update in updates_of(written(client), session, "plan")]
        assert [[entry["status"] for entry in entries] for entries in plans] == [
            ["in_progress", "pending"],
            ["completed", "in_progress"],
            ["completed"],
        ]
        assert all(set(entry) == {"content", "status", "priority"} for entries in plans for entry in entries)


async def test_rule_063_usage_is_told_after_every_model_call_and_after_an_opening(rig: Rig) -> None:
    usage = {"usage": {"input": 10, "output": 5}}
    steps = ({**tools(call("glob", pattern="*")), **usage}, {"text": "Done.", **usage})
    async with rig.client(*steps) as client:
        session = await _ready(client, rig)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.response(prompt)
        lines = written(client)
        told = [update for at, update in updates_of(lines, session, "usage_update")]
        assert len(told) == 2
        assert all(update["used"] > 0 and update["size"] == 100_000 for update in told)
        for method in ("session/load", "session/resume"):
            await client.call("session/close", {"sessionId": session})
            mark = len(written(client))
            await client.call(method, {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
            await settle(client)
            again = [update for _, update in updates_of(written(client)[mark:], session, "usage_update")]
            assert again, method
            assert (again[-1]["used"], again[-1]["size"]) == (told[-1]["used"], told[-1]["size"]), method


async def test_rule_064_commands_are_told_right_after_the_response_that_names_the_session(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        new = await client.begin("session/new", {"cwd": str(rig.cwd), "mcpServers": []})
        session = (await client.response(new))["result"]["sessionId"]
        await settle(client)
        lines = written(client)
        told = list(updates_of(lines, session, "available_commands_update"))
        assert told
        assert all(place > place_of_response(lines, new) for place, _ in updates_of(lines, session))
        names = [command["name"] for command in told[0][1]["availableCommands"]]
        assert {"help", "model", "mode"} <= set(names)
        assert len(names) == len(set(names))
        assert all(not name.startswith("/") for name in names)
        await client.prompt(session)
        for method in ("session/load", "session/resume"):
            await client.call("session/close", {"sessionId": session})
            mark = len(written(client))
            id = await client.begin(method, {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
            await client.response(id)
            await settle(client)
            lines = written(client)[mark:]
            places = [place for place, _ in updates_of(lines, session, "available_commands_update")]
            assert places, method
            assert min(places) > place_of_response(lines, id), method


async def test_rule_064_a_command_is_text_and_may_have_company(rig: Rig) -> None:
    rig.provider = provider = Scripted()
    async with rig.client() as client:
        session = await _ready(client, rig)
        link = {"type": "resource_link", "uri": "file:///x", "name": "x"}
        result = await _send(client, session, _text("/help"), link)
        assert result["stopReason"] == "end_turn"
        assert "/mode" in text_of(written(client), session)
        assert provider.requests == [], "answered without a model"
        provider.append({"text": "A path."})
        await _send(client, session, _text("/usr/bin/python is broken"))
        assert len(provider.requests) == 1, "a path is no command"


async def test_rule_065_a_second_prompt_waits_and_the_two_turns_never_mingle(rig: Rig) -> None:
    async with rig.client("one " * 30, "two " * 30) as client:
        session = await _ready(client, rig)
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for _ in range(2)]
        for prompt in prompts:
            assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        lines = written(client)
        first, second = (place_of_response(lines, prompt) for prompt in prompts)
        assert text_of(lines[:first], session) == "one " * 30
        assert text_of(lines[first:second], session) == "two " * 30


async def test_rule_065_a_steering_message_joins_the_running_turn(rig: Rig) -> None:
    line = "until [ -e go ]; do sleep 0.02; done"
    rig.provider = provider = Scripted([tools(call("bash", command=line, description="waits")), {"text": "Green."}])
    async with rig.client() as client:
        hello = await client.initialize()
        assert hello["_meta"]["steering"]["supported"] is True
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session, "paint it blue"))
        await client.until(
            lambda: any(each.get("status") == "in_progress" for each in client.updates("tool_call_update"))
        )
        steering = {"sessionId": session, "prompt": [_text("no, green")]}
        answered = await client.call("_session/steering", steering)
        assert answered["outcome"] == "injected"
        (rig.cwd / "go").write_text("")
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert "no, green" in repr(provider.requests[1])


@pytest.mark.parametrize(
    "kind", ["auth", "quota", "rate_limit", "overloaded", "network", "context_overflow", "bad_request", "not_found"]
)
async def test_rule_066_a_model_call_that_fails_is_an_error_for_a_person_and_no_refusal(rig: Rig, kind: str) -> None:
    error = {"kind": kind, "message": "the vendor\nis unwell", "retry_after": 0}
    async with rig.client(*[{"error": error}] * 3, "Better.") as client:
        session = await _ready(client, rig)
        told = await client.error("session/prompt", client.text_prompt(session))
        assert told["code"] == -32603 or not (-32768 <= told["code"] <= -32000 or -32899 <= told["code"] <= -32800)
        assert told["message"].splitlines() == [told["message"]]
        assert told["data"]["kind"] == kind


async def test_rule_067_an_answer_without_text_and_calls_is_an_end(rig: Rig) -> None:
    """A model that says nothing is asked once more; twice nothing ends the turn, and the next one is as ever."""
    async with rig.client({}, {"text": ""}, "Words.") as client:
        session = await _ready(client, rig)
        for _ in range(2):
            prompt = await client.begin("session/prompt", client.text_prompt(session))
            assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert client.said().endswith("Words.")
