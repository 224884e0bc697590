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
from tests.e2e.states import chunk
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Answer, Raw, Vendor

pytestmark = pytest.mark.e2e

MEGABYTE = 1024 * 1024
CHUNKS = 50_000
AT_ONCE = 500
PRINTED = 50 * MEGABYTE
GROWTH = 40 * MEGABYTE


def test_a_client_that_does_not_read_costs_a_bounded_amount_of_memory_and_may_still_cancel(
    spawn: Spawn, vendor: Vendor, project: Path, measured: Callable[[str, float], float]
) -> None:
    agent = spawn(vendor_config(vendor))
    session = agent.new(project)
    vendor.replies.append(Answer("Warm."))
    assert agent.prompt(session) == "end_turn"
    before = agent.rss()
    streamed = Event()
    text = [f"{number:05} " for number in range(CHUNKS)]
    events = [b"".join(chunk(each) for each in text[at : at + AT_ONCE]) for at in range(0, CHUNKS, AT_ONCE)]
    vendor.replies += [
        Answer(calls=[bash(f"head -c {PRINTED} /dev/zero | tr '\\0' x; seq 1000")]),
        Raw([*events, _Told(streamed), Event()]),
    ]

    agent.stop_reading()
    prompt = agent.ask(session)
    largest = 0

    def everything_was_streamed() -> bool:
        nonlocal largest
        largest = max(largest, agent.rss())
        return streamed.is_set()

    eventually(everything_was_streamed, "the end of the model's stream", 30)
    eventually(lambda: agent.psutil.cpu_percent(0.05) < 20, "rest")
    largest = max(largest, agent.rss())
    measured("RSS in MiB with a stopped reader", largest / MEGABYTE)
    measured("RSS growth in MiB with a stopped reader", (largest - before) / MEGABYTE)
    assert largest - before < GROWTH

    begin = time.monotonic()
    agent.cancel(session)
    assert vendor.requests[-1].closed.wait(5)
    assert measured("cancel with a stopped reader, until the model's stream is closed", time.monotonic() - begin) < 1
    agent.go_on_reading()

    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    said = agent.said(session)
    assert said.endswith("".join(text))
    vendor.replies.append(Answer("Again."))
    assert agent.prompt(session) == "end_turn"


class _Told(Event):
    """A piece of a reply that is passed at once, and tells so."""

    def __init__(self, passed: Event) -> None:
        super().__init__()
        self.set()
        self._passed = passed

    def wait(self, timeout: float | None = None) -> bool:
        self._passed.set()
        return super().wait(timeout)
