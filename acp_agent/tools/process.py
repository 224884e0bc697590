"""Running one shell line: its output as it comes, its end as it was, and nothing left behind by accident.

The pipe is our own and the shell gets only its descriptor, so that the end of the *process* ends the call: a server in
the background may hold the pipe for hours.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

import anyio
from anyio import to_thread
from anyio.abc import Process

from acp_agent.tools.base import ToolError
from acp_agent.tools.process_table import ProcessTable, discard_output
from acp_agent.tools.truncate import OutputBuffer, Unshown
from acp_agent.tools.workspace import Command, CommandResult, OnOutput, Output

_REPORT_EVERY = 0.1
_REPORTED = 8 * 1024
_UNSHOWN = 1024 * 1024
_DRAIN = 0.2
_GRACE_TIMEOUT = 1.0
_GRACE_CANCEL = 0.2
_REAPED_WITHIN = 0.5


async def run_shell(
    command: Command, environment: Mapping[str, str], processes: ProcessTable, on_output: OnOutput
) -> CommandResult:
    """Run a shell line to its end, its timeout or a cancellation; raises `ToolError` if it cannot start."""
    reader, process = await _start(command, environment, processes)
    run = _Run(command, reader, process, processes)
    try:
        return await run.watch(on_output)
    except BaseException:
        # Whatever ends the call early, a cancellation above all: nothing that it started goes on unseen.
        await run.stop(_GRACE_CANCEL)
        raise
    finally:
        run.release()


async def _start(command: Command, environment: Mapping[str, str], processes: ProcessTable) -> tuple[int, Process]:
    await anyio.lowlevel.checkpoint()
    name, value = processes.marker(command.call_id)
    arguments = [*_shell(environment), command.line]
    processes.before_start()
    reader, writer = os.pipe()
    try:
        # A cancellation in the middle of a start would leave a process that nobody knows.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=command.cwd,
                env={**environment, name: value},
                start_new_session=sys.platform != "win32",
            )
        processes.started(process.pid, command.call_id)
    except (OSError, ValueError) as error:
        os.close(reader)
        raise ToolError(_start_failure(command, error)) from error
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return reader, process


def _shell(environment: Mapping[str, str]) -> list[str]:
    """The shell's own arguments, the line to come last; `--` because a line may begin with a dash."""
    path = environment.get("PATH")
    if sys.platform == "win32":
        git = shutil.which("git", path=path)
        candidates = [os.path.join(os.path.dirname(os.path.dirname(git)), "bin", "bash.exe")] if git else []
        bash = next(filter(os.path.exists, candidates), None) or shutil.which("bash", path=path)
    else:
        bash = shutil.which("bash", path=path) or next(filter(os.path.exists, ("/bin/bash", "/usr/bin/bash")), None)
    if bash:
        return [bash, "--noprofile", "--norc", "-c", "--"]
    if sys.platform == "win32":
        raise ToolError("No bash was found. Install Git for Windows, which brings one, or put bash on PATH.")
    return ["/bin/sh", "-c", "--"]


def _start_failure(command: Command, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "The command holds a character that no process can be given (NUL, or half of a surrogate pair)."
    if not command.cwd.is_dir():
        return f"The command was not started: {command.cwd} is not a directory."
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return (
            f"The command was not started: {len(command.line)} characters are more than the system takes. "
            "Write them to a file with the write tool and run that file."
        )
    return f"The command was not started: {error}."


class _Run:
    """One shell line under way."""

    def __init__(self, command: Command, reader: int, process: Process, processes: ProcessTable) -> None:
        self._command = command
        self._reader = reader
        self._process = process
        self._processes = processes
        self._buffer = OutputBuffer()
        self._unshown = Unshown(_UNSHOWN)
        self._news = anyio.Event()
        self._pumped = anyio.Event()
        self._left: tuple[int, ...] = ()
        self._begin = anyio.current_time()

    async def watch(self, on_output: OnOutput) -> CommandResult:
        """Wait for the process, not for the pipe."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pump)
            tasks.start_soon(self._report, on_output)
            with anyio.move_on_after(self._command.timeout):
                await self._process.wait()
            timed_out = self._process.returncode is None
            if timed_out:
                await self.stop(_GRACE_TIMEOUT)
            else:
                self._left = tuple(await self._processes.ended(self._process.pid))
            duration = anyio.current_time() - self._begin
            with anyio.move_on_after(_DRAIN):
                await self._pumped.wait()
            tasks.cancel_scope.cancel()
        return self._result(duration, timed_out)

    def _result(self, duration: float, timed_out: bool) -> CommandResult:
        code = self._process.returncode
        by_signal = not timed_out and code is not None and code < 0
        return CommandResult(
            output=self._buffer.text(),
            total_bytes=self._buffer.total,
            duration=duration,
            exit_code=None if timed_out or by_signal else code,
            signal=signal_name(-code) if by_signal and code is not None else None,
            timed_out=timed_out,
            left_running=self._left,
            unshown=self._unshown.text(final=True)[0],
        )

    async def stop(self, grace: float) -> None:
        """End the shell and what it started, and collect it."""
        await self._processes.end(self._process.pid, self._command.call_id, grace)
        with anyio.CancelScope(shield=True), anyio.move_on_after(_REAPED_WITHIN):
            await self._process.wait()

    def release(self) -> None:
        """Give the pipe back, or leave it to those who still write to it."""
        if self._left and not self._pumped.is_set():
            discard_output(self._reader)
        else:
            os.close(self._reader)

    async def _pump(self) -> None:
        while data := await _read(self._reader):
            self._buffer.append(data)
            self._unshown.append(data)
            self._news.set()
        self._pumped.set()

    async def _report(self, on_output: OnOutput) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            new, place = self._unshown.text()
            await on_output(Output(self._buffer.last(_REPORTED), new))
            self._unshown.shown(place)  # only now: a client that lags may never take it
            await anyio.sleep(_REPORT_EVERY)


async def _read(descriptor: int) -> bytes:
    if sys.platform == "win32":
        return await to_thread.run_sync(os.read, descriptor, 65536, abandon_on_cancel=True)
    await anyio.wait_readable(descriptor)
    return os.read(descriptor, 65536)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 99` for a number without a name."""
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
