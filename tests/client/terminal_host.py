"""A client with terminals: real programs, started as one of two kinds of clients starts them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process

from acp_agent.rpc.messages import RpcError


@dataclass
class _Terminal:
    process: Process
    log: Path


class TerminalHost:
    """`joined`: arguments are joined with spaces, without quotes, and a shell reads them; else they are executed.

    `answer` may replace an answer: an exception is raised, `...` never comes, None stands for the usual one.
    """

    def __init__(self, folder: Path, *, joined: bool = False) -> None:
        self.folder = folder
        self.joined = joined
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.arrived = anyio.Event()
        self.answer: Callable[[str, dict[str, Any]], Any] = lambda _method, _params: None
        self.terminals: dict[str, _Terminal] = {}
        self.cancelled: list[str] = []
        self.undo: Any = None

    @property
    def methods(self) -> list[str]:
        """What was asked, without the first part of the names."""
        return [method.removeprefix("terminal/") for method, _ in self.asked]

    async def until(self, method: str) -> None:
        """Wait until this was asked."""
        with anyio.fail_after(10):
            while method not in self.methods:
                await self.arrived.wait()

    async def request(self, method: str, params: dict[str, Any], size: int = 256, undo: Any = None) -> Any:
        """As a connection does it; what to do with a result that comes too late is `undo`."""
        self.asked.append((method, params))
        self.arrived.set()
        self.arrived = anyio.Event()
        try:
            await anyio.lowlevel.checkpoint()
            answer = self.answer(method, params)
            if answer is ...:
                await anyio.sleep_forever()
            if isinstance(answer, Exception):
                raise answer
            return await self._answer(method, params) if answer is None else answer
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(method)
            self.undo = undo
            raise

    async def _answer(self, method: str, params: dict[str, Any]) -> Any:
        if method == "terminal/create":
            return await self._create(params)
        terminal = self.terminals.get(params["terminalId"])
        if terminal is None:
            raise RpcError(-32002, "no such terminal")
        match method:
            case "terminal/wait_for_exit":
                code = await terminal.process.wait()
                return {"exitCode": code} if code >= 0 else {"signal": signal.Signals(-code).name}
            case "terminal/output":
                return {"output": terminal.log.read_text("utf-8", "replace"), "truncated": False}
            case "terminal/kill":
                self._kill(terminal)
            case "terminal/release":
                self._kill(terminal)
                await terminal.process.wait()
                del self.terminals[params["terminalId"]]
        return {}

    async def _create(self, params: dict[str, Any]) -> Any:
        name = f"term-{len(self.asked)}"
        log = self.folder / name
        argv = [params["command"], *params["args"]]
        with log.open("wb") as output:
            process = await anyio.open_process(
                ["sh", "-c", " ".join(argv)] if self.joined else argv,
                cwd=params["cwd"],
                env={**os.environ, **{each["name"]: each["value"] for each in params["env"]}},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.terminals[name] = _Terminal(process, log)
        return {"terminalId": name}

    @staticmethod
    def _kill(terminal: _Terminal) -> None:
        if terminal.process.returncode is None:
            with suppress(ProcessLookupError):  # it may have ended at this moment
                os.killpg(terminal.process.pid, signal.SIGKILL)
