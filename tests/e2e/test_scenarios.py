"""The scenarios of the hostile wire cases, by their names there."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import PeerError, eventually
from tests.e2e.process import AgentProcess, scripted_config, vendor_config
from tests.e2e.test_turn import bash, call_updates, choose, tool_results
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer

pytestmark = pytest.mark.e2e

ASK = '{"permission": {"bash": "ask"}}'


def test_permission_double_answer(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    (project / "opencode.json").write_text(ASK)
    vendor.replies += [Answer(calls=[bash("echo once >> ran")]), Answer("Done.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    request = agent.see_request(session, "session/request_permission")
    results = [choose(option)(None) for option in ("allow_once", "allow_once", "reject_once")]

    agent.send(*({"jsonrpc": "2.0", "id": request["id"], "result": result} for result in results))

    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}
    assert (project / "ran").read_text() == "once\n"
    assert call_updates(agent, session)[-1]["status"] == "completed"


def test_permission_error(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    def refuse(_params: object) -> None:
        raise PeerError(-32603, "The dialog broke.")

    (project / "opencode.json").write_text(ASK)
    vendor.replies += [Answer(calls=[bash("echo once >> ran")]), Answer("Then not.")]
    agent.answers["session/request_permission"] = refuse
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert not (project / "ran").exists()
    assert call_updates(agent, session)[-1]["status"] == "failed"
    assert "The dialog broke." in tool_results(vendor)[0]


def test_cancel_idle_then_prompt(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    vendor.replies.append(Answer("As ever."))
    session = agent.new(project)
    agent.cancel(session)

    assert agent.prompt(session) == "end_turn"


def test_pipeline_1000(spawn: Spawn) -> None:
    agent = spawn()
    requests = [agent.request("session/list", {}) for _ in range(1000)]
    mark = len(agent.lines)

    agent.send(*requests)

    for request in requests:
        agent.answered(request["id"])
    answers = Counter(line.message["id"] for line in agent.lines[mark:] if "method" not in line.message)
    assert answers == dict.fromkeys((request["id"] for request in requests), 1)


def test_duplicate_id_types(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    first, second = agent.new(project), agent.new(project)
    vendor.replies += [Answer("Number.", pause=Event()), Answer("Text.", pause=Event())]
    agent.begin("session/prompt", agent.text_prompt(first), id=1)
    agent.see_text(first, "Number.")
    agent.begin("session/prompt", agent.text_prompt(second), id="1")
    agent.see_text(second, "Text.")

    agent.notify("$/cancel_request", {"requestId": "1"})
    assert agent.response("1")["result"] == {"stopReason": "cancelled"}
    assert not agent.is_answered(1)

    agent.notify("$/cancel_request", {"requestId": 1})
    assert agent.response(1)["result"] == {"stopReason": "cancelled"}


def test_stdin_eof_midline(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor))
    vendor.replies.append(Answer("Wait. ", calls=[bash("setsid sleep 999 & echo ready; sleep 999")]))
    session = agent.new(project)
    agent.ask(session)
    agent.see_output(session, "ready")
    agent.write(b'{"jsonrpc":"2.0","method":"session/can')

    assert agent.end_of_input() < 5

    assert agent.returncode == 0
    eventually(lambda: not agent.offspring(), "the end of every child", 0.5)
    again = spawn(vendor_config(vendor))
    kinds = [update["sessionUpdate"] for update in again.load(session, project)]
    assert kinds[:2] == ["user_message_chunk", "agent_message_chunk"]
    assert "tool_call" in kinds


def test_stdout_blocked(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    """Scaled down to 100 MB; `test_stopped_reader.py` has the model's stream as well."""
    agent = spawn(vendor_config(vendor))
    session = agent.new(project)
    before = agent.rss()
    vendor.replies += [Answer(calls=[bash("head -c 100000000 /dev/zero | tr '\\0' x")]), Answer("Done.")]
    agent.stop_reading()
    prompt = agent.ask(session)
    vendor.wait_for_requests(2, 30)

    assert agent.rss() - before < 100_000_000

    agent.go_on_reading()
    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}


