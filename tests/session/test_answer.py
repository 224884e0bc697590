"""One answer: tried again only while nothing was shown, and kept on the disk while it streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from acp_agent.llm.scripted import Scripted
from acp_agent.rpc.messages import RpcError
from acp_agent.session.record import events
from tests.harness import call, tools
from tests.session.unit import NoteTool, bench

pytestmark = pytest.mark.anyio


def _soon(kind: str, message: str = "busy", after: float = 0.0) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "retry_after": after}}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "network"])
async def test_a_transient_error_before_anything_was_shown_is_tried_again(tmp_path: Path, kind: str) -> None:
    async with bench(tmp_path, _soon(kind), _soon(kind), {"text": "At last."}) as it:
        assert await it.run() == "end_turn"
        assert (it.client.said(), len(it.requests)) == ("At last.", 3)


async def test_three_tries_are_all_and_the_last_error_is_told(tmp_path: Path) -> None:
    steps = [_soon("overloaded", f"busy {number}") for number in (1, 2, 3)]
    async with bench(tmp_path, *steps, {"text": "never"}) as it:
        with pytest.raises(RpcError) as raised:
            await it.run()
        assert raised.value.data["retryable"] is True
        assert it.client.said() == "scripted/demo: busy 3."
        assert it.provider.remaining == 1


@pytest.mark.parametrize("kind", ["auth", "quota", "context_overflow", "bad_request", "not_found", "protocol"])
async def test_an_error_that_lasts_is_not_tried_again(tmp_path: Path, kind: str) -> None:
    async with bench(tmp_path, _soon(kind), {"text": "never"}) as it:
        with pytest.raises(RpcError):
            await it.run()
        assert len(it.requests) == 1


@pytest.mark.parametrize("shown", [{"text": "Well"}, {"thinking": "Hm"}, tools(call("note", text="a"))])
async def test_nothing_is_tried_again_once_something_was_shown(tmp_path: Path, shown: dict[str, Any]) -> None:
    async with bench(tmp_path, {**shown, **_soon("network")}, {"text": "never"}, tools=[NoteTool()]) as it:
        with pytest.raises(RpcError):
            await it.run()
        assert len(it.requests) == 1
        assert it.client.said().endswith("scripted/demo: busy.")
        assert all(states == ["pending", "failed"] for states in it.client.calls().values())


async def test_what_was_shown_before_an_error_is_recorded_and_sent_with_the_next_prompt(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "Part one.", **_soon("network")}, {"text": "Part two."}) as it:
        with pytest.raises(RpcError):
            await it.run("tell")
        await it.run("go on")
        assert it.talk() == ["user: tell", "model: Part one.", "user: go on", "model: Part two."]
        assert it.client.said() == "Part one.\n\nscripted/demo: busy.Part two."


async def test_a_wait_of_more_than_a_minute_is_not_waited_for(tmp_path: Path) -> None:
    async with bench(tmp_path, _soon("rate_limit", after=61.0), {"text": "never"}) as it:
        with pytest.raises(RpcError):
            await it.run()
        assert len(it.requests) == 1


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
async def test_tries_wait_as_long_as_the_vendor_says_else_longer_each_time(tmp_path: Path) -> None:
    times: list[float] = []

    class Timed(Scripted):
        def stream(self, request: Any) -> Any:
            times.append(anyio.current_time())
            return super().stream(request)

    plain = {"error": {"kind": "overloaded", "message": "busy"}}
    provider = Timed([_soon("rate_limit", after=59.0), plain, {"text": "ok"}])
    async with bench(tmp_path, provider=provider) as it:
        await it.run()
    first, second = times[1] - times[0], times[2] - times[1]
    assert first == 59.0
    assert 0.8 <= second <= 1.2


async def test_cancelled_while_it_waits_for_the_next_try_the_turn_ends_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, _soon("rate_limit", after=59.0)) as it:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(it.run)
                while not it.requests:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert it.client.updates == []


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
async def test_streamed_text_is_on_the_disk_at_most_250_ms_later_and_once_for_each_change(tmp_path: Path) -> None:
    shown: list[tuple[float, str]] = []

    async with bench(tmp_path, {"text": "one two three four ", "delay": 0.21}) as it:
        update_now = it.client.update_now

        def note(session_id: str, update: Any) -> None:
            update_now(session_id, update)
            if update.session_update != "agent_message_chunk":
                return
            shown.append((anyio.current_time(), it.client.said()))

        it.client.update_now = note  # type: ignore[method-assign]  # the fake's own seam
        await it.run()
        for time, text in shown[:-1]:  # the last one is in the record before a draft is due
            behind = [written for written, draft in it.store.draft_times if draft.startswith(text)]
            assert behind, text
            assert behind[0] - time <= 0.25, text
        texts = [text for _, text in it.store.draft_times]
        assert texts == list(dict.fromkeys(texts))
        assert it.store.drafts == {}


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
async def test_a_draft_goes_with_the_interrupted_answer_that_replaces_it(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "Half of", "hold": True}) as it:
        with anyio.move_on_after(1):
            await it.run()
        assert [text for _, text in it.store.draft_times] == ["Half of"]
        assert it.store.drafts == {}
        assert it.store.events()[-1] == events.AssistantMessage(
            message_id="msg_2",
            message={"content": [{"type": "text", "text": "Half of"}]},
            model="scripted/demo",
            interrupted=True,
        )


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
async def test_no_draft_is_written_after_the_answer_is_complete(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "Short."}) as it:
        await it.run()
        await anyio.sleep(1)  # of the test's clock
        assert it.store.draft_times == []


async def test_a_stream_that_ends_without_an_end_is_an_error_that_is_told(tmp_path: Path) -> None:
    class Torn(Scripted):
        def stream(self, request: Any) -> Any:
            from contextlib import asynccontextmanager

            outer = super().stream(request)

            @asynccontextmanager
            async def opened() -> Any:
                async with outer as stream:

                    class WithoutEnd:
                        snapshot = stream.snapshot

                        async def __aiter__(self) -> Any:
                            yield await stream.__aiter__().__anext__()

                    yield WithoutEnd()

            return opened()

    async with bench(tmp_path, provider=Torn([{"text": "Well then"}])) as it:
        with pytest.raises(RpcError):
            await it.run()
        assert it.client.said() == "Well \n\nscripted/demo ended its answer without saying so."
