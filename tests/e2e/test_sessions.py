"""Sessions that outlive their process: reopened by a prompt, closed, listed, loaded."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import AgentProcess, scripted_config, vendor_config
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer

pytestmark = pytest.mark.e2e


def test_a_prompt_to_a_stored_session_reopens_it_and_a_cancel_right_behind_finds_it(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    first = spawn(vendor_config(vendor))
    session = first.new(project)
    vendor.replies.append(Answer("Remember this."))
    assert first.prompt(session, "one") == "end_turn"
    first.end_of_input()
    agent = spawn(vendor_config(vendor))

    prompt = agent.request("session/prompt", agent.text_prompt(session, "two"))
    cancel = {"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}
    agent.send(prompt, cancel)

    assert agent.response(prompt["id"])["result"] == {"stopReason": "cancelled"}
    asked_before = len(vendor.requests)
    vendor.replies.append(Answer("I do."))
    assert agent.prompt(session, "three") == "end_turn"
    assert len(vendor.requests) == asked_before + 1
    sent = [message["content"] for message in vendor.requests[-1].body["messages"] if message["role"] == "assistant"]
    assert "Remember this." in str(sent)
    assert agent.said(session) == "I do."


def test_a_closed_session_is_unknown_until_it_is_loaded(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    session = agent.new(project)
    vendor.replies += [Answer("One."), Answer("Two.")]
    assert agent.prompt(session) == "end_turn"
    assert agent.call("session/close", {"sessionId": session}) == {}

    for method, params in {
        "session/prompt": agent.text_prompt(session),
        "session/set_mode": {"sessionId": session, "modeId": "plan"},
        "session/close": {"sessionId": session},
    }.items():
        error = agent.error(method, params)
        assert (error["code"], error["data"]) == (-32002, {"sessionId": session}), method

    replayed = [update["sessionUpdate"] for update in agent.load(session, project)]
    assert replayed[:2] == ["user_message_chunk", "agent_message_chunk"]
    assert replayed[2:] in ([], ["usage_update"]), "usage follows the response"
    assert agent.prompt(session) == "end_turn"


def test_closing_a_session_cancels_its_prompts_and_ends_its_processes(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    vendor.replies += [
        Answer(calls=[bash("setsid nohup sleep 999 >/dev/null 2>&1 & echo started")]),
        Answer("In the background.", pause=Event()),
    ]
    session = agent.new(project)
    prompt, queued = agent.ask(session), agent.ask(session)
    agent.see_text(session, "In the background.")
    assert len(agent.offspring()) == 1, "the sleep, or what is about to become it"

    assert agent.call("session/close", {"sessionId": session}) == {}

    assert agent.offspring() == []
    assert agent.response(prompt)["result"] == agent.response(queued)["result"] == {"stopReason": "cancelled"}


def test_mode_and_model_are_kept_over_a_restart(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    config = scripted_config(tmp_path / "script.json", "One.")
    first = spawn(config)
    session = first.new(project)
    assert first.call("session/set_mode", {"sessionId": session, "modeId": "plan"}) == {}
    assert first.prompt(session) == "end_turn"
    first.end_of_input()

    agent = spawn(config)
    here = {"sessionId": session, "cwd": str(project), "mcpServers": []}
    assert agent.call("session/resume", here)["modes"]["currentModeId"] == "plan"
    assert [each for each in agent.updates(session) if each["sessionUpdate"] != "usage_update"] == []
    listed = agent.call("session/list", {"cwd": str(project)})["sessions"]
    assert [each["sessionId"] for each in listed] == [session]
