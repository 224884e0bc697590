"""Whatever a client sends and in whatever order: no crash, and for every request exactly one response.

The examples are the same in every run, so that a failure stays one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from acp_agent.agent.handshake import Handshake
from acp_agent.llm.scripted import Scripted
from acp_agent.rpc.memory import MemoryTransport, memory_transports
from acp_agent.rpc.transport import EndOfMessages
from tests.conformance.odd_lines import EITHER, NOBODY, any_line, owed, templates
from tests.conformance.schedules import Play, schedules, scripts
from tests.harness import Rig
from tests.schema.wire_lines import assert_agent_line_is_valid

SAME = settings(
    # The same examples in every run, but for `make test-long`, which sets a seed of its own to look further.
    derandomize=not os.environ.get("PROPERTY_EXAMPLES"),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "90"))

SESSION = "ses_1"
LAST = "the last request of all"


class Wire:
    """A client's end that writes any bytes, and refuses whatever the agent asks."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._arrived = anyio.Event()
        self.lines: list[Any] = []

    async def read(self) -> None:
        """Read until the agent ends; every request of its own is answered with an error."""
        while True:
            try:
                line = await self._transport.receive()
            except EndOfMessages:
                return
            message = json.loads(line.decode("ascii"))
            if "method" in message:
                assert_agent_line_is_valid(message, {})
                if "id" in message:
                    refusal = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32603, "message": "no"}}
                    await self.send(json.dumps(refusal).encode())
            else:
                self.lines.append(message)
            self._arrived.set()
            self._arrived = anyio.Event()

    async def send(self, line: bytes) -> None:
        """Write a line."""
        await self._transport.send([line])

    async def answers(self, count: int) -> None:
        """Wait until there are so many answers."""
        with anyio.fail_after(10):
            while len(self.lines) < count:
                await self._arrived.wait()

    async def ask(self, method: str, params: Any, id: Any) -> Any:
        """A request that must succeed."""
        await self.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode())
        with anyio.fail_after(10):
            while not (found := [line for line in self.lines if line["id"] == id]):
                await self._arrived.wait()
        assert "result" in found[0], found
        return found[0]["result"]


def _same_ids(given: list[Any], wanted: list[Any]) -> bool:
    """Whether the ids of the answers are those that are owed; 1, 1.0, True and "1" are different things."""
    told, due = (Counter((type(id).__name__, id) for id in ids) for ids in (given, wanted))
    return told == due


async def _hear_out(folder: Path, lines: list[bytes]) -> None:
    rig = Rig(folder)
    rig.provider = Scripted([{"text": "Hi."}] * 4)
    ours, theirs = memory_transports(100_000)
    wire = Wire(theirs)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.app().serve, ours, Handshake())
        tasks.start_soon(wire.read)
        await wire.ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}}, "hello")
        setup = {"cwd": str(rig.cwd), "mcpServers": []}
        assert (await wire.ask("session/new", setup, "new"))["sessionId"] == SESSION
        dues = [owed(line) for line in lines]
        for line in lines:
            await wire.send(line)
        await wire.answers(2 + sum(due.id != NOBODY for due in dues))
        await wire.ask("session/list", {}, LAST)
        await wire.ask("session/list", {}, "once more, for what may come late")
        answers = [
            line for line in wire.lines if line["id"] not in ("hello", "new", "once more, for what may come late")
        ]
        _judge(answers, dues)
        await wire.ask("session/new", setup, "and a session")
        theirs.close()


def _judge(answers: list[Any], dues: list[Any]) -> None:
    for answer in answers:
        assert set(answer) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
        if "error" in answer:
            assert type(answer["error"]["code"]) is int
            assert answer["error"]["message"].strip()
            assert answer["error"]["code"] != -32603 or "failed while serving" not in answer["error"]["message"]
    either = sum(due.id == EITHER for due in dues)
    wanted = [due.id for due in dues if due.id not in (NOBODY, EITHER)] + [LAST]
    given_ids = [answer["id"] for answer in answers]
    assert len(given_ids) == len(wanted) + either
    if not either:
        assert _same_ids(given_ids, wanted), (given_ids, wanted)
        codes = Counter((repr(answer["id"]), answer["error"]["code"]) for answer in answers if "error" in answer)
        due_codes = Counter((repr(due.id), due.error) for due in dues if due.error is not None)
        assert not due_codes - codes, (due_codes, codes)


@pytest.fixture(scope="module")
def place() -> Any:
    """One folder for all examples: what a valid message may name must be the same in each."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@settings(SAME, max_examples=EXAMPLES)
@given(st.data())
def test_every_line_gets_the_one_answer_that_it_is_owed_and_none_ends_the_agent(place: Path, data: Any) -> None:
    with TemporaryDirectory(dir=place) as folder:
        messages = templates(SESSION, str(place))
        lines = data.draw(st.lists(any_line(messages), min_size=1, max_size=10))
        anyio.run(_hear_out, Path(folder), lines)


@settings(SAME, max_examples=EXAMPLES)
@given(schedules, scripts, st.sampled_from(["asyncio", "trio"]))
def test_in_every_order_of_events_each_prompt_ends_once_and_in_its_place(
    schedule: list[tuple[str, int]], script: list[str], backend: str
) -> None:
    with TemporaryDirectory() as folder:
        anyio.run(Play(Path(folder), script).run, schedule, backend=backend)
