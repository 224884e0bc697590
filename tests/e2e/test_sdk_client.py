"""The official Python SDK's client drives the real process. Order is judged by the raw messages, not by callbacks."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import acp
import anyio
import pytest
from acp.connection import StreamDirection, StreamEvent
from acp.schema import AllowedOutcome, DeniedOutcome, RequestPermissionResponse

from tests.e2e.process import COMMAND, clean_environment, vendor_config
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer
from tests.schema.wire_lines import assert_agent_line_is_valid

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


class Person(acp.Client):
    """The client's side: answers every question with the same option."""

    def __init__(self, option: str | None) -> None:
        self.option = option
        self.updates: list[Any] = []
        self.asked: list[str] = []

    async def session_update(self, session_id: str, update: Any, **_more: Any) -> None:
        self.updates.append(update)

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Any, **_more: Any
    ) -> RequestPermissionResponse:
        self.asked.append(tool_call.tool_call_id)
        if self.option is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        assert self.option in [option.option_id for option in options]
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=self.option))


class Wire:
    """Every message in the order of the lines."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._pending: dict[Any, str] = {}
        self._more = anyio.Event()

    def observe(self, event: StreamEvent) -> None:
        incoming = event.direction is StreamDirection.INCOMING
        if not incoming and "id" in event.message and "method" in event.message:
            self._pending[event.message["id"]] = event.message["method"]
        self.messages.append(("agent" if incoming else "client", event.message))
        self._more.set()
        self._more = anyio.Event()

    def check(self) -> None:
        for who, message in self.messages:
            if who == "agent":
                assert_agent_line_is_valid(message, self._pending)

    async def until_said(self, text: str) -> None:
        with anyio.fail_after(10):
            while not any(text in json.dumps(message) for who, message in self.messages if who == "agent"):
                await self._more.wait()

    def kinds(self, start: int = 0) -> list[str]:
        """The agent's messages in short: the kind of an update with its status, a method, or `answer`."""
        found = []
        for who, message in self.messages[start:]:
            if who != "agent":
                continue
            update = message.get("params", {}).get("update", {})
            kind = update.get("sessionUpdate") or message.get("method") or "answer"
            found.append(f"{kind} {update['status']}" if "status" in update else kind)
        return found


@asynccontextmanager
async def connected(vendor: Vendor, home: Path, person: Person) -> AsyncIterator[tuple[Any, Wire]]:
    wire = Wire()
    environment = clean_environment(home, vendor_config(vendor))
    async with acp.spawn_agent_process(
        person, *COMMAND, env=environment, cwd=home, observers=[wire.observe], transport_kwargs={"limit": 10_000_000}
    ) as (connection, process):
        answer = await connection.initialize(protocol_version=acp.PROTOCOL_VERSION)
        assert answer.protocol_version == 1
        assert answer.agent_capabilities.load_session is True
        yield connection, wire
        process.stdin.write_eof()
        with anyio.fail_after(5):
            assert await process.stderr.read() == b""
            assert await process.wait() == 0
    wire.check()


@pytest.fixture(autouse=True)
def no_complaint_of_the_sdk(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_conversation_with_tools_permissions_modes_and_a_reload(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [
        Answer(["Hello ", "there."]),
        Answer("I run it. ", calls=[bash("echo ran > ran; echo out")]),
        Answer("Done."),
    ]
    person = Person("allow_once")
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        assert [mode.id for mode in session.modes.available_modes] == ["build", "plan"]

        first = await connection.prompt(session_id=id, prompt=[acp.text_block("hi")])
        assert first.stop_reason == "end_turn"
        assert wire.kinds()[2:] == ["agent_message_chunk", "agent_message_chunk", "usage_update", "answer"]

        start = len(wire.messages)
        second = await connection.prompt(session_id=id, prompt=[acp.text_block("run it")])
        assert second.stop_reason == "end_turn"
        kinds = [kind for at, kind in enumerate(wire.kinds(start)) if kind != "tool_call_update in_progress" or at < 5]
        assert kinds == [
            "agent_message_chunk",
            "tool_call pending",
            "usage_update",
            "session/request_permission",
            "tool_call_update in_progress",
            "tool_call_update completed",
            "agent_message_chunk",
            "usage_update",
            "answer",
        ]
        assert (project / "ran").read_text() == "ran\n"
        assert len(person.asked) == 1

        await connection.set_session_mode(session_id=id, mode_id="plan")
        options = await connection.set_config_option(config_id="mode", session_id=id, value="build")
        assert {option.id: option.current_value for option in options.config_options} == {
            "model": "fake/small",
            "mode": "build",
        }
        await connection.close_session(session_id=id)
        start = len(wire.messages)
        await connection.load_session(cwd=str(project), session_id=id, mcp_servers=[])
        assert wire.kinds(start) == [
            "user_message_chunk",
            "agent_message_chunk",
            "usage_update",
            "user_message_chunk",
            "agent_message_chunk",
            "usage_update",
            "tool_call completed",
            "agent_message_chunk",
            "usage_update",
            "answer",
        ]
        listed = await connection.list_sessions(cwd=str(project))
        assert [each.session_id for each in listed.sessions] == [id]


@pytest.mark.parametrize("option", ["reject_once", None], ids=["rejected", "dismissed"])
async def test_a_refused_call_is_not_run(vendor: Vendor, project: Path, tmp_path: Path, option: str | None) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo > ran")]), Answer("Then not.")]
    person = Person(option)
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])

        answer = await connection.prompt(session_id=session.session_id, prompt=[acp.text_block("run")])

        assert answer.stop_reason == "end_turn"
        assert "tool_call_update failed" in wire.kinds()
        assert not (project / "ran").exists()
        assert len(person.asked) == 1


async def test_a_cancelled_turn_says_so_and_the_next_one_works(vendor: Vendor, project: Path, tmp_path: Path) -> None:
    vendor.replies += [Answer("Working.", pause=Event()), Answer("Next.")]
    async with connected(vendor, tmp_path, Person(None)) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        reasons = []

        async def ask() -> None:
            answer = await connection.prompt(session_id=id, prompt=[acp.text_block("work")])
            reasons.append(answer.stop_reason)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await wire.until_said("Working.")
                await connection.cancel(session_id=id)
        await ask()

        assert reasons == ["cancelled", "end_turn"]
