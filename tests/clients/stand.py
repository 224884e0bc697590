"""Where a client and the agent meet: a home, a project, a scripted model, and no process that outlives the test."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.clients.nodejs import HERE, node
from tests.clients.wire import Message, Wire
from tests.e2e.lines import eventually
from tests.e2e.process import clean_environment
from tests.harness import scripted_config

_MARK = "CLIENT_RUN"
AGENT = (sys.executable, "-m", "acp_agent")
DEADLINE = 30.0
"""Seconds that a program may take."""


@dataclass(frozen=True)
class Report:
    """What a program of ours tells at its end: the result of its flow, the wire of each process it spoke with, and
    what the SDK's schemas objected to."""

    result: Any
    wires: tuple[Wire, ...]
    problems: tuple[Message, ...]

    @property
    def wire(self) -> Wire:
        """The wire of the only process."""
        assert len(self.wires) == 1
        return self.wires[0]


class Stand:
    """`config` is what the person configured, told in the environment; the model says what `script` was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.project = folder / "project"
        self.traces = folder / "traces"
        for each in (self.home, self.project, self.traces):
            each.mkdir()
        self.config: dict[str, Any] = scripted_config(folder / "script.json")
        self.config_in_environment = True
        self.config["provider"]["scripted"]["models"]["other"] = {"name": "Other"}
        self._token = secrets.token_hex(8)
        self.script()

    def script(self, *steps: Mapping[str, Any] | str) -> None:
        """What the model will say, for every process anew: a text stands for a step with that text."""
        full = [{"text": step} if isinstance(step, str) else dict(step) for step in steps]
        (self.folder / "script.json").write_text(json.dumps(full), encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """What programs here run with."""
        config = self.config if self.config_in_environment else None
        return {**clean_environment(self.home, config), _MARK: self._token}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a program of Node's in the project, its output in pipes."""
        return subprocess.Popen(
            [str(node()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.project,
            env=self.environment(),
        )

    def play(self, program: str, flow: str, **setup: Any) -> Report:
        """Let a program of this folder play a flow; gives its report. A word on its stderr fails the test."""
        setup = {"command": AGENT, "cwd": str(self.project), **setup}
        process = self.start(str(HERE / program), flow, json.dumps(setup))
        out, err = _end(process)
        assert err == "", err
        assert process.returncode == 0, out
        told = json.loads(out)
        assert "error" not in told, f"{told['error']}\n{json.dumps(told['wires'])[-3000:]}"
        wires = tuple(Wire([(line["from"], line["message"]) for line in wire]) for wire in told["wires"])
        for wire in wires:
            wire.check()
        return Report(told["result"], wires, tuple(told["problems"]))

    def left(self) -> list[psutil.Process]:
        """What was started here and still runs."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if each.environ().get(_MARK) == self._token and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def close(self) -> None:
        """Everything that was started is gone, or will be soon."""
        try:
            eventually(lambda: not self.left(), "the end of every process", 5)
        except AssertionError as late:
            for process in self.left():
                with suppress(psutil.Error):
                    late.add_note(f"left: {process.cmdline()}")
                    process.kill()
            raise


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(
            f"{process.args} did not end in {DEADLINE} s; it said: {out[-2000:]} {err[-2000:]}"
        ) from None
