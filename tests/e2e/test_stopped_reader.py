"""A client that stops reading: the agent's memory stays bounded, a cancel still works, and the rest is valid."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import eventually
from tests.e2e.process import vendor_config
from tests.e2e.test_turn import bash, call_updates
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Piece, Raw

pytestmark = pytest.mark.e2e

MEGABYTE = 1024 * 1024
CHUNKS = 50_000
CHUNK = 100
BATCH = 50_000
PRINTED = 50 * MEGABYTE
GROWTH = 40 * MEGABYTE
LIMIT = 1.0


def test_a_client_that_does_not_read_costs_a_bounded_amount_of_memory_and_may_still_cancel(
    spawn: Spawn, vendor: Vendor, project: Path, measured: Callable[[str, float], float]
) -> None:
    agent = spawn(vendor_config(vendor))
    session = agent.new(project)
    vendor.replies.append(Answer("Warm."))
    assert agent.prompt(session) == "end_turn"
    before = agent.rss()
    text = [f"{number:05} ".ljust(CHUNK, ".") for number in range(CHUNKS)]
    vendor.replies += [
        Answer(calls=[bash(f"head -c {PRINTED} /dev/zero | tr '\\0' x; seq 1000")]),
        in_batches(Answer(text, pause=Event()).raw("openai_chat")),
    ]

    agent.stop_reading()
    prompt = agent.ask(session)
    vendor.wait_for_requests(3, 30)
    largest = 0

    def rests() -> bool:
        nonlocal largest
        largest = max(largest, agent.rss())
        return bool(agent.as_seen.cpu_percent(0.2) < 5)

    eventually(rests, "an agent that waits for its reader", 30)
    measured("RSS in MiB with a stopped reader", largest / MEGABYTE)
    measured("RSS growth in MiB with a stopped reader", (largest - before) / MEGABYTE)
    assert largest - before < GROWTH

    begin = time.monotonic()
    agent.cancel(session)
    assert vendor.requests[-1].closed.wait(5)
    assert measured("cancel with a stopped reader, until the model is hung up", time.monotonic() - begin) < LIMIT
    agent.go_on_reading()

    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    assert ("Warm." + "".join(text)).startswith(agent.said(session))
    assert "1000" in str(call_updates(agent, session)[-1]["content"])
    vendor.replies.append(Answer("Again."))
    assert agent.prompt(session) == "end_turn"


def in_batches(reply: Raw) -> Raw:
    """The same bytes in fewer writes: what is measured here is the agent, not the vendor."""
    batches: list[Piece] = []
    for piece in reply.pieces:
        last = batches[-1] if batches else None
        if isinstance(piece, bytes) and isinstance(last, bytes) and len(last) < BATCH:
            batches[-1] = last + piece
        else:
            batches.append(piece)
    return Raw(batches)
