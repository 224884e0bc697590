"""Start the agent for a client that knows only one fixed command, and give each process a trace file of its own.

    python launch.py FOLDER           the agent itself, with `--trace FOLDER/PID`
    python launch.py FOLDER CAPABILITY   the agent behind a go-between that hides a session capability

acpx takes `session/load` only where `session/resume` is not advertised; that is what the second form is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path


def main(folder: str, hidden: str = "") -> None:
    command = [sys.executable, "-m", "acp_agent", "acp", "--trace", str(Path(folder) / str(os.getpid()))]
    if not hidden:
        os.execv(sys.executable, command)
    agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    threading.Thread(target=_copy_input, args=(agent.stdin.fileno(),), daemon=True).start()
    for line in agent.stdout:
        sys.stdout.buffer.write(_without(hidden, line))
        sys.stdout.buffer.flush()
    os._exit(agent.wait())  # the copying thread may still wait for input


def _copy_input(to: int) -> None:
    while data := os.read(0, 65536):
        os.write(to, data)
    os.close(to)


def _without(hidden: str, line: bytes) -> bytes:
    message = json.loads(line)
    capabilities = message.get("result", {}).get("agentCapabilities", {})
    if hidden not in capabilities.get("sessionCapabilities", {}):
        return line
    del capabilities["sessionCapabilities"][hidden]
    return json.dumps(message).encode() + b"\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
