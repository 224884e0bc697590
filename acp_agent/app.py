"""The composition root: the only place that knows every layer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import anyio

from acp_agent.agent.agent import Agent
from acp_agent.agent.handshake import Handshake
from acp_agent.client.bounds import merge
from acp_agent.llm.models import Models, ProviderSettings
from acp_agent.log import NO_LOG, Log
from acp_agent.places import data_directory
from acp_agent.rpc.connection import Connection
from acp_agent.rpc.transport import Transport
from acp_agent.session.ids import Ids
from acp_agent.session.manager import SessionManager
from acp_agent.session.opening import Opening
from acp_agent.session.record.sqlite_store import SqliteStore
from acp_agent.session.state import Services
from acp_agent.tools import BUILTIN
from acp_agent.tools.base import Tool
from acp_agent.tools.process_exit import kill_descendants

CLOSE_SECONDS = 0.6
EXIT_SECONDS = 0.9


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs between the process and a test: log, ids, clock, tools, models, and where sessions are kept."""

    log: Log = NO_LOG
    new_id: Callable[[str], str] = field(default_factory=Ids)
    clock: Callable[[], float] = time.time
    store: Path | None = None
    tools: Sequence[Tool[Any]] = BUILTIN
    models: Callable[[Sequence[ProviderSettings], str | None], Models] = Models


class App:
    """One agent process: its services, and the sessions in it."""

    def __init__(self, settings: Settings) -> None:
        path = settings.store or data_directory() / "sessions.db"
        self.log = settings.log
        self.store = SqliteStore(path, settings.new_id, settings.clock)
        tools = {tool.name: tool for tool in settings.tools}
        services = Services(self.store, tools, settings.log, settings.clock, settings.new_id)
        self.opening = Opening(services, settings.models)

    async def serve(
        self, transport: Transport, handshake: Handshake, on_end: Callable[[], None] = lambda: None
    ) -> None:
        """Serve one client until it sends nothing more; every turn and every process ends with it.

        `on_end` is called as soon as that is so.
        """
        async with self.opening.pool.running(), anyio.create_task_group() as tasks:
            sessions = SessionManager(self.opening, tasks)
            agent = Agent(handshake, sessions, self.store, self.log, on_end)
            connection = Connection(transport, agent, self.log, merge)
            agent.connect(connection)
            try:
                await connection.run()
            finally:
                with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                    await sessions.close_all()
                    await self.opening.close()
                    await self.store.close()
                tasks.cancel_scope.cancel()

    def exit_soon(self) -> None:
        """End the process within `EXIT_SECONDS`, whatever still hangs: with every child killed, and status 0."""

        def leave() -> None:
            time.sleep(EXIT_SECONDS)
            self.leave()

        threading.Thread(target=leave, name="exit", daemon=True).start()

    def leave(self) -> NoReturn:
        """Kill whatever came from this process and exit with status 0, at once.

        A thread may still wait for a client that neither reads nor closes; it is left behind.
        """
        self.kill_children()
        kill_descendants()
        os._exit(0)

    def kill_children(self) -> None:
        """Kill every process that any session started, without waiting."""
        for table in self.opening.processes:
            table.kill_all_now()
