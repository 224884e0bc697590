"""Three sessions of one process, each in the middle of a turn: the text of an answer, a running command, a question."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from tests.e2e.lines import eventually
from tests.e2e.process import AgentProcess
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, sse

LINE = "setsid sleep 999 & (setsid bash -c 'sleep 999 & wait' &) ; echo ready; sleep 999"


def chunk(text: str) -> bytes:
    """One event of a streamed answer."""
    return sse({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


@dataclass
class InTheMiddle:
    """The ids of the sessions, of their prompts, and of the permission request."""

    stream: str
    bash: str
    asked: str
    prompts: list[Any]
    request: str


def in_the_middle(agent: AgentProcess, vendor: Vendor, cwd: Path) -> InTheMiddle:
    """Bring the process there. The model's text so far is `Part one. `."""
    sessions = [agent.new(cwd) for _ in range(3)]
    stream, running, asked = sessions
    prompts = []
    vendor.replies.append(Answer("Part one. ", pause=Event()))
    prompts.append(agent.ask(stream, "tell"))
    agent.see_text(stream, "Part one. ")
    vendor.replies.append(Answer("I run it. ", calls=[bash(LINE)]))
    prompts.append(agent.ask(running, "run"))
    agent.see_output(running, "ready")
    eventually(lambda: len(agent.offspring("sleep")) == 3, "the start of three sleepers")
    vendor.replies.append(Answer("I ask first. ", calls=[bash("git push --force")]))
    prompts.append(agent.ask(asked, "push"))
    request = agent.see_request(asked, "session/request_permission")
    return InTheMiddle(stream, running, asked, prompts, request["id"])
