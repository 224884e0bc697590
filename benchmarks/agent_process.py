"""An agent process to measure: spawned in a scratch home, driven raw, with the time of every line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "acp_agent", "acp")


class AgentProcess:
    """Starts at construction; `started` is the monotonic time just before."""

    def __init__(self, home: Path, config: Mapping[str, Any], command: Sequence[str] = COMMAND) -> None:
        passed_on = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
        self.environment = {
            **passed_on,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "OPENCODE_CONFIG_CONTENT": json.dumps(config),
            **{name: "benchmark" for name in ("ANTHROPIC_API_KEY",) if "anthropic" in json.dumps(config)},
        }
        self.cwd = home / "project"
        self.cwd.mkdir(parents=True, exist_ok=True)
        self._ids = 0
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, cwd=self.cwd
        )

    def __enter__(self) -> AgentProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(5)

    def send(self, method: str, params: Any) -> int:
        """Send a request; gives its id."""
        self._ids += 1
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return self._ids

    def read(self) -> tuple[float, dict[str, Any]]:
        """The next line and its time of arrival."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        arrived = time.monotonic()
        if not line:
            raise RuntimeError("the agent is gone")
        message: dict[str, Any] = json.loads(line)
        return arrived, message

    def call(self, method: str, params: Any, seen: Callable[[float, dict[str, Any]], None] | None = None) -> Any:
        """Make a request and wait for its result; `seen` gets every line before it."""
        id = self.send(method, params)
        while True:
            arrived, message = self.read()
            if message.get("id") == id and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]
            if seen:
                seen(arrived, message)

    def open(self) -> str:
        """`initialize` and `session/new`; gives the session id."""
        self.call("initialize", {"protocolVersion": 1})
        return str(self.call("session/new", {"cwd": str(self.cwd), "mcpServers": []})["sessionId"])

    def prompt(self, session: str, text: str, seen: Callable[[float, dict[str, Any]], None] | None = None) -> Any:
        """One text prompt."""
        return self.call("session/prompt", {"sessionId": session, "prompt": [{"type": "text", "text": text}]}, seen)

    def resident(self) -> float:
        """Resident memory in MiB (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")
