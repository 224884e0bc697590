"""The real process: started in a scratch home with nothing of ours in its environment, and checked when it is gone."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.lines import DEADLINE, Line, LineClient, Message, eventually
from tests.fakes.vendor import Vendor
from tests.harness import is_wanted

KEY = "e2e-key-0123456789abcdef"
"""The key of every configured provider here; it must never be shown."""

_MARK = "E2E_RUN"
COMMAND = (sys.executable, "-m", "acp_agent", "acp")
CONSOLE_SCRIPTS = Path(sys.executable).parent


def vendor_config(vendor: Vendor, **more: Any) -> dict[str, Any]:
    """A configuration whose only model is the vendor's, over chat completions."""
    return {
        "model": "fake/small",
        "provider": {
            "fake": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": vendor.openai_url, "apiKey": KEY},
                "models": {"small": {"name": "Small", "limit": {"context": 1_000_000, "output": 4_000}}},
            }
        },
        **more,
    }


def scripted_config(script: Path, *steps: Mapping[str, Any] | str, **more: Any) -> dict[str, Any]:
    """A configuration whose model plays these steps; a text stands for a step with that text."""
    script.write_text(json.dumps([{"text": step} if isinstance(step, str) else dict(step) for step in steps]))
    provider = {"options": {"script": str(script)}, "models": {"demo": {"limit": {"context": 1_000, "output": 100}}}}
    return {"model": "scripted/demo", "provider": {"scripted": provider}, **more}


def clean_environment(home: Path, config: Mapping[str, Any] | None, **more: str | None) -> dict[str, str]:
    """What a program needs to start, and nothing else; None takes a variable out."""
    environment: dict[str, str | None] = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1,localhost",
        "GIT_CONFIG_NOSYSTEM": "1",
        "OPENCODE_CONFIG_CONTENT": None if config is None else json.dumps(config),
        **more,
    }
    return {name: value for name, value in environment.items() if value is not None}


