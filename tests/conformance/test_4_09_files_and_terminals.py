"""Section 4.9, rules 89 to 95: the client's files and terminals."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.terminals import Terminals
from tests.conformance.transcript import EVERYTHING, assert_calls_go_their_way, settle, updates_of, written
from tests.harness import RawClient, Rig, call, tools

pytestmark = pytest.mark.anyio

posix = pytest.mark.skipif(sys.platform == "win32", reason="a client's terminal is used with a POSIX shell only")


class Buffers:
    """An editor's files: buffers over the disk."""

    def __init__(self, client: RawClient, **texts: str) -> None:
        self.texts = texts
        client.answers["fs/read_text_file"] = self._read
        client.answers["fs/write_text_file"] = self._write

    def _read(self, params: Any) -> Any:
        path = Path(params["path"])
        return {"content": self.texts.get(path.stem, path.read_text() if path.exists() else "")}

    def _write(self, params: Any) -> Any:
        path = Path(params["path"])
        self.texts[path.stem] = params["content"]
        path.write_text(params["content"])
        return {}


def _edit() -> Any:
    """Read a file, change it, list, search, and run something."""
    return (
        tools(call("read", filePath="a.txt"), call("grep", pattern="one"), call("glob", pattern="*")),
        tools(call("edit", filePath="a.txt", oldString="one", newString="1")),
        tools(call("bash", command="echo printed", description="prints")),
        "Done.",
    )


def asked(client: RawClient, prefix: str) -> list[Any]:
    """The agent's requests whose method begins so."""
    return [line for line in written(client) if "id" in line and line.get("method", "").startswith(prefix)]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("read", [False, True])
async def test_rule_089_files_and_terminals_of_the_client_are_used_only_where_offered_each_by_itself(
    rig: Rig, read: bool, write: bool, terminal: bool
) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    rig.config = {"acp": {"clientTerminal": True}}
    async with rig.client(*_edit()) as client:
        Buffers(client)
        Terminals(client)
        await client.initialize(fs={"readTextFile": read, "writeTextFile": write}, terminal=terminal)
        assert (await client.prompt(await client.new(rig.cwd)))["stopReason"] == "end_turn"
        assert (rig.cwd / "a.txt").read_text() == "1\n"
        assert "printed" in json.dumps(client.updates("tool_call_update")) or terminal
        assert bool(asked(client, "fs/read_text_file")) is read
        assert bool(asked(client, "fs/write_text_file")) is write
        assert bool(asked(client, "terminal/")) is (terminal and sys.platform != "win32")


