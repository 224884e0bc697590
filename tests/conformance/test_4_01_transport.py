"""Section 4.1, rules 1 to 20: transport and JSON-RPC."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.conftest import Start
from tests.conformance.transcript import is_response, place_of_response, updates_of, written
from tests.e2e.process import COMMAND, AgentProcess
from tests.harness import Rig, call, choose, tools

_GATED = {
    "session/load": "loadSession",
    "session/list": "sessionCapabilities.list",
    "session/resume": "sessionCapabilities.resume",
    "session/close": "sessionCapabilities.close",
    "session/delete": "sessionCapabilities.delete",
    "session/fork": "sessionCapabilities.fork",
    "session/archive": "sessionCapabilities.archive",
    "session/unarchive": "sessionCapabilities.archive",
    "session/status": "sessionCapabilities.status",
    "session/set_title": "sessionCapabilities.title",
    "session/options": "sessionCapabilities.options",
    "logout": "auth.logout",
    "auth/status": "auth.status",
    "providers/list": "providers",
    "providers/set": "providers",
    "providers/disable": "providers",
}
"""Methods that exist only with a capability, and its place in `agentCapabilities`."""


def _advertised(capabilities: Any, path: str) -> bool:
    for part in path.split("."):
        capabilities = capabilities.get(part) if isinstance(capabilities, dict) else None
    return capabilities not in (None, False)


@pytest.mark.e2e
def test_rule_001_every_byte_on_stdout_is_json_in_utf_8(start: Start, project: Path) -> None:
    agent = start("Grüße, 世界 🌍 \ud83d\x00\x7f.")
    agent.initialize()
    assert agent.prompt(agent.new(project), "héllo 🌍") == "end_turn"
    assert len(agent.lines) > 3
    for line in agent.lines:
        assert isinstance(json.loads(line.raw.decode("utf-8")), dict)


@pytest.mark.e2e
def test_rule_002_a_message_is_one_line_whatever_its_text_holds(start: Start, project: Path) -> None:
    text = "one\ntwo\r\nthree\u2028four\u0085five\rsix"
    agent = start({"text": text, "chunks": 1})
    agent.initialize()
    session = agent.new(project)
    agent.prompt(session)
    assert agent.said(session) == text
    for line in agent.lines:
        assert line.raw.startswith(b"{")
        assert line.raw.endswith(b"}")
        assert b"\r" not in line.raw


@pytest.mark.e2e
def test_rule_003_nothing_but_messages_is_on_stdout_while_commands_print_and_input_is_junk(
    start: Start, project: Path
) -> None:
    line = "echo to-stdout; echo to-stderr >&2; (sleep 30; echo later) & echo $$ > /dev/null"
    agent = start(tools(call("bash", command=line, description="prints")), "Done.")
    agent.initialize()
    agent.write(b"junk\n[]\n\xff\xfe\n")
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    agent.end_of_input()
    agent.join()
    for each in agent.lines:
        assert isinstance(each.message, dict), each.raw
        assert each.message["jsonrpc"] == "2.0", each.raw
    assert not any(each.raw.startswith(b"to-st") for each in agent.lines)


@pytest.mark.e2e
def test_rule_004_a_stderr_that_nobody_reads_stops_nothing(start: Start, project: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 65536):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    try:
        agent = start("Hello.", stderr=writing, command=(*COMMAND, "--log-level", "DEBUG"))
        agent.initialize()
        session = agent.new(project)
        agent.write(b"junk\n")
        assert agent.prompt(session) == "end_turn"
        assert agent.said(session) == "Hello."
    finally:
        os.close(writing)
        os.close(reading)


@pytest.mark.e2e
def test_rule_005_line_ends_blank_lines_and_junk_are_survived(agent: AgentProcess) -> None:
    agent.write(b"\r\n\n   \n\t\r\n")
    request = agent.request("session/list", {})
    agent.write(json.dumps(request).encode() + b"\r\n")
    assert "result" in agent.response(request["id"])
    agent.write(b"\x00\x01\xff junk\n")
    assert "sessions" in agent.call("session/list", {})


@pytest.mark.e2e
@pytest.mark.parametrize("line", [b"{", b"{]", b'{"jsonrpc":"2.0","id":1,"method":"session/list"', b"\xc3\x28", b"NaN"])
def test_rule_006_a_line_that_is_no_json_is_answered_once_with_32700_and_no_id(
    agent: AgentProcess, line: bytes
) -> None:
    mark = len(agent.lines)
    agent.write(line + b"\n")
    agent.call("session/list", {})
    first, second = (line.message for line in agent.lines[mark:])
    assert (first["id"], first["error"]["code"]) == (None, -32700)
    assert "result" in second


@pytest.mark.anyio
async def test_rule_007_a_batch_is_refused_once_and_none_of_its_members_is_served(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        before = len(written(client))
        new = {"jsonrpc": "2.0", "id": 77, "method": "session/new", "params": {"cwd": str(rig.cwd), "mcpServers": []}}
        for batch in ([new, new], []):
            await client.send(batch)  # type: ignore[arg-type]  # no message, which is the point
        assert (await client.call("session/list", {}))["sessions"] == []
        errors = [(line["id"], line["error"]["code"]) for line in written(client)[before:-1]]
        assert errors == [(None, -32600), (None, -32600)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("message", "id"),
    [
        ({"id": 7, "method": "session/list"}, 7),
        ({"jsonrpc": "1.0", "id": "seven", "method": "session/list"}, "seven"),
        ({"jsonrpc": 2.0, "id": 7, "method": "session/list"}, 7),
        ({"jsonrpc": "2.0", "id": 7, "method": 5}, 7),
        ({"jsonrpc": "2.0", "id": 7, "method": None}, 7),
        ({"jsonrpc": "2.0", "id": 7}, 7),
        ({"jsonrpc": "2.0", "id": {"a": 1}, "method": "session/list"}, None),
        ({"jsonrpc": "2.0", "id": [7], "method": "session/list"}, None),
        ({"jsonrpc": "2.0", "id": True, "method": "session/list"}, None),
        ({}, None),
    ],
    ids=lambda value: json.dumps(value),
)
async def test_rule_008_a_wrong_envelope_is_refused_by_its_id_where_it_has_one(rig: Rig, message: Any, id: Any) -> None:
    async with rig.client() as client:
        await client.initialize()
        before = len(written(client))
        await client.send(message)
        await client.call("session/list", {})
        first, second = written(client)[before:]
        assert (first["id"], first["error"]["code"]) == (id, -32600)
        assert "result" in second


@pytest.mark.anyio
async def test_rule_008_an_answer_that_is_both_result_and_error_is_taken_for_neither_a_yes_nor_a_crash(
    rig: Rig,
) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    async with rig.client(tools(call("write", filePath="a.txt", content="x")), "Ok.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        asked = await client.see_method("session/request_permission")
        yes = {"outcome": {"outcome": "selected", "optionId": "allow_once"}}
        both = {"jsonrpc": "2.0", "id": asked["id"], "result": yes, "error": {"code": 1, "message": "no"}}
        await client.send(both)
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert not (rig.cwd / "a.txt").exists()


@pytest.mark.anyio
@pytest.mark.parametrize("id", [0, 1, -5, 2**53 + 1, 2**63 - 1, "1", "", "ünï-\ud800-\n", "x" * 5000], ids=repr)
async def test_rule_009_an_id_comes_back_as_it_was_in_results_and_in_errors(rig: Rig, id: Any) -> None:
    async with rig.client() as client:
        await client.initialize()
        for method in ("session/list", "session/none"):
            before = len(written(client))
            await client.begin(method, {}, id)
            await client.until(lambda before=before: len(written(client)) > before)  # type: ignore[misc]
            assert is_response(written(client)[-1], id)


@pytest.mark.anyio
async def test_rule_009_null_as_an_id_is_an_id(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        await client.send({"jsonrpc": "2.0", "id": None, "method": "session/none", "params": {}})
        await client.until(lambda: len(written(client)) > 1)
        assert (written(client)[-1]["id"], written(client)[-1]["error"]["code"]) == (None, -32601)


@pytest.mark.anyio
async def test_rule_010_an_answer_is_either_result_or_error_and_leaves_out_data_that_it_has_not(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session)
        for method, params in (("nothing", {}), ("session/prompt", {}), ("session/load", {"sessionId": "x"})):
            await client.error(method, params)
        await client.send({"nonsense": True})
        await client.call("session/list", {})
        answers = [line for line in written(client) if "method" not in line]
        assert len(answers) == 8
        for answer in answers:
            assert ("result" in answer) != ("error" in answer)
            assert set(answer) <= {"jsonrpc", "id", "result", "error"}
            if "error" in answer:
                assert type(answer["error"]["code"]) is int
                assert isinstance(answer["error"]["message"], str)
                assert answer["error"].get("data", ...) is not None


@pytest.mark.anyio
async def test_rule_011_no_notification_is_answered_whatever_is_wrong_with_it(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        before = len(written(client))
        odd: list[Any] = [{}, None, [], 5, {"sessionId": 5}, {"sessionId": "none"}, {"cwd": "/"}]
        for method in ("session/new", "session/prompt", "initialize", "none/such", "_x/y", "$/z", "session/cancel", ""):
            for params in odd:
                await client.notify(method, params)
        await client.notify("$/cancel_request", {"requestId": 3})
        assert (await client.call("session/list", {}))["sessions"] == []
        assert len(written(client)) == before + 1


@pytest.mark.anyio
async def test_rule_012_what_is_unknown_or_not_advertised_is_not_found(rig: Rig) -> None:
    async with rig.client() as client:
        capabilities = (await client.initialize())["agentCapabilities"]
        unknown = ["session/none", "Session/new", "", "fs/read_text_file", "session/update", "proxy/initialize"]
        missing = [method for method, path in _GATED.items() if not _advertised(capabilities, path)]
        for method in (*unknown, *missing):
            error = await client.error(method, {"sessionId": "none", "title": "x", "providerId": "x"})
            assert error["code"] == -32601, method
        for method in set(_GATED) - set(missing):
            response = await client.response(await client.begin(method, {"sessionId": 5}))
            assert response.get("error", {}).get("code") != -32601, method


@pytest.mark.anyio
async def test_rule_013_after_every_kind_of_error_the_next_request_is_served(rig: Rig) -> None:
    async with rig.client("Fine.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        unknown = {"sessionId": "none", "cwd": str(rig.cwd), "mcpServers": []}
        for method, params, code in (
            ("none", {}, -32601),
            ("session/new", {"cwd": 5}, -32602),
            ("session/prompt", {"sessionId": session, "prompt": "text"}, -32602),
            ("session/load", unknown, -32002),
            ("session/set_mode", {"sessionId": session, "modeId": "none"}, -32602),
            ("initialize", {"protocolVersion": "one"}, -32602),
        ):
            assert (await client.error(method, params))["code"] == code
            assert "sessions" in await client.call("session/list", {})
        assert (await client.prompt(session))["stopReason"] == "end_turn"


@pytest.mark.anyio
async def test_rule_014_the_message_of_an_error_says_something_on_one_line(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        errors = [
            await client.error("many\nlines\r\nin a method", {}),
            await client.error("session/new", {"cwd": "re\nla\ntive", "mcpServers": []}),
            await client.error("session/load", {"sessionId": "a\nb", "cwd": "/", "mcpServers": []}),
            await client.error("session/set_mode", {"sessionId": session, "modeId": "a\n\nb"}),
            await client.error("session/set_config_option", {"sessionId": session, "configId": "\n", "value": "\r"}),
            await client.error("session/list", {"cursor": "\n"}),
        ]
        for error in errors:
            assert error["message"].strip()
            assert error["message"].splitlines() == [error["message"]]


@pytest.mark.e2e
def test_rule_015_a_line_of_33_mebibytes_is_taken(agent: AgentProcess) -> None:
    assert "sessions" in agent.call("session/list", {"_meta": {"padding": "x" * (33 * 1024 * 1024)}})


@pytest.mark.e2e
def test_rule_016_the_end_of_stdin_ends_turn_children_and_process_within_two_seconds(
    start: Start, project: Path
) -> None:
    agent = start(tools(call("bash", command="echo begun; sleep 300", description="waits")), "never")
    agent.initialize()
    session = agent.new(project)
    agent.ask(session)
    agent.see_output(session, "begun")
    assert agent.end_of_input() < 2
    assert agent.returncode == 0
    again = start()
    again.initialize()
    assert again.load(session, project)[0]["sessionUpdate"] == "user_message_chunk"


@pytest.mark.anyio
async def test_rule_017_paths_are_absolute_both_ways_and_lines_count_from_one(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("one\ntwo\n")
    steps = (
        tools(call("read", filePath="a.txt"), call("edit", filePath="a.txt", oldString="two", newString="2")),
        tools(call("write", filePath="sub/b.txt", content="b"), call("grep", pattern="one")),
        "Done.",
    )
    async with rig.client(*steps) as client:
        await client.initialize()
        for cwd in (".", "project", "~", ""):
            error = await client.error("session/new", {"cwd": cwd, "mcpServers": []})
            assert error["code"] == -32602
        session = await client.new(rig.cwd)
        await client.prompt(session)
        places = [
            place
            for _, update in updates_of(written(client), session)
            for place in (update.get("locations") or [])
        ]  # fmt: skip
        diffs = [
            part["path"]
            for _, update in updates_of(written(client), session)
            for part in (update.get("content") or [] if isinstance(update.get("content"), list) else [])
            if part["type"] == "diff"
        ]
        assert places
        assert set(diffs) == {str(rig.cwd / "a.txt"), str(rig.cwd / "sub/b.txt")}
        assert all(os.path.isabs(path) for path in (*diffs, *(place["path"] for place in places)))
        assert all(place.get("line") is None or place["line"] >= 1 for place in places)


@pytest.mark.anyio
async def test_rule_018_while_a_turn_runs_everything_else_is_served(rig: Rig) -> None:
    rig.provider = Scripted([{"text": "I begin", "hold": True}, {"text": "The other."}])
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.see("agent_message_chunk")
        other = await client.new(rig.cwd)
        assert (await client.prompt(other))["stopReason"] == "end_turn"
        assert len((await client.call("session/list", {}))["sessions"]) == 2
        assert await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"}) == {}
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        await client.call("session/close", {"sessionId": other})
        assert not any(is_response(line, prompt) for line in written(client))
        await client.notify("session/cancel", {"sessionId": session})
        assert (await client.response(prompt))["result"]["stopReason"] == "cancelled"


@pytest.mark.e2e
def test_rule_019_a_cancellation_on_the_very_next_line_finds_its_prompt(agent: AgentProcess, project: Path) -> None:
    session = agent.new(project)
    prompt = agent.request("session/prompt", agent.text_prompt(session, "be long"))
    agent.send(prompt, {"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}})
    assert agent.response(prompt["id"])["result"]["stopReason"] == "cancelled"


@pytest.mark.anyio
async def test_rule_019_prompts_of_a_session_are_served_in_the_order_of_their_lines(rig: Rig) -> None:
    async with rig.client("A", "B", "C") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for _ in range(3)]
        for prompt in prompts:
            await client.response(prompt)
        lines = written(client)
        said = [(at, each["content"]["text"]) for at, each in updates_of(lines, session, "agent_message_chunk")]
        assert [text for _, text in said] == ["A", "B", "C"]
        ends = [place_of_response(lines, prompt) for prompt in prompts]
        assert said[0][0] < ends[0] < said[1][0] < ends[1] < said[2][0] < ends[2]


@pytest.mark.anyio
async def test_rule_020_our_ids_are_unique_and_a_stray_answer_is_ignored(rig: Rig) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    write = tools(call("write", filePath="a.txt", content="x"))
    async with rig.client(write, write, "Done.", "Done.") as client:
        await client.initialize()
        sessions = [await client.new(rig.cwd), await client.new(rig.cwd)]
        prompts = [await client.begin("session/prompt", client.text_prompt(session)) for session in sessions]

        def asked() -> list[Any]:
            return [line for line in written(client) if line.get("method") == "session/request_permission"]

        await client.until(lambda: len(asked()) == 2)
        ids = [line["id"] for line in asked()]
        assert len(set(map(repr, ids))) == 2
        for stray in (*[f"agent-{number}" for number in range(90, 93)], 1, None, "none", 2**40):
            await client.send({"jsonrpc": "2.0", "id": stray, "result": {}})
        # The client's own ids may be the same as ours: the two have nothing to do with each other.
        listed = [await client.begin("session/list", {}, id) for id in ids]
        for id in listed:
            assert "sessions" in (await client.response(id))["result"]
        for line in asked():
            for option in ("reject_once", "allow_once"):  # the second answer is late, and ignored
                await client.send({"jsonrpc": "2.0", "id": line["id"], "result": choose(option)(None)})
        for prompt in prompts:
            assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert not (rig.cwd / "a.txt").exists()
