"""acpx, a client for the command line, drives the real process. What it sends and gets stands in the agent's trace."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.nodejs import ACPX, HERE
from tests.clients.stand import DEADLINE, Stand
from tests.clients.wire import Wire
from tests.harness import call, tools

pytestmark = pytest.mark.clients

DENIED = 5
"""The exit status of acpx when a permission was refused."""


class Acpx:
    """The program, with a home and a project of its own. After the first prompt of a session one agent serves all its
    commands, until the session is closed."""

    def __init__(self, stand: Stand, *hidden: str) -> None:
        self.stand = stand
        self._open = False
        self.agent = shlex.join([sys.executable, str(HERE / "launch.py"), str(stand.traces), *hidden])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command."""
        fixed = ["--agent", self.agent, "--cwd", str(self.stand.project), "--ttl", "20"]
        return self.stand.start(str(ACPX), *fixed, *arguments)

    def new(self, *more: str) -> str:
        """Open a session for the commands that follow; gives its id."""
        self._open = True
        return self.run("sessions", "new", *more).strip()

    def close(self) -> None:
        """Close the session, if one is open: its agent ends."""
        if self._open:
            self._open = False
            self.run("sessions", "close")

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a command to its end; gives what it printed."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == status, f"acpx {arguments} ended with {process.returncode}\n{out}\n{err}"
        return out

    def json(self, *arguments: str, status: int = 0) -> list[Any]:
        """Run a command; gives the JSON lines that it printed, and there is nothing else."""
        return [
            json.loads(line)
            for line in self.run("--format", "json", "--json-strict", *arguments, status=status).splitlines()
        ]

    def wires(self) -> list[Wire]:
        """The wire of each agent process so far, in the order of their start; each is checked."""
        files = [file.read_text(encoding="utf-8").splitlines() for file in self.stand.traces.iterdir()]
        traces = sorted(([json.loads(line) for line in file] for file in files), key=lambda trace: trace[0]["time"])
        wires = [Wire([(line["from"], line["message"]) for line in trace]) for trace in traces]
        for wire in wires:
            wire.check()
        return wires


@pytest.fixture
def acpx(stand: Stand) -> Iterator[Acpx]:
    """acpx; the session that a test leaves open is closed."""
    acpx = Acpx(stand)
    yield acpx
    acpx.close()


def options(wire: Wire) -> list[dict[str, Any]]:
    return [{each["id"]: each["currentValue"] for each in result["configOptions"]}
            for result in wire.results("session/set_config_option")]  # fmt: skip


def test_one_prompt_streams_text(acpx: Acpx) -> None:
    acpx.stand.script("Grüße aus dem Skript.")

    lines = acpx.json("exec", "hi")

    chunks = [line["params"]["update"] for line in lines if line.get("method") == "session/update"]
    text = [chunk["content"]["text"] for chunk in chunks if chunk["sessionUpdate"] == "agent_message_chunk"]
    assert "".join(text) == "Grüße aus dem Skript."
    assert len(text) > 1
    assert lines[-1]["result"]["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("how", "status", "outcome"),
    [
        (["--approve-all"], 0, {"outcome": "selected", "optionId": "allow_once"}),
        (["--deny-all"], DENIED, {"outcome": "selected", "optionId": "reject_once"}),
        (["--non-interactive-permissions", "fail"], DENIED, {"outcome": "cancelled"}),
    ],
    ids=["allowed", "rejected", "cancelled"],
)
def test_a_permission_is_asked_for_and_obeyed(acpx: Acpx, how: list[str], status: int, outcome: Any) -> None:
    acpx.stand.config["permission"] = {"bash": "ask"}
    acpx.stand.script(tools(call("bash", command="echo ran > ran", description="run"), text="I run it."), "Done.")

    out = acpx.run(*how, "exec", "run it", status=status)

    assert "Done." in out
    assert "[done] end_turn" in out
    [wire] = acpx.wires()
    answers = [
        message["result"]["outcome"] for who, message in wire.messages if who == "client" and "result" in message
    ]
    assert answers == [outcome]
    assert (acpx.stand.project / "ran").exists() is (status == 0)


def test_files_are_read_and_written_through_the_client(acpx: Acpx) -> None:
    file = acpx.stand.project / "a.txt"
    file.write_text("old\n")
    acpx.stand.script(
        tools(call("read", filePath="a.txt")),
        tools(call("edit", filePath="a.txt", oldString="old", newString="new")),
        tools(call("write", filePath="more/b.txt", content="fresh\n")),
        "Done.",
    )

    acpx.run("--approve-all", "exec", "go")

    [wire] = acpx.wires()
    assert wire.asked("fs/read_text_file")[0]["path"] == str(file)
    assert [each["content"] for each in wire.asked("fs/write_text_file")] == ["new\n", "fresh\n"]
    assert file.read_text() == "new\n"
    assert (acpx.stand.project / "more" / "b.txt").read_text() == "fresh\n"


