"""Two stages for the same transcripts: an agent in this process, and the real one."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
from anyio.abc import Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from acp_agent.agent.handshake import Handshake
from acp_agent.rpc.memory import MemoryTransport
from acp_agent.rpc.transport import EndOfMessages
from tests.harness import Rig, scripted_config
from tests.protocol.transcripts import Names, Transcript, is_live_output
from tests.schema.wire_lines import assert_agent_line_is_valid

DEADLINE = 10.0
QUIET = 0.5
"""Seconds without a word after which a transcript that is being rewritten takes the agent to be done."""


class Wire(Protocol):
    """The client's end of a connection; lines without their newline."""

    async def send(self, line: bytes) -> None:
        """Write a line."""

    async def receive(self) -> bytes:
        """The next line. Raises `EndOfMessages`."""

    async def end(self) -> None:
        """Send nothing more."""


@dataclass(slots=True)
class Performance:
    """One run of a transcript: sends what the client says, and takes down what the agent says."""

    wire: Wire
    names: Names
    pending: dict[Any, str] = field(default_factory=dict)

    async def say(self, said: Any) -> None:
        """Send one thing that the client says."""
        if isinstance(said, dict) and isinstance(said.get("method"), str) and isinstance(said.get("id"), int | str):
            self.pending[said["id"]] = said["method"]
        said = self.names.real(said)
        await self.wire.send(said.encode() if isinstance(said, str) else json.dumps(said).encode())

    async def hear(self, count: int | None) -> list[Any]:
        """So many lines of the agent's, live output not counted; without a count, what comes until it is quiet.

        Less if it ends or hangs.
        """
        heard: list[Any] = []
        while count is None or sum(not is_live_output(message) for message in heard) < count:
            with anyio.move_on_after(QUIET if count is None else DEADLINE) as patience:
                try:
                    heard.append(self._taken(await self.wire.receive()))
                except EndOfMessages:
                    break
            if patience.cancelled_caught:
                break
        return heard

    def _taken(self, line: bytes) -> Any:
        message = json.loads(line)
        assert_agent_line_is_valid(message, self.pending)
        return self.names.placed(message)


async def perform(transcript: Transcript, wire: Wire, cwd: Path, *, rewriting: bool) -> list[list[Any]]:
    """Play a transcript and give what the agent said: one list for each block, and one for what came at the end."""
    performance = Performance(wire, Names(cwd))
    answers: list[list[Any]] = []
    for client, agent in transcript.blocks():
        for said in client:
            await performance.say(said)
        count = sum(not is_live_output(message) for message in agent)
        answers.append(await performance.hear(None if rewriting else count))
    await wire.end()
    answers.append(await performance.hear(1_000_000))
    return answers


def lay_out(transcript: Transcript, folder: Path) -> None:
    """The files of the working directory."""
    for name, text in transcript.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


Stage = Callable[[Transcript, Path], AbstractAsyncContextManager[tuple[Wire, Path]]]


@dataclass(slots=True)
class _Memory:
    to_agent: MemoryObjectSendStream[bytes]
    from_agent: MemoryObjectReceiveStream[bytes]

    async def send(self, line: bytes) -> None:
        await self.to_agent.send(line)

    async def receive(self) -> bytes:
        try:
            return await self.from_agent.receive()
        except anyio.EndOfStream:
            raise EndOfMessages from None

    async def end(self) -> None:
        self.to_agent.close()


@asynccontextmanager
async def in_memory(transcript: Transcript, folder: Path) -> AsyncIterator[tuple[Wire, Path]]:
    """An agent in this process, with ids and a clock of its own."""
    rig = Rig(folder)
    rig.config = transcript.config
    rig.clock = itertools.count(1_700_000_000.0).__next__
    rig.script(*transcript.steps)
    lay_out(transcript, rig.cwd)
    to_agent, incoming = anyio.create_memory_object_stream[bytes](100_000)
    outgoing, from_agent = anyio.create_memory_object_stream[bytes](100_000)
    with from_agent:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.app().serve, MemoryTransport(incoming, outgoing), Handshake())
            with to_agent:
                yield _Memory(to_agent, from_agent), rig.cwd


@dataclass(slots=True)
class _Pipes:
    process: Process
    _rest: bytes = b""

    async def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(line + b"\n")

    async def receive(self) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self._rest:
            try:
                self._rest += await self.process.stdout.receive()
            except anyio.EndOfStream:
                raise EndOfMessages from None
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    async def end(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


@asynccontextmanager
async def in_a_process(transcript: Transcript, folder: Path) -> AsyncIterator[tuple[Wire, Path]]:
    """`agent acp`, spawned as an editor does."""
    cwd = folder / "project"
    cwd.mkdir()
    lay_out(transcript, cwd)
    script = folder / "script.json"
    script.write_text(json.dumps(transcript.steps), encoding="utf-8")
    config = json.dumps(scripted_config(script, **transcript.config))
    command = [sys.executable, "-m", "acp_agent", "acp"]
    environment = {**os.environ, "OPENCODE_CONFIG_CONTENT": config}
    errors = folder / "stderr"
    with errors.open("wb") as stderr:
        async with await anyio.open_process(command, env=environment, stderr=stderr) as process:
            yield _Pipes(process), cwd
            with anyio.fail_after(DEADLINE):
                assert await process.wait() == 0
    assert errors.read_text("utf-8") == ""
