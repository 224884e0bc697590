"""A local MCP server as a process: lines in, lines out, the end of what it complained about, and its end for sure."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
from anyio.abc import Process

from acp_agent.tools.mcp.errors import ServerFailed, one_line
from acp_agent.tools.process import signal_name
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.truncate import OutputBuffer

MAX_LINE = 16 * 1024 * 1024

_CHUNK = 64 * 1024
_GRACE = 0.3
_REAPED_WITHIN = 0.5
_LAST_WORDS = 0.2

_LOST = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)


class ServerProcess:
    """A running server that leads a process group of its own, known to the table under `call_id`."""

    def __init__(self, process: Process, table: ProcessTable, call_id: str) -> None:
        self._process = process
        self._table = table
        self._call_id = call_id
        self._complaints = OutputBuffer(1024, 3 * 1024)

    async def lines(self) -> AsyncIterator[bytes]:
        """What it writes to its output, line by line, until its output ends; lines above 16 MiB are left out."""
        assert self._process.stdout is not None
        begun = bytearray()
        too_long = False
        while True:
            try:
                chunk = await self._process.stdout.receive(_CHUNK)
            except _LOST:
                return
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                line = bytes(begun) + part
                begun.clear()
                if not too_long:
                    yield line
                too_long = False
            if len(begun) + len(rest) > MAX_LINE:
                begun.clear()
                too_long = True
            elif not too_long:
                begun += rest

    async def write(self, data: bytes) -> None:
        """Write to its input. Raises anyio's `BrokenResourceError` or `ClosedResourceError` when it reads no more."""
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send(data)
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def listen(self) -> None:
        """Read its stderr until that ends, and keep the first and the last of it. Runs beside everything else."""
        assert self._process.stderr is not None
        with suppress(*_LOST):
            while True:
                self._complaints.append(await self._process.stderr.receive(_CHUNK))

    async def stop(self) -> None:
        """End it and all that it started: a request, force after 0.3 s. Is not cancelled, and takes 1.5 s at most."""
        with anyio.CancelScope(shield=True):
            assert self._process.stdin is not None
            with anyio.move_on_after(_LAST_WORDS):
                await self._process.stdin.aclose()
            await self._table.end(self._process.pid, self._call_id, _GRACE)
            with anyio.move_on_after(_REAPED_WITHIN):
                await self._process.wait()
                await self._process.aclose()

    async def ending(self) -> str:
        """How it ended by itself, with the end of what it wrote to stderr; once nothing else reads from it."""
        with anyio.move_on_after(_LAST_WORDS):
            await self._process.wait()
            await self.listen()
        code = self._process.returncode
        if code is None:
            said = "it closed its output"
        elif code < 0:
            said = f"it was ended by {signal_name(-code)}"
        else:
            said = f"it ended with exit code {code}"
        last = [line for line in self._complaints.text().splitlines() if line.strip()][-3:]
        return f"{said}: {one_line(' / '.join(last), 300)}" if last else said


async def start_server(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], table: ProcessTable, call_id: str
) -> ServerProcess:
    """Start a server. `environment` is all that it gets. Raises `ServerFailed`."""
    name, value = table.marker(call_id)
    table.before_start()
    try:
        # A cancellation in the middle of a start would leave a process that nobody knows.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                _arguments(command, environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**environment, name: value},
                start_new_session=sys.platform != "win32",
            )
            table.started(process.pid, call_id)
    except (OSError, ValueError) as error:
        raise ServerFailed(_not_started(command, cwd, error)) from error
    return ServerProcess(process, table, call_id)


def _arguments(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    if sys.platform == "win32":
        # npx and its like are batch files there, which are found by their whole name only.
        return [shutil.which(command[0], path=environment.get("PATH")) or command[0], *command[1:]]
    return list(command)


def _not_started(command: Sequence[str], cwd: Path, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "its command or environment holds a character that no process can be given"
    if not cwd.is_dir():
        return f"it was not started: {cwd} is not a directory"
    if error.errno == errno.ENOENT:
        hint = "" if os.sep in command[0] else " on PATH"
        return f"it was not started: there is no program {one_line(command[0], 100)}{hint}"
    return f"it was not started: {error.strerror or error}"
