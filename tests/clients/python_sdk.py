"""The official Python SDK as a client of the real process; `tests/e2e/test_sdk_client.py` drives it, without npm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import acp
import anyio
from acp.connection import StreamDirection, StreamEvent
from acp.schema import (
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    FileSystemCapabilities,
    ReadTextFileResponse,
    RequestPermissionResponse,
)

from tests.clients.wire import Wire
from tests.e2e.process import COMMAND, clean_environment, vendor_config
from tests.fakes.vendor import Vendor

AT_ANY_TIME = {
    "available_commands_update",
    "config_option_update",
    "current_mode_update",
    "session_info_update",
    "usage_update",
}


class Person(acp.Client):
    """The client's side: answers every question with the same option, and keeps files in the editor.

    The option `hold` leaves a question open until the person gave up.
    """

    def __init__(self, option: str | None, **buffers: str) -> None:
        self.option = option
        self.buffers = buffers
        self.updates: list[Any] = []
        self.asked: list[str] = []
        self.gave_up = anyio.Event()

    async def session_update(self, session_id: str, update: Any, **_more: Any) -> None:
        self.updates.append(update)

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Any, **_more: Any
    ) -> RequestPermissionResponse:
        self.asked.append(tool_call.tool_call_id)
        if self.option == "hold":
            await self.gave_up.wait()
        if self.option in (None, "hold"):
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        assert self.option in [option.option_id for option in options]
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=self.option))

    async def read_text_file(self, session_id: str, path: str, **more: Any) -> ReadTextFileResponse:
        assert {name for name, value in more.items() if value is not None} == set(), "whole files only"
        if Path(path).name not in self.buffers:
            raise acp.RequestError.resource_not_found(path)
        return ReadTextFileResponse(content=self.buffers[Path(path).name])

    async def write_text_file(self, session_id: str, path: str, content: str, **_more: Any) -> None:
        self.buffers[Path(path).name] = content


class Observed(Wire):
    """The wire as the SDK lets it be observed."""

    def __init__(self) -> None:
        super().__init__()
        self._more = anyio.Event()

    def observe(self, event: StreamEvent) -> None:
        self.add("agent" if event.direction is StreamDirection.INCOMING else "client", event.message)
        self._more.set()
        self._more = anyio.Event()

    def course(self, start: int = 0) -> list[str]:
        """The agent's messages in short, without those that may come at any time."""
        return [kind for kind in self.kinds(start) if kind not in AT_ANY_TIME]

    async def until_shown(self, text: str) -> None:
        with anyio.fail_after(10):
            while not any(text in json.dumps(message) for who, message in self.messages if who == "agent"):
                await self._more.wait()


@asynccontextmanager
async def connected(vendor: Vendor, home: Path, person: Person) -> AsyncIterator[tuple[Any, Observed]]:
    wire = Observed()
    environment = clean_environment(home, vendor_config(vendor))
    async with acp.spawn_agent_process(
        person, *COMMAND, env=environment, cwd=home, observers=[wire.observe], transport_kwargs={"limit": 10_000_000}
    ) as (connection, process):
        answer = await connection.initialize(
            protocol_version=acp.PROTOCOL_VERSION,
            client_capabilities=ClientCapabilities(
                fs=FileSystemCapabilities(read_text_file=True, write_text_file=True)
            ),
        )
        assert answer.protocol_version == 1
        assert answer.agent_capabilities.load_session is True
        yield connection, wire
        process.stdin.write_eof()
        with anyio.fail_after(5):
            assert await process.stderr.read() == b""
            assert await process.wait() == 0
    wire.check()
