"""Every process that the tools of one session started: which run, which stayed behind, and how they end.

A shell line runs in a session of its own, and each of its processes carries a marker in its environment. So a server
that was put into the background lives on for the next call, and nothing outlives the session.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import anyio
from anyio import to_thread

from acp_agent.tools.process_search import (
    MARKER,
    Process,
    adopt_orphans,
    has_marker,
    list_processes,
    with_descendants,
)

_FIRST_LOOK = 0.01
_LONGEST_LOOK = 0.08
_CLOSE_GRACE = 0.3
_KILLED_WITHIN = 0.5


class ProcessTable:
    """The processes of one session. Its marker is random, so two agents on a machine never see each other's."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._running: dict[int, str] = {}
        self._left: dict[int, Process] = {}
        self._adopting = False

    def marker(self, call_id: str) -> tuple[str, str]:
        """Name and value of the variable that marks the processes of a call."""
        return MARKER, f"{self._token}.{call_id}"

    def started(self, pid: int, call_id: str) -> None:
        """Register a shell that leads a session of its own."""
        self._running[pid] = call_id

    def before_start(self) -> None:
        """Prepare this process for children whose parents end before them; costs something only the first time."""
        if not self._adopting:
            self._adopting = True
            adopt_orphans()

    async def ended(self, pid: int) -> Sequence[int]:
        """Forget a shell that ended by itself; returns the process ids that it left running."""
        found = await to_thread.run_sync(self._look_after, pid, self._running[pid])
        self._running.pop(pid, None)
        return tuple(sorted(process.pid for process in found))

    def _look_after(self, pid: int, call_id: str) -> list[Process]:
        rows = list_processes()
        now = {process.pid: process for process in rows}
        for known in list(self._left.values()):
            process = now.get(known.pid)
            if process is None or process.started != known.started or process.zombie:
                del self._left[known.pid]
                _reap([process] if process is not None and process.started == known.started else [])
        found = [process for process in self._find(pid, call_id, rows) if process.pid != pid]
        _reap(found)
        survivors = [process for process in found if not process.zombie]
        self._left.update((process.pid, process) for process in survivors)
        return survivors

    async def end(self, pid: int, call_id: str, grace: float) -> None:
        """End a shell and all that it started: a request first, force after `grace` seconds.

        Takes at most half a second more, and is not cancelled.
        """
        with anyio.CancelScope(shield=True):
            await self._end(pid, call_id, grace)
        self._running.pop(pid, None)

    async def close(self) -> None:
        """End everything that was started and still runs, within a second. The table can be used again afterwards."""
        if not self._adopting:
            return
        with anyio.CancelScope(shield=True):
            await self._end(None, "", _CLOSE_GRACE)
        self._left.clear()

    def kill_all_now(self) -> None:
        """Kill everything that was started and still runs, without waiting: for a process that must exit now."""
        if not self._adopting:
            return
        known: dict[int, Process] = {}
        for _ in range(3):
            alive = [process for process in self._find(None, "", None, known) if not process.zombie]
            for pid in self._running:
                _signal_group(pid, force=True)
            if not alive:
                return
            _signal(alive, force=True)
            known.update((process.pid, process) for process in alive)

    async def _end(self, pid: int | None, call_id: str, grace: float) -> None:
        known: dict[int, Process] = {}
        if not await self._gone(pid, call_id, grace, known, force=False):
            await self._gone(pid, call_id, _KILLED_WITHIN, known, force=True)

    async def _gone(
        self, pid: int | None, call_id: str, seconds: float, known: dict[int, Process], *, force: bool
    ) -> bool:
        """Signal what is found, look again until nothing lives or the time is over. Adds what it found to `known`.

        The look comes before the first signal: once its parent is dead, a child without the marker is a stranger.
        """
        signalled: set[int] = set()
        groups = list(self._running) if pid is None else [pid]
        pause = _FIRST_LOOK
        deadline = anyio.current_time() + seconds
        while True:
            found = await to_thread.run_sync(self._find, pid, call_id, None, known)
            known.update((process.pid, process) for process in found)
            # A whole group at once: a shell whose child ends before it goes on to its next command.
            for group in groups:
                _signal_group(group, force=force)
            signalled.update(process.pid for process in found if process.group in groups)
            groups = []
            alive = [process for process in found if not process.zombie]
            _reap(process for process in found if process.pid not in self._running)
            if not alive:
                return True
            # Once is enough for a request, and a second one would cut the process's own clean-up short. A kill is
            # repeated, since a process may have been born between two looks.
            _signal([process for process in alive if force or process.pid not in signalled], force=force)
            signalled.update(process.pid for process in alive)
            if anyio.current_time() + pause >= deadline:
                return False
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    def _find(
        self,
        pid: int | None,
        call_id: str,
        rows: list[Process] | None = None,
        known: Mapping[int, Process] = MappingProxyType({}),
    ) -> list[Process]:
        """Processes of one shell, or with `pid` None of the whole table.

        A zombie has lost its marker, so those of `known` are found by their id.
        """
        shells = set(self._running) if pid is None else {pid}
        prefix = f"{self._token}." if pid is None else f"{self._token}.{call_id}\x00"

        def ours(process: Process) -> bool:
            if process.pid in shells or process.group in shells or process.session in shells:
                return True
            before = known.get(process.pid) or (self._left.get(process.pid) if pid is None else None)
            if before is not None and before.started == process.started:
                return True
            return not process.zombie and has_marker(process.pid, prefix)

        return with_descendants(list_processes() if rows is None else rows, ours)


def _signal_group(pid: int, *, force: bool) -> None:
    if sys.platform == "win32":
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, timeout=2, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL if force else signal.SIGTERM)


def _signal(processes: Sequence[Process], *, force: bool) -> None:
    if sys.platform == "win32":
        return
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL if force else signal.SIGTERM)


def _reap(processes: Iterable[Process]) -> None:
    """Collect adopted processes that ended. By id: collecting any child would steal those that others wait for."""
    if sys.platform == "win32":
        return
    for process in processes:
        if process.zombie and process.parent == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def discard_output(descriptor: int) -> None:
    """Read and drop what a process that stayed behind still writes: it must neither block nor die of a closed pipe.

    Takes over the descriptor. A daemon thread, because it has to live as long as those processes.
    """

    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 65536):
                pass
        os.close(descriptor)

    threading.Thread(target=drain, name="discard-output", daemon=True).start()
