"""A client's terminals: real programs, started just as the agent asks."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
from typing import Any

from tests.harness import RawClient


class Terminals:
    """Answers `terminal/*` of one client. `silent`: the end of a program is not told before it was killed."""

    def __init__(self, client: RawClient, *, silent: bool = False, truncated: bool = False) -> None:
        self._silent = silent
        self._truncated = truncated
        self._numbers = itertools.count(1)
        self._running: dict[str, tuple[subprocess.Popen[bytes], Any]] = {}
        client.answers.update(
            {
                "terminal/create": self._create,
                "terminal/wait_for_exit": self._wait,
                "terminal/output": self._output,
                "terminal/kill": self._kill,
                "terminal/release": self._release,
            }
        )

    def _create(self, params: Any) -> Any:
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed on release
        environment = {**os.environ, **{each["name"]: each["value"] for each in params.get("env", [])}}
        command = [params["command"], *params.get("args", [])]
        program = subprocess.Popen(
            command, cwd=params.get("cwd"), env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        id = f"terminal-{next(self._numbers)}"
        self._running[id] = program, output
        return {"terminalId": id}

    def _wait(self, params: Any) -> Any:
        if self._silent:
            return None
        code = self._running[params["terminalId"]][0].wait(10)
        return {"exitCode": max(code, 0), "signal": None if code >= 0 else str(-code)}

    def _output(self, params: Any) -> Any:
        program, output = self._running[params["terminalId"]]
        output.seek(0)
        answer = {"output": output.read().decode(), "truncated": self._truncated}
        code = program.poll()
        return answer if code is None or code < 0 else {**answer, "exitStatus": {"exitCode": code}}

    def _kill(self, params: Any) -> Any:
        self._running[params["terminalId"]][0].kill()
        return {}

    def _release(self, params: Any) -> Any:
        program, output = self._running.pop(params["terminalId"])
        program.kill()
        program.wait(10)
        output.close()
        return {}

    @property
    def open(self) -> list[str]:
        """The terminals that were not released."""
        return list(self._running)
