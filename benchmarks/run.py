"""Speed and size of `agent acp`, as ratios within one run: `make bench`, or `python benchmarks/run.py [NAME ...]`.

Machines are noisy and differ, so every figure is a median, start-up is given as a multiple of a floor measured in
turn with it, and what the disk costs is printed beside. Nothing here passes or fails.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent_process import AgentProcess

RUNS = 15

NO_SDK = {"model": "scripted/x", "provider": {"scripted": {"options": {"script": "none"}}}}
"""A configuration whose model needs no SDK, so that none is loaded in the background."""

FLOOR = """
import anyio
from pydantic import BaseModel

class Model(BaseModel):
    field: int

async def main():
    async with anyio.create_task_group():
        pass

anyio.run(main)
"""


@contextmanager
def model_server() -> Iterator[int]:
    """The measuring model server; gives its port."""
    script = Path(__file__).with_name("server.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


@contextmanager
def scratch() -> Iterator[Path]:
    """A home that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def config(port: int, npm: str = "@ai-sdk/openai-compatible") -> dict[str, Any]:
    """A configuration with the measuring server as its model."""
    options = {"baseURL": f"http://127.0.0.1:{port}/v1", "apiKey": "benchmark"}
    models = {"m": {"limit": {"context": 200_000, "output": 8_000}}}
    return {"model": "bench/m", "provider": {"bench": {"npm": npm, "options": options, "models": models}}}


def startup() -> None:
    """Spawn to the initialize response and to the session/new response, against the floor."""
    for label, sessions in (("empty store", 0), ("1,000 sessions", 1000)):
        with scratch() as home:
            if sessions:
                fill_store(home, sessions)
            floors, firsts, seconds = [], [], []
            for _ in range(RUNS + 1):
                begun = time.monotonic()
                subprocess.run([sys.executable, "-c", FLOOR], check=True)
                floors.append(time.monotonic() - begun)
                with AgentProcess(home, config(9)) as agent:
                    agent.call("initialize", {"protocolVersion": 1})
                    firsts.append(time.monotonic() - agent.started)
                    agent.call("session/new", {"cwd": str(agent.cwd), "mcpServers": []})
                    seconds.append(time.monotonic() - agent.started)
            floor, first, second = (statistics.median(each[1:]) for each in (floors, firsts, seconds))
            print(f"start-up, {label}: floor {floor * 1000:.0f} ms")
            print(f"  initialize  {first * 1000:4.0f} ms = {first / floor:.2f} x floor (budget 1.3)")
            print(f"  session/new {second * 1000:4.0f} ms = {second / floor:.2f} x floor (budget 1.6)")


def fill_store(home: Path, sessions: int) -> None:
    """A store with many sessions of a few events each."""
    import anyio

    from acp_agent.llm.messages import AssistantMessage, Text
    from acp_agent.schema import TextContent
    from acp_agent.session.ids import Ids
    from acp_agent.session.record import events
    from acp_agent.session.record.sqlite_store import SqliteStore
    from acp_agent.session.record.store import SessionHead

    async def fill() -> None:
        new_id = Ids()
        store = SqliteStore(home / "data" / "acp-agent" / "sessions.db", new_id, time.time)
        answer = AssistantMessage(content=(Text(text="an answer of some length " * 20),))
        for _ in range(sessions):
            now = time.time()
            head = SessionHead(new_id("ses"), home / "project", (home / "project",), now, now)
            await store.create(head)
            said = events.UserMessage(message_id="m", blocks=(TextContent(text="a question"),))
            await store.append(head.id, [said, events.AssistantMessage(message_id="a", message=answer)] * 3)
        await store.close()

    anyio.run(fill)


def memory() -> None:
    """Resident memory before an SDK is loaded, with each SDK warm, and the growth over a turn of 20 tools."""
    with model_server() as port, scratch() as home:
        with AgentProcess(home, NO_SDK) as agent:
            agent.open()
            print(f"resident, no SDK loaded: {agent.resident():.0f} MiB (budget 60)")
        with AgentProcess(home, config(port)) as agent:
            session = agent.open()
            agent.prompt(session, "chunks 1 0")
            warm = agent.resident()
            (agent.cwd / "a.txt").write_text("line\n" * 500)
            agent.prompt(session, 'tools 20 read {"filePath":"a.txt","offset":CALL}')
            print(f"resident, openai warm: {warm:.0f} MiB (budget 75)")
            print(f"  growth over 20 tool calls: {agent.resident() - warm:.1f} MiB (budget 15)")
        with AgentProcess(home, {"model": "anthropic/claude-sonnet-4-5"}) as agent:
            agent.open()
            wait_until_quiet(agent)
            print(f"resident, anthropic warm: {agent.resident():.0f} MiB (budget 100)")


def wait_until_quiet(agent: AgentProcess) -> None:
    """Wait until the background import is over: memory that stays the same for a while."""
    last, since = 0.0, time.monotonic()
    while time.monotonic() - since < 1.0:
        now = agent.resident()
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)


