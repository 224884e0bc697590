"""One connection to one server, from the handshake to its end. It is used up then; whoever wants more makes another.

Everything of it lives in one task, `run`. Whoever uses it only hands requests in, so a session that ends, or a turn
that is cancelled, takes nothing down that others use.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import anyio
from anyio import to_thread

from acp_agent.log import Log
from acp_agent.tools.mcp.answers import HttpAnswers
from acp_agent.tools.mcp.errors import ServerFailed, ServerGone, ServerRefused, one_line
from acp_agent.tools.mcp.offers import Offers, read_offers
from acp_agent.tools.mcp.process import start_server
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.process_table import ProcessTable

if TYPE_CHECKING:
    from acp_agent.tools.mcp.sdk import McpSession

State: TypeAlias = Literal["joining", "ready", "failed", "stopped"]

_SDK = "acp_agent.tools.mcp.sdk"
_BREATH = 0.02
_BREATH_BEFORE_LOADING = 0.1
"""Seconds for the response that joining must not hold up, and for more sessions that a client opens in a row."""

_GOODBYE = 0.3
_GATHER = 0.1
_REREAD_EVERY = 0.5
_SILENCE = 600.0


class OnProgress(Protocol):
    """Hears how far a call is: a number that grows, what it grows to, and a word about it, if the server gives them."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Take it in."""


