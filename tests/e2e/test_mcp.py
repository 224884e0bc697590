"""MCP servers in the real process: they delay nothing, keep stdout clean, and are gone with it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import eventually
from tests.e2e.process import AgentProcess
from tests.e2e.test_exit import LIMIT
from tests.tools.mcp.bench import SERVERS, tool
from tests.tools.mcp.test_http import serving

pytestmark = pytest.mark.e2e

Measured = Callable[[str, float], float]


def odd(name: str, **how: Any) -> dict[str, Any]:
    return {
        "name": name,
        "command": sys.executable,
        "args": ["-S", str(SERVERS / "odd.py"), json.dumps(how)],
        "env": [],
    }


def new(agent: AgentProcess, project: Path, *servers: dict[str, Any]) -> str:
    return str(agent.call("session/new", {"cwd": str(project), "mcpServers": list(servers)})["sessionId"])


def mcp(agent: AgentProcess, session: str) -> str:
    """What `/mcp` says."""
    mark = len(agent.lines)
    agent.prompt(session, "/mcp")
    return agent.said(session, since=mark)


def test_session_new_is_answered_while_a_server_keeps_silent_and_stdout_stays_clean(
    spawn: Spawn, project: Path
) -> None:
    agent = spawn()
    noise = ["<html>", '{"jsonrpc": "2.0", "id": 1, "result": "not for the client"}']
    session = new(agent, project, odd("asleep", silent=True, noise=noise), odd("dead", exit=1, complain="on stderr"))
    eventually(lambda: "`dead` (stdio): failed" in mcp(agent, session), "the end of the second server")
    assert "`asleep` (stdio): joining" in mcp(agent, session)


@pytest.mark.parametrize("end", ["end of input", "SIGTERM"])
def test_stubborn_servers_are_gone_with_the_process_within_a_second(
    spawn: Spawn, project: Path, measured: Measured, end: str
) -> None:
    agent = spawn()
    session = new(agent, project, *[odd(f"s{index}", stubborn=True, tools=[tool("t")]) for index in range(3)])
    eventually(lambda: mcp(agent, session).count("ready, 1 tool") == 3, "three servers")
    assert len(agent.offspring()) == 6

    seconds = agent.end_of_input() if end == "end of input" else agent.signal(signal.SIGTERM)

    assert agent.returncode == 0
    assert measured(f"exit by {end} with three stubborn MCP servers", seconds) < LIMIT
    eventually(lambda: not agent.offspring(), "the end of every server", 0.5)


def test_an_address_that_answers_with_nonsense_leaves_stderr_clean(spawn: Spawn, project: Path) -> None:
    with serving() as address:
        agent = spawn()
        server = {"type": "http", "name": "web", "url": f"{address}/broken", "headers": []}
        session = new(agent, project, server)
        eventually(lambda: "`web` (http): failed" in mcp(agent, session), "the failure")
        assert agent.stderr() == ""


def test_servers_that_know_no_signal_end_when_the_process_is_killed(spawn: Spawn, project: Path) -> None:
    agent = spawn()
    session = new(agent, project, odd("s", tools=[tool("t")]))
    eventually(lambda: "ready, 1 tool" in mcp(agent, session), "the server")
    agent.kill()
    eventually(lambda: not agent.offspring(), "the end of the server, whose input ended", 5)
