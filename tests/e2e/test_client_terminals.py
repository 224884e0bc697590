"""Commands as clients show them: terminals that the agent owns, and terminals that the client runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import eventually
from tests.e2e.process import AgentProcess, vendor_config
from tests.e2e.test_turn import call_updates, tool_results
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call

pytestmark = pytest.mark.e2e

COLOURED = r"printf '\033[32mgreen\033[0m\n'; for i in 1 2 3; do echo $i; sleep 0.15; done; printf 'end'; exit 3"


def bash(command: str, **more: Any) -> Answer:
    return Answer(calls=[Call("bash", json.dumps({"command": command, **more}))])


def printed(updates: list[dict[str, Any]]) -> str:
    return "".join(
        each["_meta"]["terminal_output"]["data"] for each in updates if "terminal_output" in each.get("_meta", {})
    )


def test_a_client_that_knows_terminals_of_the_agent_sees_one_live_and_again_in_a_replay(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    agent = spawn(vendor_config(vendor), initialize=False)
    agent.initialize(_meta={"terminal_output": True}, terminal=True)
    vendor.replies += [bash(COLOURED), Answer("Done.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    (pending,) = agent.updates(session, "tool_call")
    call = pending["toolCallId"]
    terminal = [{"type": "terminal", "terminalId": call}]
    assert pending["_meta"] == {"terminal_info": {"terminal_id": call}}
    updates = call_updates(agent, session)
    first = next(each for each in updates if "content" in each)
    assert (first["content"], first["_meta"]["terminal_info"]) == (terminal, {"terminal_id": call, "cwd": str(project)})
    assert printed(updates) == "\x1b[32mgreen\x1b[0m\n1\n2\n3\nend"
    assert sum("terminal_output" in each.get("_meta", {}) for each in updates) >= 3, "it comes while the command runs"
    last = updates[-1]
    assert (last["status"], last["content"]) == ("failed", terminal)
    assert last["_meta"]["terminal_exit"] == {"terminal_id": call, "exit_code": 3, "signal": None}
    assert "```" not in json.dumps(updates), "never both"
    assert [line for line in agent.lines if str(line.message.get("method", "")).startswith("terminal/")] == []

    agent.call("session/close", {"sessionId": session})
    shown, filled = (each for each in agent.load(session, project) if each.get("toolCallId") == call)
    assert (shown["sessionUpdate"], shown["content"]) == ("tool_call", terminal)
    assert filled["content"] == terminal
    assert filled["_meta"]["terminal_output"]["data"] == "green\n1\n2\n3\nend\n"
    assert filled["_meta"]["terminal_exit"]["exit_code"] == 3


def test_a_cancelled_command_ends_the_terminal_that_it_is_shown_in(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor), initialize=False)
    agent.initialize(_meta={"terminal_output": True})
    vendor.replies += [bash("echo begun; exec sleep 60")]
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.see_output(session, "begun")
    agent.cancel(session)
    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    last = call_updates(agent, session)[-1]
    assert last["status"] == "failed"
    assert last["_meta"]["terminal_exit"] == {"terminal_id": last["toolCallId"], "exit_code": None, "signal": None}


def test_a_megabyte_that_is_printed_at_once_reaches_a_terminal_of_the_agents_whole(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    agent = spawn(vendor_config(vendor), initialize=False)
    agent.initialize(_meta={"terminal_output": True})
    vendor.replies += [bash("seq 1 150000; exit 3"), Answer("Done.")]
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    assert printed(call_updates(agent, session)) == "".join(f"{number}\n" for number in range(1, 150_001))


class Terminals:
    """The client's side of `terminal/*` with real programs. `joined`: arguments are joined unquoted for a shell."""

    def __init__(self, agent: AgentProcess, folder: Path, *, joined: bool) -> None:
        self._agent = agent
        self._folder = folder
        self._joined = joined
        self.running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[int] = []
        self._threads: list[threading.Thread] = []
        names = ("create", "wait_for_exit", "output", "kill", "release")
        agent.answers.update({f"terminal/{name}": self._answer(name) for name in names})

    def _answer(self, name: str) -> Any:
        def answer(params: Any) -> Any:
            self.asked.append((name, params))
            return getattr(self, f"_{name}")(params)

        return answer

    def _create(self, params: Any) -> Any:
        name = f"term-{len(self.asked)}"
        output = self._folder / name
        argv = [params["command"], *params["args"]]
        with output.open("wb") as file:
            program = subprocess.Popen(
                ["sh", "-c", " ".join(argv)] if self._joined else argv,
                cwd=params["cwd"],
                env={**os.environ, **{each["name"]: each["value"] for each in params["env"]}},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.running[name] = program, output
        return {"terminalId": name}

    def _wait_for_exit(self, params: Any) -> None:
        id = self._agent.lines[-1].message["id"]
        program = self.running[params["terminalId"]][0]

        def wait() -> None:
            code = program.wait()
            self.statuses.append(code)
            result = {"exitCode": code} if code >= 0 else {"signal": signal.Signals(-code).name}
            self._agent.send({"jsonrpc": "2.0", "id": id, "result": result})

        self._threads.append(threading.Thread(target=wait))
        self._threads[-1].start()

    def _output(self, params: Any) -> Any:
        return {"output": self.running[params["terminalId"]][1].read_text(), "truncated": False}

    def _kill(self, params: Any) -> Any:
        os.killpg(self.running[params["terminalId"]][0].pid, signal.SIGKILL)
        return {}

    def _release(self, params: Any) -> Any:
        program = self.running.pop(params["terminalId"])[0]
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
        return {}

    @property
    def methods(self) -> list[str]:
        return [name for name, _ in self.asked]

    def close(self) -> None:
        for thread in self._threads:
            thread.join(10)
        assert self.running == {}, "a terminal was not released"


WANTED = {"acp": {"clientTerminal": True}}


@pytest.fixture(params=[False, True], ids=["executes", "joins"])
def terminals(request: pytest.FixtureRequest, spawn: Spawn, vendor: Vendor, tmp_path: Path) -> Iterator[Any]:
    """A process whose client runs the commands, and that client's terminals."""
    scripts = tmp_path / "tmp"
    scripts.mkdir()
    agent = spawn(vendor_config(vendor, **WANTED), initialize=False, environment={"TMPDIR": str(scripts)})
    agent.initialize(terminal=True)
    found = Terminals(agent, tmp_path, joined=request.param)
    yield agent, found
    found.close()
    eventually(lambda: not any(scripts.iterdir()), "the removal of every script", 5)


def test_a_command_runs_in_the_clients_terminal_if_a_person_asks_for_that(
    terminals: tuple[AgentProcess, Terminals], vendor: Vendor, project: Path
) -> None:
    agent, client = terminals
    line = "printf '%s|' \"a  b\" 'c\"d' '$HOME'; pwd; exit 3"
    vendor.replies += [bash(line), Answer("Done.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert client.methods == ["create", "wait_for_exit", "output", "release"]
    created = client.asked[0][1]
    assert (created["sessionId"], created["cwd"]) == (session, str(project))
    assert created["command"] == "sh"
    assert f'a  b|c"d|$HOME|{project}' in str(tool_results(vendor)[-1])
    assert "exit code 3" in str(tool_results(vendor)[-1])
    own = {"type": "terminal", "terminalId": "term-1"}
    updates = call_updates(agent, session)
    assert [each["content"][0] for each in updates if "content" in each] == [own, own]
    shown = next(
        n for n, line in enumerate(agent.lines) if "term-1" in str(line.message.get("params", {}).get("update"))
    )
    released = next(n for n, line in enumerate(agent.lines) if line.message.get("method") == "terminal/release")
    assert shown < released


def test_a_command_in_the_clients_terminal_that_takes_too_long_is_killed_there(
    terminals: tuple[AgentProcess, Terminals], vendor: Vendor, project: Path
) -> None:
    agent, client = terminals
    vendor.replies += [bash("echo begun; exec sleep 60", timeout=1000), Answer("Done.")]
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    assert client.methods == ["create", "wait_for_exit", "kill", "output", "release"]
    assert "begun" in str(tool_results(vendor)[-1])
    assert "timed out after 1 s" in str(tool_results(vendor)[-1])


def test_a_cancelled_turn_gives_the_clients_terminal_back_and_takes_its_question_back(
    terminals: tuple[AgentProcess, Terminals], vendor: Vendor, project: Path
) -> None:
    agent, client = terminals
    vendor.replies += [bash("exec sleep 60")]
    session = agent.new(project)
    prompt = agent.ask(session)
    asked = agent.see_request(session, "terminal/wait_for_exit")
    agent.cancel(session)
    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    assert client.methods[-2:] == ["kill", "release"]
    taken_back = [line.message["params"] for line in agent.lines if line.message.get("method") == "$/cancel_request"]
    assert {"requestId": asked["id"]} in taken_back


def test_a_terminal_that_the_client_names_long_after_the_cancellation_is_killed_and_released(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    agent = spawn(vendor_config(vendor, **WANTED), initialize=False)
    agent.initialize(terminal=True)
    agent.answers.update({f"terminal/{name}": lambda _: None for name in ("create", "kill", "release")})
    vendor.replies += [bash("sleep 60")]
    session = agent.new(project)
    prompt = agent.ask(session)
    asked = agent.see_request(session, "terminal/create")
    agent.cancel(session)
    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    agent.call("session/close", {"sessionId": session})
    agent.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"terminalId": "late"}})
    for method in ("terminal/kill", "terminal/release"):
        assert agent.see_request(session, method)["params"] == {"sessionId": session, "terminalId": "late"}


def test_a_client_without_terminals_is_not_asked_for_one(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor, **WANTED))
    vendor.replies += [bash("echo here"), Answer("Done.")]
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    assert "here" in str(tool_results(vendor)[-1])
    assert [line for line in agent.lines if str(line.message.get("method", "")).startswith("terminal/")] == []


def test_a_project_cannot_have_its_commands_run_by_the_client(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    (project / "opencode.json").write_text(json.dumps(WANTED))
    agent = spawn(vendor_config(vendor), initialize=False)
    agent.initialize(terminal=True)
    vendor.replies += [bash("echo here"), Answer("Done.")]
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    assert [line for line in agent.lines if str(line.message.get("method", "")).startswith("terminal/")] == []
