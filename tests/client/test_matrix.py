"""The same turn with clients that offer different things: the same files, the same outcome, and nothing unasked for."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import RawClient, Rig, call, tools

pytestmark = pytest.mark.anyio

FS_READ = {"readTextFile": True}
FS_WRITE = {"writeTextFile": True}
OFFERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "nothing, in words": {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False},
    "reading": {"fs": FS_READ},
    "writing": {"fs": FS_WRITE},
    "files": {"fs": {**FS_READ, **FS_WRITE}},
    "a terminal": {"terminal": True},
    "terminals of the agent": {"_meta": {"terminal_output": True}},
    "everything": {"fs": {**FS_READ, **FS_WRITE}, "terminal": True, "_meta": {"terminal_output": True}},
}
LINE = "cat a.txt > b.txt; echo 'it is  done'; exit 3"


class EveryClient:
    """A client that can do everything, on the real disk, whatever it says it offers. Its programs end at once."""

    def __init__(self) -> None:
        self.finished: dict[str, subprocess.CompletedProcess[str]] = {}

    def answers(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "fs/read_text_file": lambda params: {"content": Path(params["path"]).read_text()},
            "fs/write_text_file": self._write,
            "terminal/create": self._create,
            "terminal/wait_for_exit": lambda params: {"exitCode": self.finished[params["terminalId"]].returncode},
            "terminal/output": lambda params: {
                "output": self.finished[params["terminalId"]].stdout.replace("\n", "\r\n"),
                "truncated": False,
            },
            "terminal/kill": lambda _params: {},
            "terminal/release": lambda params: self.finished.pop(params["terminalId"]) and {},
        }

    @staticmethod
    def _write(params: Any) -> Any:
        Path(params["path"]).write_text(params["content"])
        return {}

    def _create(self, params: Any) -> Any:
        line = " ".join([params["command"], *params["args"]])  # as two clients do it
        env = {**os.environ, **{each["name"]: each["value"] for each in params["env"]}}
        done = subprocess.run(line, shell=True, cwd=params["cwd"], env=env, capture_output=True, text=True, check=False)
        name = f"term-{len(self.finished)}"
        self.finished[name] = done
        return {"terminalId": name}


def asked(client: RawClient) -> set[str]:
    return {
        message["method"] for who, message in client.lines if who == "agent" and "id" in message and "method" in message
    }


def allowed(offers: dict[str, Any], wanted: bool) -> set[str]:
    fs = offers.get("fs", {})
    terminal = {"create", "wait_for_exit", "output", "kill", "release"} if offers.get("terminal") and wanted else set()
    return {
        *({"fs/read_text_file"} if fs.get("readTextFile") else ()),
        *({"fs/write_text_file"} if fs.get("writeTextFile") else ()),
        *(f"terminal/{name}" for name in terminal),
    }


@pytest.mark.parametrize("wanted", [False, True], ids=["own shell", "client's terminal"])
@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
async def test_a_turn_comes_to_the_same_whatever_the_client_offers(
    tmp_path: Path, offers: dict[str, Any], wanted: bool
) -> None:
    rig = Rig(tmp_path)
    rig.config = {"acp": {"clientTerminal": wanted}}
    (rig.cwd / "a.txt").write_text("one\ntwo\n")
    steps = [
        tools(call("read", filePath="a.txt")),
        tools(call("edit", filePath="a.txt", oldString="two", newString="2")),
        tools(call("bash", command=LINE)),
        "Ok.",
    ]
    every = EveryClient()
    async with rig.client(*steps) as client:
        client.answers.update(every.answers())
        await client.initialize(**offers)
        session = await client.new(rig.cwd)
        assert (await client.prompt(session))["stopReason"] == "end_turn"
        ends = [each for each in client.updates("tool_call_update") if each["status"] in ("completed", "failed")]
        outcome = [(each["name"], each["status"], each.get("rawOutput", {}).get("exitCode")) for each in ends]
        requests = asked(client)
        live = [each for each in client.updates("tool_call_update") if each["name"] == "bash"]

    assert {path.name: path.read_text() for path in rig.cwd.iterdir()} == {"a.txt": "one\n2\n", "b.txt": "one\n2\n"}
    assert outcome == [("read", "completed", None), ("edit", "completed", None), ("bash", "failed", 3)]
    assert ends[1]["content"][0]["newText"] == "one\n2\n"
    assert every.finished == {}, "a terminal was not released"
    assert requests <= allowed(offers, wanted)
    assert {method for method in allowed(offers, wanted) if method != "terminal/kill"} == requests
    assert _shown_as(live) == _expected(offers, wanted)


def _shown_as(live: list[dict[str, Any]]) -> str:
    kinds = {item["type"] for each in live for item in each.get("content", ())}
    if "terminal" not in kinds:
        return "text"
    return "own terminal" if any("terminal_exit" in each.get("_meta", {}) for each in live) else "client's terminal"


def _expected(offers: dict[str, Any], wanted: bool) -> str:
    if wanted and offers.get("terminal"):
        return "client's terminal"
    return "own terminal" if "_meta" in offers else "text"


@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
async def test_the_model_is_told_the_same(tmp_path: Path, offers: dict[str, Any]) -> None:
    rig = Rig(tmp_path)
    rig.config = {"acp": {"clientTerminal": True}}
    (rig.cwd / "a.txt").write_text("one\n")
    every = EveryClient()
    async with rig.client(tools(call("bash", command=LINE)), "Ok.") as client:
        client.answers.update(every.answers())
        await client.initialize(**offers)
        session = await client.new(rig.cwd)
        await client.prompt(session)
        await client.call("session/close", {"sessionId": session})
        before = len(client.updates())
        await client.call("session/load", {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []})
        replayed = [each for each in client.updates()[before:] if each.get("toolCallId")]
    if "_meta" in offers:
        shown, filled = replayed
        assert shown["content"] == filled["content"] == [{"type": "terminal", "terminalId": shown["toolCallId"]}]
        assert filled["_meta"]["terminal_output"]["data"] == "it is  done\n"
        assert filled["_meta"]["terminal_exit"]["exit_code"] == 3
    else:
        (shown,) = replayed
        text = re.sub(r"after .* s", "after … s", shown["content"][0]["content"]["text"])
        assert text == "```\nit is  done\n```\n[exit code 3 after … s]"
    assert "acp-agent/terminal" not in str(client.lines)
