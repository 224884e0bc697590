"""What of a server's words reaches the SDK, which starts a task for each."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from acp_agent.tools.mcp.sieve import Sieve

pytestmark = pytest.mark.anyio


def notice(method: str, **params: Any) -> SessionMessage:
    return SessionMessage(JSONRPCNotification(jsonrpc="2.0", method=f"notifications/{method}", params=params or None))


def request(id: int) -> SessionMessage:
    return SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=id, method="ping"))


def response(id: int) -> SessionMessage:
    return SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=id, result={}))


class Sieved:
    """A sieve, what it let pass, and what it told."""

    def __init__(self) -> None:
        self.fill, inner = anyio.create_memory_object_stream[Any](10_000)
        self.sent, self.out = anyio.create_memory_object_stream[Any](10_000)
        self.changes = 0
        self.ended = 0
        self.sieve: Sieve[Any] = Sieve(inner, self._change, self._end)

    def _change(self) -> None:
        self.changes += 1

    def _end(self) -> None:
        self.ended += 1

    async def passed(self, *items: Any) -> list[Any]:
        """Put these in, end the stream, and give what came out."""
        for item in items:
            self.fill.send_nowait(item)
        self.fill.close()
        async with self.sieve:
            found = [item async for item in self.sieve]
        self.sent.close()
        self.out.close()
        return found


async def test_answers_and_questions_pass_and_talk_does_not():
    box = Sieved()
    talk = [notice("message", level="info", data="x"), notice("resources/updated", uri="x:y"), notice("made/up")]
    assert await box.passed(*talk, response(1), ValueError("unreadable"), request(2), *talk) == [
        response(1),
        request(2),
    ]
    assert (box.changes, box.ended) == (0, 1)


@pytest.mark.parametrize("kind", ["tools", "prompts", "resources"])
async def test_changed_lists_are_told_and_go_no_further(kind):
    box = Sieved()
    assert await box.passed(*[notice(f"{kind}/list_changed")] * 3) == []
    assert box.changes == 3


async def test_changes_in_a_stream_that_was_asked_for_pass():
    box = Sieved()
    change = notice("tools/list_changed", _meta={"io.modelcontextprotocol/subscriptionId": "listen-1"})
    acknowledged = notice("subscriptions/acknowledged")
    assert await box.passed(acknowledged, change) == [acknowledged, change]


async def test_progress_passes_ten_times_a_second_for_each_call():
    box = Sieved()
    steps = [notice("progress", progressToken=token, progress=step) for step in range(1000) for token in (1, 2)]
    found = await box.passed(*steps, notice("progress", progress=1), notice("progress"))
    assert found[:2] == steps[:2]
    assert len(found) < 100


async def test_a_server_that_reads_no_answers_is_not_answered_without_end():
    box = Sieved()
    assert len(await box.passed(*[request(id) for id in range(1000)])) == 32


async def test_what_was_answered_or_withdrawn_makes_room_for_more():
    box = Sieved()
    out = box.sieve.counted(box.sent)
    for id in range(100):
        box.fill.send_nowait(request(id))
        assert await box.sieve.receive() == request(id)
        if id % 2:
            await out.send(response(id))
        else:
            box.fill.send_nowait(notice("cancelled", requestId=id))
            assert await box.sieve.receive() == notice("cancelled", requestId=id)
    await box.passed()
