"""Finding the processes that a command started, the ones included that left its process group or its parents.

On Linux from /proc: by a marker in the environment, by parent, by session. Elsewhere by parent and group, from `ps`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MARKER = "ACP_AGENT_CALL"

_LOOKS = 4

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Process:
    """One row of the process list. `started` tells a process from a later one with the same id."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    zombie: bool


def list_processes() -> list[Process]:
    """Every process of the machine that can be seen; nothing on Windows."""
    if sys.platform == "win32":
        return []
    if sys.platform != "linux":
        return _from_ps()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = _from_proc(int(name))
            if process is not None:
                found.append(process)
    return found


def _from_proc(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            data = file.read()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    fields = data[data.rfind(b")") + 2 :].split()
    state, parent, group, session = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
    return Process(pid, parent, group, session, int(fields[19]), state in (b"Z", b"X"))


def _from_ps() -> list[Process]:
    # `sess` is an address on macOS, so the session is left unknown there.
    try:
        listing = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,pgid=,stat=,lstart="], capture_output=True, timeout=1, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in listing.splitlines():
        fields = line.split(None, 4)
        if len(fields) == 5 and all(field.isdigit() for field in fields[:3]):
            pid, parent, group = (int(field) for field in fields[:3])
            started = zlib.crc32(fields[4].strip())
            found.append(Process(pid, parent, group, 0, started, fields[3].startswith(b"Z")))
    return found


def has_marker(pid: int, prefix: str) -> bool:
    """Whether the process was started with a marker that begins with `prefix`. Always false outside Linux."""
    if sys.platform != "linux":
        return False
    environ = b""
    for attempt in range(_LOOKS):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
            if environ or not os.readlink(f"/proc/{pid}/exe"):
                break
        except OSError:
            break  # not ours to see, gone, or a part of the kernel
        # Between two programs a process shows no environment for a moment.
        time.sleep(attempt * 0.001)
    wanted = f"{MARKER}={prefix}".encode()
    return environ.startswith(wanted) or b"\x00" + wanted in environ


def with_descendants(processes: Iterable[Process], chosen: Callable[[Process], bool]) -> list[Process]:
    """The chosen processes and everything below them. This process and its own parents are never among them."""
    children: dict[int, list[Process]] = {}
    rows = list(processes)
    for process in rows:
        children.setdefault(process.parent, []).append(process)
    found: dict[int, Process] = {}
    waiting = [process for process in rows if chosen(process)]
    while waiting:
        process = waiting.pop()
        if process.pid not in found and process.pid not in (0, 1, os.getpid(), os.getppid()):
            found[process.pid] = process
            waiting.extend(children.get(process.pid, ()))
    return list(found.values())


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that it can be found. Only on Linux."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