def test_stderr_blocked(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    """A full pipe on stderr: whatever would write there must not stop the agent."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while os.write(writer, b"x" * 65536):
                pass
        os.set_blocking(writer, True)
        agent = spawn(scripted_config(tmp_path / "script.json", "Hello."), stderr=writer)
        session = agent.new(project)

        assert agent.prompt(session) == "end_turn"
    finally:
        os.close(reader)
        os.close(writer)


def test_sigint_turn(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    """To the whole group, as a terminal sends it; `test_exit.py` sends it to the process alone."""
    agent = spawn(vendor_config(vendor))
    vendor.replies.append(Answer("Working.", pause=Event()))
    session = agent.new(project)
    agent.ask(session)
    agent.see_text(session, "Working.")

    os.killpg(agent.pid, signal.SIGINT)

    assert agent.ended.wait(5)
    agent.join()
    eventually(lambda: agent.returncode is not None, "the exit")
    assert agent.returncode == 0


def test_sigkill_tool_load(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor))
    vendor.replies.append(Answer("", calls=[bash("echo ready; sleep 999")]))
    session = agent.new(project)
    agent.ask(session)
    agent.see_output(session, "ready")
    agent.kill()

    again = spawn(vendor_config(vendor))
    (call,) = [update for update in again.load(session, project) if update["sessionUpdate"] == "tool_call"]
    assert call["status"] == "failed"
    vendor.replies.append(Answer("Going on."))
    assert again.prompt(session) == "end_turn"
    roles = [message["role"] for message in vendor.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a running process can only be set on Linux")
def test_fd_exhaustion(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    agent = spawn(scripted_config(tmp_path / "script.json", "Hello."))
    assert agent.error("session/new", {"cwd": "relative", "mcpServers": []})["code"] == -32602  # all is loaded
    usual = agent.as_seen.rlimit(resource.RLIMIT_NOFILE)
    agent.as_seen.rlimit(resource.RLIMIT_NOFILE, (agent.as_seen.num_fds(), usual[1]))

    error = agent.error("session/new", {"cwd": str(project), "mcpServers": []})

    assert error["code"] == -32603
    agent.as_seen.rlimit(resource.RLIMIT_NOFILE, usual)
    assert agent.prompt(agent.new(project)) == "end_turn"


def test_tool_output_invalid_utf8(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    os.mkfifo(project / "gate")
    line = r"printf 'a\xff\xfeb ready \xe2\x82'; read x < gate; printf '\xac c \xed\xa0\x80'"
    vendor.replies += [Answer(calls=[bash(line)]), Answer("Done.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.see_output(session, "ready")
    (project / "gate").write_text("go\n")

    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}

    (result,) = tool_results(vendor)
    assert "a\ufffd\ufffdb ready \u20ac c" in result
    assert "\u20ac c" in json.dumps(call_updates(agent, session)[-1], ensure_ascii=False)


def test_fork_bomb(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    """It is asked about whatever the rules allow, and a refusal is the end of it.

    Really running it needs a limit on processes that binds the superuser too, which a test cannot set everywhere.
    """
    (project / "opencode.json").write_text('{"permission": {"*": "allow", "bash": {"*": "allow"}}}')
    vendor.replies += [Answer(calls=[bash(":(){ :|:& };:")]), Answer("Then not.")]
    agent.answers["session/request_permission"] = choose("reject_once")
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    request = agent.see_request(session, "session/request_permission")
    assert "allow_always" not in [option["optionId"] for option in request["params"]["options"]]
    assert call_updates(agent, session)[-1]["status"] == "failed"


def test_daemonised(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    line = "setsid nohup sleep 999 >/dev/null 2>&1 & (nohup setsid sleep 999 >/dev/null 2>&1 &) ; echo started"
    vendor.replies += [Answer(calls=[bash(line)]), Answer("They run.")]
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    sleepers = eventually(lambda: len(found := agent.offspring("sleep")) == 2 and found, "two sleepers")
    (result,) = tool_results(vendor)
    assert all(str(sleeper.pid) in result for sleeper in sleepers), "the model is told what it left running"

    agent.call("session/close", {"sessionId": session})

    assert agent.offspring() == []
