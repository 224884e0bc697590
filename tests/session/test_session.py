"""A session's queue: who is served when, what a cancellation ends, and what becomes of those who wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from acp_agent.llm.scripted import Scripted
from acp_agent.rpc.messages import INVALID_REQUEST, REQUEST_CANCELLED, RpcError
from acp_agent.schema import TextContent
from acp_agent.session.session import MAX_QUEUED, Session
from tests.session.unit import Bench, bench

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def running(
    folder: Path, *steps: Any, opening: Callable[[], Awaitable[None]] | None = None, gate: Any = None
) -> AsyncIterator[tuple[Session, Bench]]:
    async with bench(folder, provider=Scripted(steps, gate=gate)) as it:

        async def open_it(_tasks: Any) -> Any:
            if opening is not None:
                await opening()
            return it.state

        session = Session("ses", open_it)
        it.state.tasks.start_soon(session.run)
        yield session, it
        session.end()
        with anyio.fail_after(5):
            await session.closed()


def _prompt(session: Session, it: Bench, text: str = "go") -> Any:
    return session.prompt([TextContent(text=text)], it.client)


async def _code(ticket: Any) -> int:
    with anyio.fail_after(5), pytest.raises(RpcError) as raised:
        await ticket.result()
    return raised.value.code


async def test_prompts_run_one_after_the_other_in_the_order_of_their_claims(tmp_path: Path) -> None:
    async with running(tmp_path, *({"text": f"{number}."} for number in range(5))) as (session, it):
        tickets = [_prompt(session, it, str(number)) for number in range(5)]
        assert [await ticket.result() for ticket in tickets] == ["end_turn"] * 5
        assert it.talk() == [line for number in range(5) for line in (f"user: {number}", f"model: {number}.")]


async def test_sixteen_prompts_may_wait_behind_a_running_one_and_no_more(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "One", "hold": True}) as (session, it):
        first = _prompt(session, it)
        await it.client.until(lambda: it.client.said() == "One")
        waiting = [_prompt(session, it) for _ in range(MAX_QUEUED)]
        with pytest.raises(RpcError) as raised:
            _prompt(session, it)
        assert raised.value.code == INVALID_REQUEST
        assert "16 prompts wait" in raised.value.message
        session.cancel()
        assert {await _code(ticket) for ticket in (first, *waiting)} == {REQUEST_CANCELLED}


async def test_seventeen_prompts_in_one_burst_are_one_that_runs_and_sixteen_that_wait(tmp_path: Path) -> None:
    async with running(tmp_path, *({"text": "."} for _ in range(17))) as (session, it):
        tickets = [_prompt(session, it) for _ in range(17)]
        with pytest.raises(RpcError):
            _prompt(session, it)
        assert [await ticket.result() for ticket in tickets] == ["end_turn"] * 17


async def test_a_prompt_that_was_cancelled_while_it_waited_leaves_its_place_and_is_over_at_once(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, {"text": "One", "hold": True}) as (session, it):
        first = _prompt(session, it)
        await it.client.until(lambda: it.client.said() == "One")
        waiting = [_prompt(session, it) for _ in range(MAX_QUEUED)]
        waiting[3].cancel()
        assert await _code(waiting[3]) == REQUEST_CANCELLED
        assert not first.over
        _prompt(session, it)
        assert it.talk() == ["user: go"], "it was never recorded"


async def test_cancelling_one_running_prompt_lets_the_next_one_run(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "One", "hold": True}, {"text": "Two."}) as (session, it):
        first, second = _prompt(session, it, "a"), _prompt(session, it, "b")
        await it.client.until(lambda: it.client.said() == "One")
        first.cancel()
        assert await _code(first) == REQUEST_CANCELLED
        assert await second.result() == "end_turn"


async def test_a_cancellation_right_behind_a_prompt_finds_it_and_nothing_of_it_is_recorded(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "never"}) as (session, it):
        ticket = _prompt(session, it)
        session.cancel()
        assert await _code(ticket) == REQUEST_CANCELLED
        await session.claim(session.opened).result()
        assert it.store.events() == []
        assert it.requests == []


async def test_what_is_over_stays_as_it_is_when_it_is_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "Done."}) as (session, it):
        ticket = _prompt(session, it)
        assert await ticket.result() == "end_turn"
        ticket.cancel()
        session.cancel()
        assert (ticket.cancelled, await ticket.result()) == (False, "end_turn")


async def test_a_cancellation_ends_turns_and_not_the_opening_of_the_session(tmp_path: Path) -> None:
    release = anyio.Event()
    async with running(tmp_path, {"text": "Hi."}, opening=release.wait) as (session, it):
        load = session.claim(session.opened)
        ready = session.ready()
        await checkpoint()
        session.cancel()
        release.set()
        assert await load.result() is it.state
        assert await ready() is it.state


async def test_a_turn_that_is_cancelled_while_it_opens_the_session_leaves_the_next_one_to_open_it(
    tmp_path: Path,
) -> None:
    openings: list[anyio.Event] = []

    async def opening() -> None:
        openings.append(anyio.Event())
        await openings[-1].wait()

    async with running(tmp_path, {"text": "Hi."}, opening=opening) as (session, it):
        first, second = _prompt(session, it), _prompt(session, it)
        with anyio.fail_after(5):
            while not openings:
                await checkpoint()
        first.cancel()
        assert await _code(first) == REQUEST_CANCELLED
        with anyio.fail_after(5):
            while len(openings) < 2:
                await checkpoint()
        openings[1].set()
        assert await second.result() == "end_turn"


async def test_the_state_is_ready_as_soon_as_a_turn_has_opened_it(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "One", "hold": True}) as (session, it):
        _prompt(session, it)
        ready = session.ready()
        with anyio.fail_after(5):
            assert await ready() is it.state
        assert await session.ready()() is it.state


async def test_whoever_waits_for_a_session_that_cannot_be_opened_gets_the_reason(tmp_path: Path) -> None:
    async def opening() -> None:
        await checkpoint()
        session.abandon(error)  # as the manager does
        raise error

    error = RpcError(-32002, "Session not found.")
    async with running(tmp_path, opening=opening) as (session, it):
        first, ready, second = _prompt(session, it), session.ready(), _prompt(session, it)
        assert [await _code(first), await _code(second)] == [-32002, -32002]
        with pytest.raises(RpcError) as raised:
            await ready()
        assert raised.value is error


async def test_the_end_of_a_session_ends_what_runs_and_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    async with running(tmp_path, {"text": "One", "hold": True}) as (session, it):
        tickets = [_prompt(session, it), _prompt(session, it), session.claim(session.opened)]
        await it.client.until(lambda: it.client.said() == "One")
        session.end()
        assert {await _code(ticket) for ticket in tickets} == {REQUEST_CANCELLED}
        with anyio.fail_after(5):
            await session.closed()
        assert await _code(_prompt(session, it)) == REQUEST_CANCELLED


async def test_an_error_of_the_work_reaches_whoever_waits_and_the_session_goes_on(tmp_path: Path) -> None:
    error = {"error": {"kind": "auth", "message": "no key"}}
    async with running(tmp_path, error, {"text": "Hi."}) as (session, it):
        first, second = _prompt(session, it), _prompt(session, it)
        assert await _code(first) == -32603
        assert await second.result() == "end_turn"