class AgentProcess(LineClient):
    """`agent acp` as a child process in a group of its own, and the client that speaks with it."""

    def __init__(
        self,
        home: Path,
        config: Mapping[str, Any] | None,
        *,
        command: Sequence[str] = COMMAND,
        cwd: Path | None = None,
        environment: Mapping[str, str | None] | None = None,
        pass_fds: Sequence[int] = (),
        stderr: int | None = None,
    ) -> None:
        self.home = home
        self._token = secrets.token_hex(8)
        self._stderr_file = home.parent / f"stderr-{self._token}"
        env = {**clean_environment(home, config, **(environment or {})), _MARK: self._token}
        with self._stderr_file.open("wb") as file:
            self.started = time.monotonic()
            self._popen = subprocess.Popen(
                [*command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file if stderr is None else stderr,
                bufsize=0,
                cwd=cwd or home,
                env=env,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        super().__init__(self._popen.stdin.fileno(), self._popen.stdout.fileno())

    # The calls that nearly every test makes.

    def initialize(self, **capabilities: Any) -> Any:
        """`initialize` with these client capabilities."""
        return self.call("initialize", {"protocolVersion": 1, "clientCapabilities": capabilities})

    def new(self, cwd: Path) -> str:
        """`session/new`; gives the session id."""
        return str(self.call("session/new", {"cwd": str(cwd), "mcpServers": []})["sessionId"])

    def load(self, session: str, cwd: Path) -> list[Message]:
        """`session/load`; gives the updates of the replay."""
        mark = len(self.lines)
        self.call("session/load", {"sessionId": session, "cwd": str(cwd), "mcpServers": []})
        return self.updates(session, since=mark)

    @staticmethod
    def text_prompt(session: str, text: str = "go") -> Message:
        """The params of a text prompt."""
        return {"sessionId": session, "prompt": [{"type": "text", "text": text}]}

    def ask(self, session: str, text: str = "go") -> Any:
        """Send a text prompt; gives the id of the request."""
        return self.begin("session/prompt", self.text_prompt(session, text))

    def prompt(self, session: str, text: str = "go") -> str:
        """Send a text prompt and wait for its end; gives the stop reason."""
        return str(self.call("session/prompt", self.text_prompt(session, text))["stopReason"])

    def cancel(self, session: str) -> float:
        """Send `session/cancel`; gives the time."""
        now = time.monotonic()
        self.notify("session/cancel", {"sessionId": session})
        return now

    def messages(self, session: str, method: str, since: int = 0) -> list[Line]:
        """The agent's requests or notifications of a method, for a session, from the line with the index `since` on."""
        return [
            line
            for line in self.lines[since:]
            if line.message.get("method") == method and line.message["params"].get("sessionId") == session
        ]

    def updates(self, session: str, *kinds: str, since: int = 0) -> list[Message]:
        """The updates of a session so far: of these kinds, or all but those that tell of commands, titles, options."""
        found = [line.message["params"]["update"] for line in self.messages(session, "session/update", since)]
        return [update for update in found if is_wanted(update["sessionUpdate"], kinds)]

    def said(self, session: str, since: int = 0) -> str:
        """The text that the agent said so far."""
        chunks = self.updates(session, "agent_message_chunk", since=since)
        return "".join(chunk["content"]["text"] for chunk in chunks)

    def see_text(self, session: str, text: str, since: int = 0) -> None:
        """Wait until the agent said it."""
        self.until(lambda: text in self.said(session, since), f"the text {text!r}")

    def see_output(self, session: str, text: str) -> None:
        """Wait until a running tool call showed this output."""
        self.until(
            lambda: any(text in json.dumps(update) for update in self.updates(session, "tool_call_update")),
            f"the output {text!r}",
        )

    def see_request(self, session: str, method: str, count: int = 1) -> Message:
        """Wait for a request of the agent's; gives the message of the latest."""
        found = self.until(
            lambda: (lines := self.messages(session, method)) and len(lines) >= count and lines,
            f"the request {method}",
        )
        message: Message = found[-1].message
        return message

    # The process.

    @property
    def pid(self) -> int:
        """The process id of the agent."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._popen.poll()

    @property
    def as_seen(self) -> psutil.Process:
        """The agent as psutil sees it."""
        return psutil.Process(self.pid)

    def rss(self) -> int:
        """Resident memory in bytes."""
        return int(self.as_seen.memory_info().rss)

    def offspring(self, program: str = "") -> list[psutil.Process]:
        """What the agent started and still runs, wherever it went: by ancestry, and by a mark in the environment."""
        found: dict[int, psutil.Process] = {}
        with suppress(psutil.NoSuchProcess):
            found.update((each.pid, each) for each in self.as_seen.children(recursive=True))
        for each in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if each.environ().get(_MARK) == self._token:
                    found[each.pid] = each
        found.pop(self.pid, None)
        return [each for each in found.values() if _lives(each, program)]

    def stderr(self) -> str:
        """What stands on stderr so far."""
        return self._stderr_file.read_text("utf-8", "replace")

    def last(self, count: int = 5) -> str:
        """The last lines, and what stands on stderr."""
        return f"{super().last(count)}\nstderr: {self.stderr()[-2000:]}"

    def end_of_input(self) -> float:
        """Close stdin; gives the seconds until the process was gone."""
        assert self._popen.stdin is not None
        begin = time.monotonic()
        self._popen.stdin.close()
        return self._gone(begin)

    def signal(self, number: int) -> float:
        """Send a signal; gives the seconds until the process was gone."""
        begin = time.monotonic()
        self._popen.send_signal(number)
        return self._gone(begin)

    def kill(self) -> None:
        """The end that nobody can prepare for; what the tools started is left alone, as it would be."""
        self.signal(signal.SIGKILL)

    def _gone(self, begin: float) -> float:
        self.ended.wait(DEADLINE)  # the end of stdout is seen at once, the end of a process only by looking
        self._popen.wait(DEADLINE)
        return time.monotonic() - begin

    def close(self, *, stderr: str = "") -> None:
        """End the process if it still runs, and check everything that it wrote and left behind."""
        try:
            killed = self._popen.poll() == -signal.SIGKILL
            if self._popen.poll() is None:
                listening = [each.laddr for each in self.as_seen.net_connections("inet") if each.status == "LISTEN"]
                assert not listening, f"the agent listens at {listening}"
                self.go_on_reading()
                self.end_of_input()
                self.join()
                self.check(all_answered=True)
            self.join()
            self.check(all_answered=False)
            if not killed:
                self.check_end()
                assert self._popen.returncode == 0, f"exit status {self._popen.returncode}, stderr {self.stderr()}"
                eventually(lambda: not self.offspring(), "the end of every process it started", 0.5)
            assert self.stderr() == stderr
            shown = b"\n".join(line.raw for line in self.lines)
            assert KEY.encode() not in shown, "a key was shown"
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        self.go_on_reading()
        for process in self.offspring():
            with suppress(psutil.Error):
                process.kill()
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait(DEADLINE)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with suppress(OSError):
            self._popen.stdin.close()
        self.join()
        self._popen.stdout.close()


def _lives(process: psutil.Process, program: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and program in process.name()
    except psutil.NoSuchProcess:
        return False