async def test_rule_089_a_terminal_is_not_used_unless_the_configuration_asks_for_it(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    async with rig.client(*_edit()) as client:
        Buffers(client)
        await client.initialize(**EVERYTHING)
        await client.prompt(await client.new(rig.cwd))
        assert asked(client, "terminal/") == []
        assert "printed" in json.dumps(client.updates("tool_call_update"))


async def test_rule_090_client_files_are_asked_for_by_absolute_path_and_what_is_unsaved_counts(rig: Rig) -> None:
    (rig.cwd / "sub").mkdir()
    (rig.cwd / "sub" / "a.txt").write_text("saved\n")
    read = tools(call("read", filePath="sub/a.txt"), call("read", filePath="sub/a.txt", offset=1, limit=1))
    write = tools(call("write", filePath="deep/new/b.txt", content="b\n"))
    async with rig.client(read, write, "Done.") as client:
        Buffers(client, a="unsaved\n")
        await client.initialize(**EVERYTHING)
        session = await client.new(rig.cwd)
        await client.prompt(session)
        requests = asked(client, "fs/")
        assert requests
        for request in requests:
            params = request["params"]
            assert params["sessionId"] == session
            assert os.path.isabs(params["path"])
            assert params.get("line") is None or params["line"] >= 1
            assert params.get("limit") is None or params["limit"] >= 0
        shown = json.dumps(client.updates("tool_call_update"))
        assert "unsaved" in shown
        assert (rig.cwd / "deep/new/b.txt").read_text() == "b\n"


@pytest.fixture
def lent(rig: Rig) -> Rig:
    """A configuration that asks for the client's terminals."""
    rig.config = {"acp": {"clientTerminal": True}}
    return rig


def _bash(line: str, **more: Any) -> Any:
    return tools(call("bash", command=line, description="x", **more))


async def _run(client: RawClient, rig: Rig, *, end: bool = True) -> tuple[str, Any]:
    await client.initialize(terminal=True)
    session = await client.new(rig.cwd)
    prompt = await client.begin("session/prompt", client.text_prompt(session))
    if end:
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
    return session, prompt


def _methods(client: RawClient) -> list[str]:
    return [line["method"] for line in asked(client, "terminal/")]


@posix
@pytest.mark.parametrize("how", ["end", "status", "cancel", "error", "timeout"])
async def test_rule_091_every_terminal_is_released_however_its_command_ends(lent: Rig, how: str) -> None:
    line = {"end": "echo hi", "status": "exit 3", "error": "echo hi"}.get(how, "sleep 60")
    more = {"timeout": 200} if how == "timeout" else {}
    async with lent.client(_bash(line, **more), "Done.") as client:
        terminals = Terminals(client, silent=how in ("cancel", "timeout"))
        if how == "error":
            client.answers.pop("terminal/wait_for_exit")
        session, prompt = await _run(client, lent, end=how not in ("cancel", "error"))
        if how == "cancel":
            await client.see_method("terminal/wait_for_exit")
            await client.notify("session/cancel", {"sessionId": session})
        if how == "error":
            waiting = await client.see_method("terminal/wait_for_exit")
            await client.send({"jsonrpc": "2.0", "id": waiting["id"], "error": {"code": -32603, "message": "lost"}})
        assert "result" in await client.response(prompt)
        await settle(client)
        assert terminals.open == []
        methods = _methods(client)
        assert methods.count("terminal/release") == methods.count("terminal/create") == 1
        assert methods[-1] == "terminal/release", "nothing is asked of a terminal that was given back"
        assert_calls_go_their_way(written(client), session)


@posix
async def test_rule_092_a_command_that_takes_too_long_is_killed_read_and_released(lent: Rig) -> None:
    async with lent.client(_bash("echo so far; sleep 60", timeout=300), "Done.") as client:
        Terminals(client, silent=True)
        session, _ = await _run(client, lent)
        assert _methods(client) == [
            "terminal/create",
            "terminal/wait_for_exit",
            "terminal/kill",
            "terminal/output",
            "terminal/release",
        ]
        last = [update for _, update in updates_of(written(client), session, "tool_call_update")][-1]
        assert last["status"] == "failed"
        assert "so far" in json.dumps(last)


@posix
async def test_rule_093_a_terminal_is_embedded_before_it_is_released(lent: Rig) -> None:
    async with lent.client(_bash("echo hi"), "Done.") as client:
        Terminals(client)
        session, _ = await _run(client, lent)
        lines = written(client)
        shown = [
            place
            for place, update in updates_of(lines, session, "tool_call_update")
            if {"type": "terminal", "terminalId": "terminal-1"} in (update.get("content") or [])
        ]
        released = next(at for at, line in enumerate(lines) if line.get("method") == "terminal/release")
        assert shown
        assert shown[0] < released


@posix
async def test_rule_094_the_limit_is_named_and_output_that_the_client_cut_is_told_as_cut(lent: Rig) -> None:
    lent.provider = provider = Scripted([_bash("echo the end"), {"text": "Done."}])
    async with lent.client() as client:
        Terminals(client, truncated=True)
        await _run(client, lent)
        created = asked(client, "terminal/create")[0]["params"]
        assert created["outputByteLimit"] > 0
        assert os.path.isabs(created["cwd"])
        told = repr(provider.requests[-1].history)
        assert "the end" in told
        assert "left out" in told, "the model must not take a part for the whole"


@pytest.mark.parametrize("code", [-32603, -32002, -32601])
async def test_rule_095_an_error_of_the_client_costs_one_call_at_most(rig: Rig, code: int) -> None:
    (rig.cwd / "a.txt").write_text("one\n")
    rig.config = {"acp": {"clientTerminal": True}}
    async with rig.client(*_edit()) as client:
        await client.initialize(**EVERYTHING)
        session = await client.new(rig.cwd)
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        refused: set[str] = set()

        def open_questions() -> list[Any]:
            found = [line for line in written(client) if "id" in line and "method" in line]
            return [line for line in found if line["id"] not in refused]

        while True:
            await client.until(
                lambda: bool(open_questions()) or any(line.get("id") == prompt for line in written(client))
            )
            if not open_questions():
                break
            for line in open_questions():
                refused.add(line["id"])
                await client.send({"jsonrpc": "2.0", "id": line["id"], "error": {"code": code, "message": "no\nno"}})
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert refused
        assert_calls_go_their_way(written(client), session)
        assert client.said().endswith("Done.")
