"""Slash commands and titles in the real process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from acp_agent.session.commands import COMMANDS
from tests.e2e.conftest import Spawn
from tests.e2e.process import KEY, AgentProcess, scripted_config, vendor_config
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer

pytestmark = pytest.mark.e2e

LOCAL = [command.name for command in COMMANDS if command.answer is not None]


def test_every_command_is_answered_at_once_and_no_vendor_is_asked(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    session = agent.new(project)
    for name in (*LOCAL, "no-such-command"):
        mark = len(agent.lines)
        assert agent.prompt(session, f"/{name}") == "end_turn"
        said = agent.said(session, since=mark)
        assert said.strip()
        assert KEY not in said
    assert vendor.requests == []


def test_the_vendor_hears_nothing_of_commands_also_in_the_next_process(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    first = spawn(vendor_config(vendor))
    session = first.new(project)
    assert first.prompt(session, "/help") == "end_turn"
    assert first.prompt(session, "/title Mending the parser") == "end_turn"
    answers = first.said(session)
    first.kill()
    vendor.replies.append(Answer("Hello."))

    agent = spawn(vendor_config(vendor))
    replayed = agent.load(session, project)
    shown = [update["content"]["text"] for update in replayed if "content" in update]
    assert shown[0] == "/help"
    assert shown[2] == "/title Mending the parser"
    assert shown[1] + shown[3] == answers
    assert agent.prompt(session, "/usr/bin/python is broken") == "end_turn"
    sent = str(vendor.requests[-1].body["messages"])
    assert "/usr/bin/python is broken" in sent
    assert "/help" not in sent
    assert "Mending" not in sent
    listed = agent.call("session/list", {"cwd": str(project)})["sessions"]
    assert [each["title"] for each in listed] == ["Mending the parser"]


def test_init_writes_the_file_that_the_next_process_sends(
    spawn: Spawn, vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    write = {"name": "write", "arguments": {"filePath": "AGENTS.md", "content": "Test with `make one T=name`."}}
    first = spawn(scripted_config(tmp_path / "script.json", {"tool_calls": [write]}, "Written."))
    session = first.new(project)
    assert first.prompt(session, "/init") == "end_turn"
    assert first.said(session) == "Written."
    first.end_of_input()
    vendor.replies.append(Answer("Hello."))

    agent = spawn(vendor_config(vendor))
    assert agent.prompt(agent.new(project), "Hi.") == "end_turn"
    assert "Test with `make one T=name`." in str(vendor.requests[-1].body["messages"][0])


def test_a_doctor_can_be_asked_where_nothing_is_set_up(spawn: Spawn, project: Path) -> None:
    agent = spawn(None)
    session = agent.new(project)
    assert agent.prompt(session, "/doctor") == "end_turn"
    assert "**fail** model: No model is configured" in agent.said(session)
