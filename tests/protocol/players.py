"""Two stages for the same transcripts: an agent in this process, and the real one."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
from anyio.abc import Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from acp_agent.agent.handshake import Handshake
from acp_agent.rpc.connection import CANCEL_REQUEST
from acp_agent.rpc.memory import MemoryTransport
from acp_agent.rpc.transport import EndOfMessages
from tests.harness import Rig, scripted_config
from tests.protocol.transcripts import Entry, Names, Transcript, is_live_output, session_of
from tests.schema.wire_lines import assert_agent_line_is_valid

DEADLINE = 10.0
QUIET = 2.0
"""Seconds without a word after which a transcript that is being rewritten takes the agent to be done."""
QUIET_AT_WORK = 5.0
"""The same while the agent owes an answer and asks nothing: it may be waiting for a cancellation, or only be slow."""


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
    """One run of a transcript: says and does what the client does, and takes down what the agent says.

    `pending` has the method of every request of the client's; `sessions` the session of those that name one, in the
    words of the transcript and by the id as JSON.
    """

    wire: Wire
    names: Names
    cwd: Path
    pending: dict[Any, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    _unanswered: set[str] = field(default_factory=set)
    _asked: dict[str, Any] = field(default_factory=dict)

    async def do(self, entry: Entry) -> None:
        """Do one thing that the client does."""
        if entry.speaker == "disk":
            write_files(self.cwd, entry.said)
        else:
            await self._say(entry.said)

    async def _say(self, said: Any) -> None:
        real = self.names.real(said)
        if isinstance(said, dict) and isinstance(said.get("id"), int | str):
            id = json.dumps(said["id"])
            if isinstance(said.get("method"), str):
                self.pending[said["id"]] = said["method"]
                self._unanswered.add(id)
                session = session_of(said)
                if session is not None:
                    self.sessions[id] = session
            elif (asked := self._asked.pop(id, None)) and asked["method"] == "terminal/create" and "result" in said:
                await self._run(asked["params"])
        await self.wire.send(real.encode() if isinstance(real, str) else json.dumps(real).encode())

    async def _run(self, terminal: Any) -> None:
        """Do what a terminal of the client's does, to the end; what it prints stands in the transcript."""
        with anyio.fail_after(DEADLINE):
            await anyio.run_process([terminal["command"], *terminal["args"]], cwd=terminal["cwd"], check=False)

    async def hear(self, count: int) -> list[Any]:
        """So many lines of the agent's, live output not counted. Less if it ends or hangs."""
        heard: list[Any] = []
        while sum(not is_live_output(message) for message in heard) < count:
            line = await self._line(DEADLINE)
            if line is None:
                break
            heard.append(line)
        return heard

    async def hear_out(self, answered_next: set[str]) -> list[Any]:
        """All lines of the agent's until it has answered everything, or waits for an answer itself, and is quiet.

        A question to a program that is answered next is answered at once, since the agent is not patient with it.
        """
        heard: list[Any] = []
        while True:
            asked = {id for id, message in self._asked.items() if message["method"].startswith(("fs/", "terminal/"))}
            if asked & answered_next:
                return heard
            at_work = self._unanswered and not self._asked
            line = await self._line(QUIET_AT_WORK if at_work else QUIET)
            if line is None:
                return heard
            heard.append(line)

    async def _line(self, patience: float) -> Any:
        """The next line; None if the agent has ended, or says nothing for so many seconds."""
        with anyio.move_on_after(patience):
            while True:
                try:
                    message = json.loads(await self.wire.receive())
                except EndOfMessages:
                    return None
                assert_agent_line_is_valid(message, self.pending)
                if self._noted(message):
                    return self.names.placed(message)
        return None

    def _noted(self, message: Any) -> bool:
        """Remember who owes whom an answer; False for a line that says only that the client took too long."""
        id = json.dumps(message.get("id"))
        if "method" not in message:
            self._unanswered.discard(id)
        elif "id" in message:
            self._asked[id] = message
        elif message["method"] == CANCEL_REQUEST:
            asked = self._asked.pop(json.dumps(message["params"]["requestId"]), None)
            return asked is None or asked["method"] not in ("terminal/kill", "terminal/release")
        return True


async def perform(
    transcript: Transcript, wire: Wire, cwd: Path, *, rewriting: bool
) -> tuple[list[list[Any]], Mapping[str, str]]:
    """Play a transcript. Gives what the agent said: one list for each block, and one for what came at the end.

    With it comes the session to which each request of the client's belongs, as `ordered` wants it.
    """
    performance = Performance(wire, Names(cwd), cwd)
    answers: list[list[Any]] = []
    blocks = list(transcript.blocks())
    for number, (client, agent) in enumerate(blocks, 1):
        for entry in client:
            await performance.do(entry)
        if rewriting:
            next_said = [entry.said for entry in (blocks[number][0] if number < len(blocks) else ())]
            ids = {json.dumps(said["id"]) for said in next_said if isinstance(said, dict) and "result" in said}
            answers.append(await performance.hear_out(ids))
        else:
            answers.append(await performance.hear(sum(not is_live_output(message) for message in agent)))
    await wire.end()
    answers.append(await performance.hear(1_000_000))
    return answers, performance.sessions


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by their paths below the folder."""
    for name, text in files.items():
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
    write_files(rig.cwd, transcript.files)
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
    write_files(cwd, transcript.files)
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
