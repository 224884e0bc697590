"""An agent in this process, driven raw over memory, with a scripted model. Every line that it sends is validated."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from acp_agent.agent.handshake import Handshake
from acp_agent.app import App, Settings
from acp_agent.llm.models import ModelRef, Models, ProviderSettings
from acp_agent.llm.provider import Provider
from acp_agent.log import NO_LOG, Log
from acp_agent.rpc.memory import MemoryTransport, memory_transports
from acp_agent.rpc.transport import EndOfMessages
from acp_agent.tools import BUILTIN
from acp_agent.tools.base import Tool
from tests.ids import counting_ids
from tests.schema.wire_lines import assert_agent_line_is_valid

Message = dict[str, Any]


def scripted_config(script: Path, **more: Any) -> dict[str, Any]:
    """A configuration whose model plays the script."""
    return {
        "model": "scripted/demo",
        "provider": {
            "scripted": {
                "options": {"script": str(script)},
                "models": {"demo": {"name": "Demo", "limit": {"context": 100_000, "output": 4_000}}},
            }
        },
        **more,
    }


class RawClient:
    """The client's end. Requests that the agent makes are answered by `answers[method](params)`."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._numbers = itertools.count(1)
        self._pending: dict[Any, str] = {}
        self._results: dict[Any, Message] = {}
        self._arrived = anyio.Event()
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.lines: list[tuple[str, Message]] = []

    async def read(self) -> None:
        """Read until the agent ends."""
        while True:
            try:
                line = await self._transport.receive()
            except EndOfMessages:
                return
            message = json.loads(line)
            assert_agent_line_is_valid(message, self._pending)
            self.lines.append(("agent", message))
            if "method" in message and "id" in message:
                await self._answer(message)
            elif "id" in message:
                self._results[type(message["id"]), message["id"]] = message
            self._arrived.set()
            self._arrived = anyio.Event()

    async def _answer(self, message: Message) -> None:
        make = self.answers.get(message["method"])
        if make is None:
            return
        result = make(message["params"])
        if result is not None:
            await self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def send(self, message: Message) -> None:
        """Send a message as it stands."""
        self.lines.append(("client", message))
        await self._transport.send([json.dumps(message).encode()])

    async def begin(self, method: str, params: Any, id: Any = None) -> Any:
        """Send a request; gives its id."""
        id = next(self._numbers) if id is None else id
        self._pending[id] = method
        await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    async def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def response(self, id: Any) -> Message:
        """Wait for the response to a request."""
        await self.until(lambda: (type(id), id) in self._results)
        return self._results[type(id), id]

    async def call(self, method: str, params: Any) -> Any:
        """Make a request and give its result; an error fails the test."""
        response = await self.response(await self.begin(method, params))
        assert "result" in response, response
        return response["result"]

    async def error(self, method: str, params: Any) -> Message:
        """Make a request that must fail, and give its error."""
        response = await self.response(await self.begin(method, params))
        assert "error" in response, response
        error: Message = response["error"]
        return error

    async def until(self, happened: Callable[[], bool]) -> None:
        """Read on until it happened."""
        with anyio.fail_after(10):
            while not happened():
                await self._arrived.wait()

    async def see(self, *kinds: str) -> Message:
        """Wait for an update of one of these kinds; gives the first one."""
        await self.until(lambda: bool(self.updates(*kinds)))
        return self.updates(*kinds)[0]

    async def see_method(self, method: str) -> Message:
        """Wait for a request or notification of the agent; gives the first one."""
        await self.until(lambda: any(m.get("method") == method for _, m in self.lines))
        return next(m for who, m in self.lines if who == "agent" and m.get("method") == method)

    def updates(self, *kinds: str, session: str | None = None) -> list[Message]:
        """The updates so far, of these kinds, or all of turns: not those that tell of commands, titles and options."""
        return [
            message["params"]["update"]
            for who, message in self.lines
            if who == "agent"
            and message.get("method") == "session/update"
            and is_wanted(message["params"]["update"]["sessionUpdate"], kinds)
            and session in (None, message["params"]["sessionId"])
        ]

    def said(self) -> str:
        """The text that the agent said so far."""
        return "".join(update["content"]["text"] for update in self.updates("agent_message_chunk"))

    # The calls that nearly every test makes.

    async def initialize(self, **capabilities: Any) -> Any:
        """`initialize` with these client capabilities."""
        return await self.call("initialize", {"protocolVersion": 1, "clientCapabilities": capabilities})

    async def new(self, cwd: Path) -> str:
        """`session/new`; gives the session id."""
        return str((await self.call("session/new", {"cwd": str(cwd), "mcpServers": []}))["sessionId"])

    async def prompt(self, session: str, text: str = "go") -> Any:
        """`session/prompt` with a text; gives the result."""
        return await self.call("session/prompt", self.text_prompt(session, text))

    @staticmethod
    def text_prompt(session: str, text: str = "go") -> Message:
        """The params of a text prompt."""
        return {"sessionId": session, "prompt": [{"type": "text", "text": text}]}


