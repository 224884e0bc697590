"""The last thing that a process does: nothing that came from it lives on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from acp_agent.tools.process_search import list_processes, with_descendants

_ROUNDS = 5


def kill_descendants() -> None:
    """Kill every descendant of this process, those included that lost their parents and their marker (Linux).

    Orphans are ours once `adopt_orphans` was called. For a process that is about to exit and owns all its children.
    """
    if sys.platform != "linux":
        return
    ours = os.getpid()
    for _ in range(_ROUNDS):  # one may be born while the others die
        found = [
            process
            for process in with_descendants(list_processes(), lambda each: each.parent == ours)
            if process.pid != ours and not process.zombie
        ]
        if not found:
            return
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