def mcp() -> None:
    """`session/new` with four MCP servers that never work, against one without: the first of a process, and later ones.

    The second to fifth follow at once, the sixth comes a quarter of a second later, while the servers' SDK loads, and
    the last once it is loaded.
    """
    rows = {
        "fresh process": range(1),
        "second to fifth session": range(1, 5),
        "sixth": range(5, 6),
        "last": range(6, 7),
    }
    took: dict[bool, list[list[float]]] = {False: [], True: []}
    with scratch() as home, closed_port() as url:
        for _ in range(RUNS // 2):
            for broken, runs in took.items():
                with AgentProcess(home, NO_SDK) as agent:
                    agent.call("initialize", {"protocolVersion": 1})
                    servers = broken_servers(url) if broken else []
                    runs.append([])
                    for number in range(7):
                        time.sleep({5: 0.25, 6: 2.0}.get(number, 0.0))
                        begun = time.monotonic() if number else agent.started
                        agent.call("session/new", {"cwd": str(agent.cwd), "mcpServers": servers})
                        runs[-1].append(time.monotonic() - begun)
    print("session/new without and with four broken MCP servers (budget 2 x)")
    for label, numbers in rows.items():
        without, four = (
            statistics.median(run[number] for run in took[broken] for number in numbers) * 1000
            for broken in (False, True)
        )
        print(f"  {label}: {without:.1f} -> {four:.1f} ms = {four / without:.2f} x")


@contextmanager
def closed_port() -> Iterator[str]:
    """An address at which nothing answers."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}/mcp"


def broken_servers(url: str) -> list[dict[str, Any]]:
    """One sleeps for ever, one ends, one writes HTML, and of one the port is closed."""
    lines = {"asleep": "exec sleep 600", "dead": "exit 1", "html": "echo '<!doctype html>'; exec sleep 600"}
    local = [{"name": name, "command": "/bin/sh", "args": ["-c", line], "env": []} for name, line in lines.items()]
    return [*local, {"type": "http", "name": "closed", "url": url, "headers": []}]


def latency() -> None:
    """From the model server's write to a line on stdout, one chunk at a time; and 5,000 chunks at once."""
    with model_server() as port, scratch() as home, AgentProcess(home, config(port)) as agent:
        session = agent.open()
        agent.prompt(session, "chunks 5 0")
        delays: list[float] = []
        agent.prompt(session, "chunks 300 0.004", into(delays))
        print(f"model chunk -> stdout: median {statistics.median(delays) * 1000:.2f} ms (budget 2)", end="")
        print(f", 99 % {sorted(delays)[len(delays) * 99 // 100] * 1000:.2f} ms")
        arrivals: list[float] = []
        lines = 0

        def seen(arrived: float, message: dict[str, Any]) -> None:
            nonlocal lines
            arrivals.append(arrived)
            lines += 1

        begun = time.monotonic()
        agent.prompt(session, "chunks 5000 0", seen)
        took = arrivals[-1] - begun
        print(f"5,000 chunks: {took:.2f} s in {lines} lines (budget 0.5)")


def into(delays: list[float]) -> Callable[[float, dict[str, Any]], None]:
    """Collect how long each chunk took, from the time that stands in its text."""

    def seen(arrived: float, message: dict[str, Any]) -> None:
        update = message.get("params", {}).get("update", {})
        if update.get("sessionUpdate") == "agent_message_chunk":
            for sent in update["content"]["text"].split():
                delays.append(arrived - int(sent) / 1e9)

    return seen


def tool_turns() -> None:
    """Our own time between the end of one answer and the next model request."""
    with model_server() as port, scratch() as home, AgentProcess(home, config(port)) as agent:
        session = agent.open()
        (agent.cwd / "a.txt").write_text("line\n" * 50)
        agent.prompt(session, "chunks 1 0")
        for label, text in (
            ("read", 'tools 30 read {"filePath":"a.txt","offset":CALL}'),
            ("bash true", 'tools 30 bash {"command":"true CALL","description":"x"}'),
        ):
            times(port)
            begun = time.monotonic()
            agent.prompt(session, text)
            took = time.monotonic() - begun
            noted = times(port)
            gaps = [(later - earlier) / 1e6 for (kind, earlier), (_, later) in pairwise(noted) if kind == "answered"]
            print(f"between model requests, {label}: median {statistics.median(gaps):.1f} ms (budget 10), ", end="")
            print(f"30 calls in {took:.2f} s")


def times(port: int) -> list[tuple[str, int]]:
    """What the server noted since the last call."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/times") as answer:
        noted: list[tuple[str, int]] = [(kind, at) for kind, at in json.load(answer)]
        return noted


def many_sessions() -> None:
    """Twenty sessions that stream at once: the median delay of the luckiest and of the unluckiest."""
    with model_server() as port, scratch() as home, AgentProcess(home, config(port)) as agent:
        first = agent.open()
        agent.prompt(first, "chunks 1 0")
        sessions = [first] + [
            agent.call("session/new", {"cwd": str(agent.cwd), "mcpServers": []})["sessionId"] for _ in range(19)
        ]
        delays: dict[str, list[float]] = {session: [] for session in sessions}
        block = [{"type": "text", "text": "chunks 200 0.01"}]
        waiting = {agent.send("session/prompt", {"sessionId": session, "prompt": block}) for session in sessions}
        while waiting:
            arrived, message = agent.read()
            waiting.discard(message.get("id", 0) if "method" not in message else 0)
            if "params" in message:
                into(delays[message["params"]["sessionId"]])(arrived, message)
        medians = sorted(statistics.median(each) * 1000 for each in delays.values())
        print(f"20 sessions at once: median delay from {medians[0]:.1f} to {medians[-1]:.1f} ms")


def fsync() -> None:
    """What one fsync costs here: a durable commit waits for about one."""
    with scratch() as home, open(home / "file", "wb", buffering=0) as file:
        costs = []
        for _ in range(50):
            file.write(b"x" * 4096)
            begun = time.monotonic()
            os.fsync(file.fileno())
            costs.append(time.monotonic() - begun)
        print(f"fsync here: median {statistics.median(costs) * 1000:.2f} ms")


BENCHMARKS: dict[str, Callable[[], None]] = {
    "fsync": fsync,
    "startup": startup,
    "memory": memory,
    "mcp": mcp,
    "latency": latency,
    "tool_turns": tool_turns,
    "many_sessions": many_sessions,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
