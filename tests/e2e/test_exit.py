"""The end of the process in the middle of its work: at once, with status 0, and with nothing left behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import eventually
from tests.e2e.process import AgentProcess, vendor_config
from tests.e2e.states import in_the_middle
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer

pytestmark = pytest.mark.e2e

LIMIT = 2.0
"""Promised is one second; a loaded machine gets two."""

ENDS: dict[str, Callable[[AgentProcess], float]] = {
    "end of input": AgentProcess.end_of_input,
    "SIGTERM": lambda agent: agent.signal(signal.SIGTERM),
    "SIGINT": lambda agent: agent.signal(signal.SIGINT),
}
Measured = Callable[[str, float], float]


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_in_mid_turn_within_a_second_and_takes_every_child_along(
    spawn: Spawn, vendor: Vendor, project: Path, measured: Measured, end: str
) -> None:
    agent = spawn(vendor_config(vendor))
    in_the_middle(agent, vendor, project)

    seconds = ENDS[end](agent)

    assert agent.returncode == 0
    assert measured(f"exit by {end} in stream, bash and permission", seconds) < LIMIT
    eventually(lambda: not agent.offspring(), "the end of every child", 0.5)


@pytest.mark.parametrize("end", ENDS)
def test_an_idle_process_ends_at_once(spawn: Spawn, project: Path, measured: Measured, end: str) -> None:
    agent = spawn()
    agent.new(project)

    seconds = ENDS[end](agent)

    assert agent.returncode == 0
    assert measured(f"exit by {end} when idle", seconds) < LIMIT


def test_an_end_of_input_before_the_first_word_ends_the_process(spawn: Spawn) -> None:
    agent = spawn(initialize=False)

    agent.end_of_input()

    assert agent.returncode == 0
    assert agent.lines == []


def test_children_that_ignore_the_request_to_end_are_gone_too(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor))
    vendor.replies.append(Answer(calls=[bash("trap '' TERM INT HUP; setsid sleep 999 & echo ready; sleep 999")]))
    session = agent.new(project)
    agent.ask(session)
    agent.see_output(session, "ready")
    eventually(lambda: len(agent.offspring("sleep")) == 2, "the start of two sleepers")

    assert agent.end_of_input() < LIMIT

    eventually(lambda: not agent.offspring(), "the end of every child", 0.5)