def test_a_client_without_files_leaves_them_to_the_agent(acpx: Acpx) -> None:
    (acpx.stand.project / "a.txt").write_text("old\n")
    acpx.stand.script(tools(call("edit", filePath="a.txt", oldString="old", newString="new")), "Done.")

    acpx.run("--approve-all", "--no-fs", "exec", "go")

    [wire] = acpx.wires()
    assert not [kind for kind in wire.kinds() if kind.startswith("fs/")]
    assert (acpx.stand.project / "a.txt").read_text() == "new\n"


def test_a_turn_is_cancelled_and_the_session_goes_on(acpx: Acpx) -> None:
    acpx.stand.script({"text": "Working on it.", "hold": True}, "Next.")
    acpx.new()
    prompt = acpx.start("--format", "json", "--json-strict", "prompt", "work")
    until_printed(prompt, "Working")

    assert "cancel requested" in acpx.run("cancel")

    rest, err = prompt.communicate(timeout=DEADLINE)
    assert (json.loads(rest.splitlines()[-1])["result"], err) == ({"stopReason": "cancelled"}, "")
    assert "Next." in acpx.run("prompt", "and now?")
    [_, wire] = acpx.wires()
    assert [each["stopReason"] for each in wire.results("session/prompt")] == ["cancelled", "end_turn"]


def until_printed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} was not printed")


def test_a_session_is_resumed_without_replay_listed_and_closed(acpx: Acpx) -> None:
    acpx.stand.script("Hello.", "More.")
    session = acpx.new()
    assert "Hello." in acpx.run("prompt", "Please mend the build")
    [listed] = acpx.json("sessions", "list")
    acpx.close()
    assert acpx.new("--resume-session", session) == session

    [first, second, third, fourth] = acpx.wires()
    assert first.sent("session/new")
    assert [each["sessionId"] for each in second.sent("session/resume")] == [session]
    assert second.results("session/close") == [{}]
    assert third.sent("session/list") == [{}]
    assert not fourth.shown("_chunk", "session/resume")
    titles = [update["title"] for update in second.updates("session_info_update")]
    assert [(each["sessionId"], each["title"]) for each in listed["sessions"]] == [(session, titles[-1])]


def test_a_session_is_loaded_where_it_cannot_be_resumed(stand: Stand) -> None:
    acpx = Acpx(stand, "resume")
    stand.script("Hello.", "More.")
    session = acpx.new()
    try:
        acpx.run("prompt", "hi")
        acpx.close()
        assert acpx.new("--resume-session", session) == session
    finally:
        acpx.close()

    empty, full = (wire for wire in acpx.wires() if wire.sent("session/load"))
    for wire in (empty, full):
        assert [each["sessionId"] for each in wire.sent("session/load")] == [session]
    assert not empty.shown("_chunk", "session/load")
    assert full.shown("agent_message_chunk", "session/load")


def test_a_session_that_the_agent_has_forgotten_is_replaced_by_a_new_one(acpx: Acpx) -> None:
    acpx.stand.script("Hello.")
    session = acpx.new()
    [store] = acpx.stand.home.rglob("sessions.db")
    forget(store)

    assert "Hello." in acpx.run("prompt", "hi")

    wire = acpx.wires()[-1]
    assert [each["error"]["code"] for each in wire.answers("session/resume")] == [-32002]
    assert wire.results("session/new")[0]["sessionId"] != session


def forget(store: Path) -> None:
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()


def test_mode_model_and_options_are_set(acpx: Acpx) -> None:
    acpx.stand.script("Hello.", "More.")
    acpx.new()
    acpx.run("prompt", "hi")

    acpx.run("set-mode", "plan")
    acpx.run("set", "model", "scripted/other")
    [told] = acpx.json("set", "mode", "build")
    status = acpx.run("status")
    assert "More." in acpx.run("prompt", "still there?")

    wire = acpx.wires()[-1]
    assert wire.sent("session/set_mode")[0]["modeId"] == "plan"
    assert options(wire) == [{"model": "scripted/other", "mode": "plan"}, {"model": "scripted/other", "mode": "build"}]
    assert {each["id"] for each in told["configOptions"]} == {"model", "mode"}
    assert "model: scripted/other" in status


def test_a_model_is_chosen_at_the_start(acpx: Acpx) -> None:
    acpx.stand.script("Hello.")

    acpx.run("--model", "scripted/other", "exec", "hi")

    [wire] = acpx.wires()
    assert [(each["configId"], each["value"]) for each in wire.sent("session/set_config_option")] == [
        ("model", "scripted/other")
    ]


def test_a_model_that_does_not_exist_is_refused_with_the_ones_that_do(acpx: Acpx) -> None:
    process = acpx.start("--model", "scripted/none", "exec", "hi")
    out, err = process.communicate(timeout=DEADLINE)

    assert process.returncode == 1
    assert "scripted/demo" in out + err
