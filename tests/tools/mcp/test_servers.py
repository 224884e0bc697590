"""Servers over stdio as a session has them: joined, used, lost, shared and ended. They are real processes."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from acp_agent.log import Log
from acp_agent.session.permissions import PLAN_RULES, Policy, rules
from acp_agent.tools.base import ToolError
from acp_agent.tools.mcp.process import MAX_LINE
from acp_agent.tools.mcp.servers import McpServers
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.spec import tool_spec
from tests.tools.desk import Holders
from tests.tools.mcp.bench import LONG, Bench, joined, joining, odd, pool, processes, tool, toolbox, until_exists

pytestmark = pytest.mark.anyio

on_one_loop = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For tests of what a server says, not of how we run it: the real server takes a second to start."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Joining.


async def test_what_is_joined_offers_its_tools_and_the_others_say_why_not(tmp_path):
    specs = (
        odd("good", tools=[tool("b"), tool("a")]),
        odd("dead", exit=1, complain="first\n\nno such table\n"),
        odd("html", noise=["<!doctype html>"], silent=True, timeout=0.5),
        odd("refusing", refuse=-32603),
        ServerSpec("absent", "stdio", ("no-such-program-here",)),
        ServerSpec("nowhere", "stdio", ("python3",), cwd="missing"),
        ServerSpec("broken", "stdio", ("a\0b",)),
        ServerSpec("off", "stdio", off="switched off in the configuration"),
    )
    async with joined(tmp_path, *specs) as bench:
        assert {status.name: (status.state, status.detail) for status in bench.servers.status()} == {
            "good": ("ready", ""),
            "dead": ("failed", "it ended with exit code 1: first / no such table"),
            "html": ("failed", "it was not ready within 0.5 seconds; what it writes is no message: <!doctype html>"),
            "refusing": ("failed", "it answered the handshake with an error: not in this way"),
            "absent": ("failed", "it was not started: there is no program no-such-program-here on PATH"),
            "nowhere": ("failed", f"it was not started: {tmp_path / 'missing'} is not a directory"),
            "broken": ("failed", "its command or environment holds a character that no process can be given"),
            "off": ("off", "switched off in the configuration"),
        }
        assert list(bench.servers.tools) == ["good_a", "good_b"]
        said = bench.servers.untold()
        assert len(said) == 6
        assert "The MCP server dead cannot be used. It ended with exit code 1: first / no such table." in said
        assert bench.servers.untold() == []


async def test_start_returns_while_a_server_is_silent_and_the_others_arrive(tmp_path, holders: Holders):
    specs = (odd("silent", up=str(holders.path), silent=True), odd("good", tools=[tool("a")]))
    async with pool() as made, joining(made, tmp_path, *specs) as bench:
        assert [bench.state(name) for name in ("good", "silent")] == ["joining", "joining"]
        await bench.until(lambda: bench.state("good") == "ready")
        await holders.up()
        assert bench.state("silent") == "joining"
        await bench.call("good_a")
        await bench.servers.settled(0)
    await holders.gone()


async def test_a_server_that_never_answers_fails_after_its_time_and_is_gone(tmp_path, holders):
    async with joined(tmp_path, odd(up=str(holders.path), silent=True, timeout=0.5)) as bench:
        assert bench.detail("odd") == "it was not ready within 0.5 seconds"
        await holders.gone()


async def test_nothing_is_joined_before_the_start(tmp_path):
    async with pool() as made, joining(made, tmp_path, odd(), start=False) as bench:
        assert bench.state("odd") == "joining"
        await bench.servers.settled(LONG)
        assert processes() == []


async def test_a_server_of_a_project_is_off_until_a_person_agrees(tmp_path):
    specs = [dataclasses.replace(odd(name, tools=[tool("t")]), needs_trust=True) for name in ("a", "b")]
    async with joined(tmp_path, *specs) as bench:
        assert processes() == []
        assert {bench.state("a"), bench.state("b")} == {"off"}
        assert bench.detail("a") == "a file of the project names it, and nobody has agreed to it yet"
        assert bench.servers.waiting_for_trust() == {"a": specs[0], "b": specs[1]}
        await bench.servers.reconnect("a")
        assert bench.state("a") == "off"
        bench.servers.allow(["a"])
        await bench.until(lambda: bench.state("a") == "ready")
        assert (list(bench.servers.tools), bench.state("b")) == (["a_t"], "off")


async def test_an_agreement_before_the_start_holds(tmp_path):
    spec = dataclasses.replace(odd(tools=[tool("t")]), needs_trust=True)
    async with pool() as made, joining(made, tmp_path, spec, start=False) as bench, anyio.create_task_group() as tasks:
        bench.servers.allow(["odd"])
        bench.servers.start(tasks, bench.changed)
        await bench.until(lambda: bench.state("odd") == "ready")
        tasks.cancel_scope.cancel()


async def test_a_server_of_the_newest_protocol_only_is_joined(tmp_path):
    async with joined(tmp_path, odd(modern=True, tools=[tool("t")])) as bench:
        assert bench.detail("odd") == ""
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'


async def test_lists_in_pages_are_whole(tmp_path):
    async with joined(tmp_path, odd(tools=[tool(f"t{index}") for index in range(7)], page=2)) as bench:
        assert len(bench.servers.tools) == 7


# Tools.


@on_one_loop
async def test_the_tools_of_a_real_server_work(tmp_path):
    async with joined(tmp_path, toolbox()) as bench:
        tools = bench.servers.tools
        spec = tool_spec(tools["toolbox_echo"])
        assert (spec.name, spec.description) == ("toolbox_echo", "Gives the text back.")
        assert spec.parameters["required"] == ["text"]
        assert [tools[name].kind for name in ("toolbox_echo", "toolbox_add")] == ["read", "other"]
        params = tools["toolbox_echo"].params(values={})
        assert tools["toolbox_echo"].summary(params, bench.workspace).title == "toolbox: Echo a text"
        assert (await bench.call("toolbox_echo", text="hé")).output == "hé"
        assert (await bench.call("toolbox_point")).data == {"structuredContent": {"x": 1, "y": 2}}
        picture = await bench.call("toolbox_picture")
        assert [image.mime_type for image in picture.images] == ["image/png"]
        assert picture.content[0].wire()["content"]["type"] == "image"
        assert (await bench.call("toolbox_fail")).is_error
        assert (await bench.call("toolbox_roots")).output == tmp_path.as_uri()
        assert "Sampling not supported" in await bench.refusal("toolbox_sample")
        assert dict(bench.servers.instructions) == {"toolbox": "Use echo for echoes."}


async def test_wrong_arguments_are_told_and_nothing_is_run(tmp_path):
    log = tmp_path / "log"
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with joined(tmp_path, odd(log=str(log), tools=[{"name": "t", "inputSchema": schema}])) as bench:
        said = await bench.refusal("odd_t", n="five")
        assert said == "The arguments of odd_t are not valid. Nothing was run.\n- n: 'five' is not of type 'integer'"
        assert "tools/call" not in log.read_text()


@on_one_loop
async def test_progress_is_shown_and_a_flood_of_it_is_not(tmp_path):
    async with joined(tmp_path, toolbox()) as bench:
        assert (await bench.call("toolbox_count", to=500)).output == "counted to 500"
        texts = [update.wire()["content"][0]["content"]["text"] for update in bench.updates]
        assert texts[0].startswith("at ")
        assert texts[0].endswith(" of 500)")
        assert len(texts) < 100


@on_one_loop
async def test_new_tools_are_there_after_the_server_says_so_and_order_and_names_hold(tmp_path):
    async with joined(tmp_path, toolbox("m"), odd("z", tools=[tool("t")]), odd("a", tools=[tool("t")])) as bench:
        before = dict(bench.servers.tools)
        await bench.call("m_grow", name="hop")
        await bench.until(lambda: "m_hop" in bench.servers.tools)
        after = bench.servers.tools
        assert [name for name in after if name != "m_hop"] == list(before)
        assert all(after[name] is before[name] for name in before)
        assert list(after).index("m_hop") == list(before).index("m_picture")
        assert (await bench.call("m_hop")).output == "hop"


async def test_tools_are_in_the_same_order_whoever_is_first(tmp_path):
    first, second = odd("a", tools=[tool("y"), tool("x")]), odd("b", tools=[tool("z")])
    for specs in ((first, second), (second, first)):
        async with joined(tmp_path, *specs) as bench:
            assert list(bench.servers.tools) == ["a_x", "a_y", "b_z"]


async def test_a_name_is_never_that_of_another_tool(tmp_path):
    specs = (odd("a", tools=[tool("b_c")]), odd("a_b", tools=[tool("c")]), odd("read", tools=[tool("mcp_resource")]))
    async with joined(tmp_path, *specs, taken=["a_b_c"]) as bench:
        names = list(bench.servers.tools)
        assert len(names) == 3
        assert not {"a_b_c", "read_mcp_resource"} & set(names)
        for name in names:
            assert (await bench.call(name, me=name)).output == json.dumps({"me": name})


async def test_what_a_tool_touches_is_asked_about_unless_a_rule_covers_it(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("t")])) as bench:
        t = bench.servers.tools["odd_t"]
        subjects = t.subjects(t.params(values={}), bench.workspace)

        def decided(setting: Any, *overlay: Any) -> str:
            return Policy(configured=rules(setting), overlay=tuple(overlay)).decide(subjects).action

        assert decided(None) == "ask"
        assert decided({"bash": "allow"}) == "ask"
        assert decided("allow") == "allow"
        assert decided({"odd_*": "allow"}) == "allow"
        assert decided({"odd_*": "deny"}) == "deny"
        assert decided({"*": "allow", "odd_t": "ask"}) == "ask"
        assert decided("allow", *PLAN_RULES) == "ask"
        assert decided({"odd_t": "allow"}, *PLAN_RULES) == "allow"
        policy = Policy()
        policy.grant(policy.decide(subjects).asked)
        assert policy.decide(subjects).action == "allow"


async def test_a_person_who_is_asked_sees_the_arguments(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("t")])) as bench:
        t = bench.servers.tools["odd_t"]
        (shown,) = await t.preview(t.params(values={"path": "/x"}), bench.context())
        assert shown.wire()["content"]["text"] == '```json\n{\n  "path": "/x"\n}\n```'
        assert await t.preview(t.params(values={}), bench.context()) == ()
        (cut,) = await t.preview(t.params(values={"text": "x" * 100_000}), bench.context())
        assert len(cut.wire()["content"]["text"]) < 5000


# Prompts and resources.


@on_one_loop
async def test_prompts_become_commands(tmp_path):
    async with joined(tmp_path, toolbox()) as bench:
        prompt = bench.servers.prompts["toolbox_greet"]
        assert (prompt.description, prompt.hint) == ("Greets somebody.", "<name> [manner]")
        assert prompt.values('"Ann Lee" very cold') == {"name": "Ann Lee", "manner": "very cold"}
        assert prompt.values("Bo's") == {"name": "Bo's"}
        with pytest.raises(
            ToolError, match=r"/toolbox_greet needs name. Write it as: /toolbox_greet <name> \[manner\]"
        ):
            prompt.values(" ")
        (block,) = await prompt.messages(prompt.values("Bo"))
        assert block.wire() == {"type": "text", "text": "Greet Bo in a warm way."}
        with pytest.raises(ToolError, match="The MCP server toolbox answered with an error"):
            await prompt.messages({})


@on_one_loop
async def test_resources_are_listed_and_read(tmp_path):
    async with joined(tmp_path, toolbox(), odd(tools=[])) as bench:
        assert list(bench.servers.tools)[-3:] == [
            "list_mcp_resource_templates", "list_mcp_resources", "read_mcp_resource"
        ]  # fmt: skip
        listed = "toolbox: note://one (one): text/plain, The first note."
        assert (await bench.call("list_mcp_resources")).output == listed
        assert (await bench.call("list_mcp_resources", server="toolbox")).output == listed
        assert "toolbox: note://of/{name}" in (await bench.call("list_mcp_resource_templates")).output
        read = await bench.call("read_mcp_resource", server="toolbox", uri="note://of/Ann")
        assert read.output == "note://of/Ann:\nA note of Ann."
        assert await bench.refusal("read_mcp_resource", server="odd", uri="x") == (
            "There is no MCP server odd with resources. These have some: toolbox."
        )
        assert "answered with an error" in await bench.refusal("read_mcp_resource", server="toolbox", uri="note://two")


async def test_without_resources_there_are_no_tools_for_them(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("t")])) as bench:
        assert list(bench.servers.tools) == ["odd_t"]


# What goes wrong while it runs.


async def test_a_server_that_died_is_told_and_started_again_by_the_next_call(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("die"), tool("t")])) as bench:
        assert await bench.refusal("odd_die") == (
            "The MCP server odd ended while the call was under way (it ended with exit code 7: out of cheese); what it "
            "did until then is not known. With the next call it is started again."
        )
        await bench.until(lambda: bench.state("odd") == "failed")
        assert bench.servers.untold() == [
            "The MCP server odd cannot be used. It ended with exit code 7: out of cheese."
        ]
        assert list(bench.servers.tools) == ["odd_die", "odd_t"]
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'
        assert bench.state("odd") == "ready"
        assert len(processes()) == 1


async def test_a_server_that_cannot_be_started_again_says_so_at_each_call(tmp_path):
    script = tmp_path / "server.py"
    spec = odd(tools=[tool("die"), tool("t")])
    script.write_text(Path(spec.command[2]).read_text())
    spec = dataclasses.replace(spec, command=(*spec.command[:2], str(script), spec.command[3]))
    async with joined(tmp_path, spec) as bench:
        await bench.refusal("odd_die")
        script.write_text("import sys; sys.exit('gone fishing')")
        for _ in range(2):
            said = await bench.refusal("odd_t")
            assert said == "The MCP server odd cannot be used: it ended with exit code 1: gone fishing."


async def test_a_cancelled_call_is_cancelled_at_the_server_too(tmp_path):
    async with joined(tmp_path, toolbox()) as bench:
        with anyio.fail_after(LONG):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: bench.call("toolbox_wait", folder=str(tmp_path)))
                await until_exists(tmp_path / "begun")
                tasks.cancel_scope.cancel()
        await until_exists(tmp_path / "cancelled")
        assert (await bench.call("toolbox_echo", text="still here")).output == "still here"


async def test_a_call_is_cancelled_at_once_though_the_server_reads_nothing(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("t"), tool("linger")])) as bench:
        (server,) = processes()
        server.suspend()
        begin = time.monotonic()
        for _ in range(4):
            with anyio.move_on_after(0.1):
                await bench.call("odd_t", text="x" * 1_000_000)
        assert time.monotonic() - begin < 4  # the SDK would wait five seconds for the word of each cancellation
        server.resume()


async def test_a_chatty_server_costs_no_memory_and_its_answers_still_arrive(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    async with joined(tmp_path, odd(tools=[tool("flood"), tool("t")]), log=log) as bench:
        before = psutil.Process().memory_info().rss
        await bench.call("odd_flood", count=5000)
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'
        assert psutil.Process().memory_info().rss - before < 40_000_000
        assert len(bench.updates) < 200
        assert bench.changes < 20
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["mcp.joined", "mcp.junk", "mcp.ended"]
    assert json.loads(lines[1])["line"] == "no json"
    assert json.loads(lines[2])["junk"] == 5000


async def test_a_server_that_asks_without_end_is_answered_for_a_while(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("ask"), tool("t")])) as bench:
        await bench.call("odd_ask", count=3000)
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'


async def test_junk_before_and_between_messages_is_passed_over(tmp_path):
    async with joined(
        tmp_path, odd(noise=["", "Starting…", "{}", "[]", "{", "\x1b[31mred"], tools=[tool("t")])
    ) as bench:
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'


async def test_a_line_without_end_is_passed_over(tmp_path):
    async with joined(tmp_path, odd(endless=MAX_LINE + 10, tools=[tool("t")])) as bench:
        assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'


async def test_nothing_of_a_server_reaches_our_own_output(tmp_path, capfd):
    async with joined(tmp_path, odd(tools=[tool("flood"), tool("die")])) as bench:
        await bench.call("odd_flood", count=10)
        await bench.refusal("odd_die")
    assert capfd.readouterr() == ("", "")


# Processes and their surroundings.


@on_one_loop
async def test_a_server_gets_no_key_of_ours_and_what_was_given_for_it(tmp_path):
    environ = {**os.environ, "OPENAI_API_KEY": "sk-secret", "USUAL": "yes"}
    async with joined(tmp_path, toolbox(GIVEN="value"), environ=environ) as bench:
        values = [
            (await bench.call("toolbox_environment", name=name)).output for name in ("OPENAI_API_KEY", "USUAL", "GIVEN")
        ]
        assert values == ["unset", "yes", "value"]
        assert (await bench.call("toolbox_where")).output.split(" ", 1)[1] == str(tmp_path)


@on_one_loop
async def test_a_relative_directory_is_one_of_the_sessions(tmp_path):
    (tmp_path / "sub").mkdir()
    async with joined(tmp_path, dataclasses.replace(toolbox(), cwd="sub")) as bench:
        assert (await bench.call("toolbox_where")).output.split(" ", 1)[1] == str(tmp_path / "sub")


async def test_a_stubborn_server_and_its_child_are_gone_after_the_close(tmp_path, holders):
    async with joined(tmp_path, odd(stubborn=True, up=str(holders.path), tools=[tool("t")])):
        await holders.up()
        assert len(processes()) == 2
        begin = time.monotonic()
    await holders.gone()
    assert processes() == []
    assert time.monotonic() - begin < 5  # 0.3 s and a kill; the SDK itself would wait four


async def test_servers_end_side_by_side(tmp_path):
    specs = [odd(f"s{index}", stubborn=True, tools=[tool("t")]) for index in range(4)]
    async with joined(tmp_path, *specs):
        begin = time.monotonic()
    assert processes() == []
    assert time.monotonic() - begin < 8


async def test_all_are_killed_at_once_when_the_process_must_exit(tmp_path, holders):
    async with joined(tmp_path, odd(stubborn=True, up=str(holders.path), tools=[tool("t")])) as bench:
        await holders.up()
        bench.pool.processes.kill_all_now()
        await holders.gone()


# Sessions.


async def test_two_sessions_never_see_each_others_servers(tmp_path):
    async with (
        pool() as made,
        joining(made, tmp_path, odd("one", tools=[tool("t")])) as first,
        joining(made, tmp_path, odd("two", tools=[tool("t")])) as second,
    ):
        await first.servers.settled(LONG)
        await second.servers.settled(LONG)
        assert [status.name for status in first.servers.status()] == ["one"]
        assert (list(first.servers.tools), list(second.servers.tools)) == (["one_t"], ["two_t"])


async def test_equal_servers_are_one_until_the_last_session_leaves(tmp_path, holders):
    spec = odd(up=str(holders.path), tools=[tool("t")])
    async with pool() as made, joining(made, tmp_path, spec) as first:
        async with joining(made, tmp_path, spec) as second:
            await first.servers.settled(LONG)
            await second.servers.settled(LONG)
            assert len(processes()) == 1
            assert (await second.call("odd_t", a=1)).output == '{"a": 1}'
        assert second.state("odd") == "stopped"
        assert (await first.call("odd_t", a=2)).output == '{"a": 2}'
        await first.servers.close()
        await holders.gone()


@pytest.mark.parametrize("difference", ["name", "argument", "environment", "folder", "variables"])
async def test_servers_that_differ_in_anything_are_two(tmp_path, difference):
    spec = odd(tools=[tool("t")])
    other = {
        "name": dataclasses.replace(spec, name="other"),
        "argument": odd(tools=[tool("u")]),
        "environment": dataclasses.replace(spec, environment=(("A", "b"),)),
    }.get(difference, spec)
    folder = tmp_path / "elsewhere" if difference == "folder" else tmp_path
    folder.mkdir(exist_ok=True)
    environ = {**os.environ, "MORE": "1"} if difference == "variables" else None
    async with (
        pool() as made,
        joining(made, tmp_path, spec) as first,
        joining(made, folder, other, environ=environ) as second,
    ):
        await first.servers.settled(LONG)
        await second.servers.settled(LONG)
        assert len(processes()) == 2


async def test_a_session_that_reconnects_leaves_the_others_alone(tmp_path):
    spec = odd(tools=[tool("t")])
    async with pool() as made, joining(made, tmp_path, spec) as first, joining(made, tmp_path, spec) as second:
        await first.servers.settled(LONG)
        await second.servers.settled(LONG)
        (old,) = processes()
        await second.servers.reconnect("odd")
        await second.servers.settled(LONG)
        assert len(processes()) == 2
        assert (await first.call("odd_t", a=1)).output == '{"a": 1}'
        await first.servers.close()
        assert old not in processes()
        assert (await second.call("odd_t", a=2)).output == '{"a": 2}'
        await second.servers.reconnect("nobody")


async def test_what_died_for_two_sessions_is_started_once_again(tmp_path):
    spec = odd(tools=[tool("die"), tool("t")])
    async with pool() as made, joining(made, tmp_path, spec) as first, joining(made, tmp_path, spec) as second:
        await first.servers.settled(LONG)
        await second.servers.settled(LONG)
        await first.refusal("odd_die")
        for bench in (first, second):
            assert (await bench.call("odd_t", a=1)).output == '{"a": 1}'
        assert len(processes()) == 1


async def test_a_session_that_closes_while_it_joins_leaves_nothing_behind(tmp_path, holders):
    async with pool() as made:
        async with joining(made, tmp_path, odd(up=str(holders.path), silent=True)) as bench:
            await holders.up()
        await holders.gone()
        assert bench.state("odd") == "stopped"
        assert processes() == []


async def test_a_call_after_the_close_is_refused(tmp_path):
    async with joined(tmp_path, odd(tools=[tool("t")])) as bench:
        await bench.servers.close()
        assert await bench.refusal("odd_t") == "The MCP server odd cannot be used: the session ended."
        assert processes() == []


async def test_a_session_without_servers_has_nothing(tmp_path):
    async with pool() as made, joining(made, tmp_path) as bench:
        assert (dict(bench.servers.tools), bench.servers.status(), bench.servers.untold()) == ({}, [], [])
        assert isinstance(bench, Bench)
        assert isinstance(bench.servers, McpServers)