class OneProvider(Models):
    """The configured models, all of them served by one provider: for tests that hold its gate."""

    def __init__(self, settings: Sequence[ProviderSettings], default: str | None, provider: Provider) -> None:
        super().__init__(settings, default)
        self._provider = provider

    def provider(self, ref: ModelRef) -> Provider:
        """The one."""
        return self._provider


class Rig:
    """Where a test's agent lives: its folders, its script, its configuration, and a provider instead of the script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cwd = folder / "project"
        self.cwd.mkdir(exist_ok=True)
        self.store = folder / "data" / "sessions.db"
        self.script_file = folder / "script.json"
        self.config: dict[str, Any] = {}
        self.new_id = counting_ids()
        self.clock: Callable[[], float] = lambda: 1_700_000_000.0
        self.log: Log = NO_LOG
        self.provider: Provider | None = None
        self.tools: Sequence[Tool[Any]] = BUILTIN
        self.script()

    def script(self, *steps: Mapping[str, Any] | str) -> None:
        """What the model will say: a text stands for a step with that text."""
        full = [{"text": step} if isinstance(step, str) else dict(step) for step in steps]
        self.script_file.write_text(json.dumps(full), encoding="utf-8")

    def app(self) -> App:
        """An app in this rig."""
        config = scripted_config(self.script_file, **self.config)
        os.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(config)  # scratch: the home fixture takes it back
        return App(
            Settings(
                log=self.log,
                new_id=self.new_id,
                clock=self.clock,
                store=self.store,
                tools=self.tools,
                models=self._models,
            )
        )

    def _models(self, settings: Sequence[ProviderSettings], default: str | None) -> Models:
        return Models(settings, default) if self.provider is None else OneProvider(settings, default, self.provider)

    @asynccontextmanager
    async def client(self, *steps: Mapping[str, Any] | str, app: App | None = None) -> AsyncIterator[RawClient]:
        """A client connected to a running agent; with steps, they are the script."""
        if steps:
            self.script(*steps)
        ours, theirs = memory_transports(100_000)
        client = RawClient(theirs)
        ended = anyio.Event()

        async def serve() -> None:
            await (app or self.app()).serve(ours, Handshake())
            ended.set()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                tasks.start_soon(client.read)
                yield client
                theirs.close()
                with anyio.fail_after(5):
                    await ended.wait()
        finally:  # also where the test failed
            theirs.close()
            ours.close()


def call(name: str, **arguments: Any) -> Message:
    """A tool call for a scripted step."""
    return {"name": name, "arguments": arguments}


def tools(*calls: Message, text: str = "") -> Message:
    """A scripted step that calls tools."""
    return {"text": text, "tool_calls": list(calls)}


def choose(option: str) -> Callable[[Any], Any]:
    """An answer to permission requests."""
    return lambda _params: {"outcome": {"outcome": "selected", "optionId": option}}


BESIDE_TURNS = {"available_commands_update", "config_option_update", "current_mode_update", "session_info_update"}


def is_wanted(kind: str, kinds: Sequence[str]) -> bool:
    """Whether an update is one of these kinds, or, where none are named, one of a turn."""
    return kind in kinds if kinds else kind not in BESIDE_TURNS


def kinds(updates: Sequence[Message]) -> list[str]:
    """The kinds of updates, in order."""
    return [update["sessionUpdate"] for update in updates]