@dataclass(frozen=True, slots=True)
class JoinedFor:
    """Where a server is joined for: the roots it may hear of, the first one its working directory; its variables."""

    roots: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """A connection that is being joined, is ready, or is over. `detail` says why it failed."""

    def __init__(
        self, spec: ServerSpec, joined_for: JoinedFor, processes: ProcessTable, call_id: str, log: Log
    ) -> None:
        self.spec = spec
        self.state: State = "joining"
        self.detail = ""
        self.transport: str = spec.transport
        self.offers = Offers()
        self._joined_for = joined_for
        self._processes = processes
        self._call_id = call_id
        self._log = log
        self._session: McpSession | None = None
        self._answers: HttpAnswers | None = None
        self._watchers: list[Callable[[], None]] = []
        self._scope = anyio.CancelScope()
        self._over = anyio.Event()
        self._settled = anyio.Event()
        self._ended = anyio.Event()
        self._changed = anyio.Event()
        self._stopping = False
        self._junk = 0
        self._junk_line = ""

    def watch(self, told: Callable[[], None]) -> None:
        """Have a plain function called whenever the state or the offers change."""
        self._watchers.append(told)

    def unwatch(self, told: Callable[[], None]) -> None:
        """Undo `watch`."""
        if told in self._watchers:
            self._watchers.remove(told)

    @property
    def alive(self) -> bool:
        """Whether it is ready, or may become so."""
        return self.state in ("joining", "ready") and not self._stopping and not self._over.is_set()

    async def settled(self) -> None:
        """Wait until it is ready or failed."""
        await self._settled.wait()

    async def ended(self) -> None:
        """Wait until it is over."""
        await self._ended.wait()

    async def stop(self) -> None:
        """End it: a goodbye if there is time, then for sure. Waits until nothing of it is left."""
        self._stopping = True
        self._over.set()
        if self._settled.is_set():
            self._scope.deadline = min(self._scope.deadline, anyio.current_time() + _GOODBYE)
        else:
            self._scope.cancel()
        await self._ended.wait()

    async def ask(self, method: str, params: dict[str, Any], on_progress: OnProgress | None = None) -> dict[str, Any]:
        """The result of a request. Raises `ServerGone` and `ServerRefused`; the latter also after ten silent minutes.

        A cancellation is passed on to the server, and waits for nothing.
        """
        session = self._session
        if session is None:
            raise ServerGone(self.detail or "it is not connected", delivered=False)

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            silence.deadline = anyio.current_time() + _SILENCE
            if on_progress is not None:
                await on_progress(progress, total, message)

        with anyio.CancelScope(deadline=anyio.current_time() + _SILENCE) as silence:
            try:
                return await session.ask(method, params, heard if on_progress is not None else None)
            except (ServerRefused, ServerGone) as error:
                if self._answers is not None and self._answers.forgotten:
                    raise ServerGone("it forgot the session", delivered=False) from error
                raise
        raise ServerRefused(f"it said nothing for {_SILENCE / 60:.0f} minutes, so the call was given up")

    async def run(self) -> None:
        """Join the server and stay connected until `stop`, or until the server ends. The connection's own task."""
        try:
            said = await self._whole_life()
            self.detail = "" if self._stopping else said
        finally:
            self._session = None
            self.state = "stopped" if self._stopping else "failed"
            self._log("mcp.ended", server=self.spec.name, state=self.state, detail=self.detail, junk=self._junk)
            self._over.set()
            self._settled.set()
            self._ended.set()
            self._tell()

    async def _whole_life(self) -> str:
        with self._scope:
            try:
                await anyio.sleep(_BREATH if _SDK in sys.modules else _BREATH_BEFORE_LOADING)
                sdk = await to_thread.run_sync(_load, abandon_on_cancel=True)
            except ImportError as error:
                return f"this installation is broken, install it again ({one_line(str(error), 200)})"
        if self._scope.cancelled_caught:
            return ""
        if self.spec.transport != "remote":
            return await self._attempt(sdk, self.spec.transport)
        said = await self._attempt(sdk, "http")
        if self._settled.is_set() or self._stopping or self._answers is None or not self._answers.older:
            return said
        # As the specification of MCP advises: what refuses a message may speak the former transport.
        again = await self._attempt(sdk, "sse")
        return again if self._settled.is_set() else said

    async def _attempt(self, sdk: ModuleType, transport: str) -> str:
        """Join over one transport and stay until the end; returns why it ended or failed."""
        self.transport = transport
        self._answers = None
        seconds = self.spec.timeout
        said = ""
        with anyio.CancelScope(deadline=anyio.current_time() + seconds) as self._scope:
            if self._stopping:
                return ""
            self._over = anyio.Event()
            try:
                if transport == "stdio":
                    await self._with_process(sdk)
                else:
                    await self._with_address(sdk, transport)
            except ServerFailed as error:
                return str(error)
            except sdk.FAILURES as error:
                problem = self._answers.problem if self._answers is not None else None
                said = problem or sdk.reason(error)
            else:
                said = "it closed the connection"
        if self._scope.cancelled_caught and not self._settled.is_set():
            wrote = f"; what it writes is no message: {self._junk_line}" if self._junk_line else ""
            return f"it was not ready within {seconds:g} seconds{wrote}"
        return said

    async def _with_process(self, sdk: ModuleType) -> None:
        directory = _directory(self._joined_for.roots[0], self.spec.cwd or "")
        environment = {**self._joined_for.environment, **dict(self.spec.environment)}
        process = await start_server(self.spec.command, directory, environment, self._processes, self._call_id)
        try:
            try:
                await self._talk(sdk, sdk.over_process(process, self._on_junk))
            except sdk.FAILURES:
                if not self._over.is_set():
                    raise
            # How the process ended says more than any error that came of it.
            raise ServerFailed(await process.ending())
        finally:
            await process.stop()

    async def _with_address(self, sdk: ModuleType, transport: str) -> None:
        self._answers = HttpAnswers(sse=transport == "sse", on_lost=self._over.set)
        over: Callable[..., AbstractAsyncContextManager[Any]] = sdk.over_sse if transport == "sse" else sdk.over_http
        await self._talk(sdk, over(self.spec.url, self.spec.headers, self._answers))

    async def _talk(self, sdk: ModuleType, transport: AbstractAsyncContextManager[Any]) -> None:
        async with sdk.join(transport, self._joined_for.roots, self._on_change, self._over.set) as session:
            self.offers = await read_offers(session.ask, session.capabilities, session.instructions)
            self._scope.deadline = math.inf
            if self._answers is not None:
                self._answers.joined = True
            self._session = session
            self.state = "ready"
            self._settled.set()
            self._log("mcp.joined", server=self.spec.name, transport=self.transport, tools=len(self.offers.tools))
            self._tell()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.watch_lists, self._on_change)
                tasks.start_soon(self._reread, session)
                await self._over.wait()
                self._session = None
                tasks.cancel_scope.cancel()

    async def _reread(self, session: McpSession) -> None:
        """Read the offers again when they changed; a hundred notifications in a row are one change."""
        while True:
            await self._changed.wait()
            await anyio.sleep(_GATHER)
            self._changed = anyio.Event()
            try:
                offers = await read_offers(session.ask, session.capabilities, session.instructions)
            except (ServerRefused, ServerGone) as error:
                self._log("mcp.not_reread", server=self.spec.name, error=str(error))
                continue
            if offers != self.offers:
                self.offers = offers
                self._tell()
            await anyio.sleep(_REREAD_EVERY)

    def _on_change(self) -> None:
        self._changed.set()

    def _on_junk(self, line: str) -> None:
        self._junk += 1
        if self._junk == 1:
            self._junk_line = one_line(line, 200)
            self._log("mcp.junk", level="WARN", server=self.spec.name, line=self._junk_line)

    def _tell(self) -> None:
        for told in list(self._watchers):
            told()


def _directory(base: Path, cwd: str) -> Path:
    return Path(os.path.abspath(base / os.path.expanduser(cwd)))


def _load() -> ModuleType:
    """The SDK. Half a second and more, so never on the event loop."""
    from acp_agent.tools.mcp import sdk

    return sdk
