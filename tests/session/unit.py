"""One turn without an agent around it: a session's state on fakes that need neither a thread nor a disk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from pydantic import Field

from acp_agent.config.load import load
from acp_agent.llm.messages import Step, UserMessage
from acp_agent.llm.provider import ModelRequest, Provider
from acp_agent.llm.scripted import Scripted
from acp_agent.llm.settings import provider_settings
from acp_agent.log import Log
from acp_agent.schema import ContentBlock, PermissionOption, SessionUpdate, TextContent, ToolCallUpdate, ToolKind
from acp_agent.session import system_prompt
from acp_agent.session.client import Choice
from acp_agent.session.record.events import Event
from acp_agent.session.record.store import Draft, SessionHead, StoredSession, StoreError
from acp_agent.session.state import Services, SessionState
from acp_agent.session.turn import StopReason, run_turn
from acp_agent.tools.base import CallSummary, Subject, Tool, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.workspace import Workspace
from tests.harness import BESIDE_TURNS, OneProvider, scripted_config
from tests.ids import counting_ids


class MemoryStore:
    """A `SessionStore` that notes when a draft was written and which events were meant to outlive a power cut."""

    def __init__(self) -> None:
        self.heads: dict[str, SessionHead] = {}
        self.records: dict[str, list[tuple[str, Event]]] = {}
        self.drafts: dict[str, Draft] = {}
        self.draft_times: list[tuple[float, str]] = []
        self.durable: list[str] = []
        self.slow: Callable[[Sequence[Event]], Awaitable[None]] | None = None
        self.fails: Callable[[Sequence[Event]], bool] = lambda _events: False
        self._new_id = counting_ids()

    async def create(self, head: SessionHead) -> None:
        await checkpoint()
        self.heads[head.id] = head

    async def assign(self, session: str, project: str, worktree: str, vcs: str | None) -> None:
        await checkpoint()

    async def append(self, session: str, events: Sequence[Event], *, durable: bool = False) -> str:
        await checkpoint()
        if self.slow is not None:
            await self.slow(events)
        if self.fails(events):
            raise StoreError("The disk is full.")
        record = self.records.setdefault(session, [])
        record += [(self._new_id("evt"), event) for event in events]
        self.durable += [event.type for event in events if durable]
        if any(event.type == "assistant_message" for event in events):
            self.drafts.pop(session, None)
        return record[-1][0] if record else ""

    async def write_draft(self, session: str, draft: Draft) -> None:
        await checkpoint()
        self.drafts[session] = draft
        self.draft_times.append((anyio.current_time(), draft.message.text))

    async def read(self, session: str) -> StoredSession | None:
        await checkpoint()
        head = self.heads.get(session)
        return StoredSession(head, self.records.get(session, []), self.drafts.get(session)) if head else None

    async def read_head(self, session: str) -> SessionHead | None:
        await checkpoint()
        return self.heads.get(session)

    async def page(self, cwd: str | None, after: tuple[float, str] | None, limit: int) -> Sequence[SessionHead]:
        await checkpoint()
        return list(self.heads.values())

    async def close(self) -> None:
        await checkpoint()

    def events(self, session: str = "ses") -> list[Event]:
        """The record of a session."""
        return [event for _, event in self.records.get(session, [])]


class FakeClient:
    """A `Client` that keeps what it is shown: `updates` of turns, and what it is `told` of titles, options, commands.

    `decide` answers permission requests, `stalled` keeps updates waiting.
    """

    def __init__(self, decide: Callable[[ToolCallUpdate, Sequence[PermissionOption]], Choice] | None = None) -> None:
        self.updates: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.asked: list[ToolCallUpdate] = []
        self.offered: list[list[str]] = []
        self.decide = decide
        self.arrived = anyio.Event()
        self.stalled = False

    async def update(self, session_id: str, update: SessionUpdate) -> None:
        if self.stalled:
            await anyio.sleep_forever()
        await checkpoint()
        self.update_now(session_id, update)

    def update_now(self, session_id: str, update: SessionUpdate) -> None:
        wire = update.wire()
        (self.told if wire["sessionUpdate"] in BESIDE_TURNS else self.updates).append(wire)
        self.arrived.set()
        self.arrived = anyio.Event()

    async def notice(self, session_id: str, title: str, description: str) -> bool:
        await checkpoint()
        return False

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: Sequence[PermissionOption]
    ) -> Choice:
        self.asked.append(tool_call)
        self.offered.append([option.option_id for option in options])
        self.arrived.set()
        self.arrived = anyio.Event()
        await checkpoint()
        if self.decide is None:
            await anyio.sleep_forever()
            raise AssertionError
        return self.decide(tool_call, options)

    def workspace(self, session_id: str, local: Workspace) -> Workspace:
        return local

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The updates of these kinds."""
        return [update for update in self.updates if update["sessionUpdate"] in kinds]

    def said(self) -> str:
        """The text of the answers so far."""
        return "".join(update["content"]["text"] for update in self.of("agent_message_chunk"))

    def calls(self) -> dict[str, list[str | None]]:
        """The states of each call, in the order in which they were shown."""
        states: dict[str, list[str | None]] = {}
        for update in self.of("tool_call", "tool_call_update"):
            states.setdefault(update["toolCallId"], []).append(update.get("status"))
        return states

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something shown makes it true."""
        with anyio.fail_after(5):
            while not happened():
                await self.arrived.wait()


class NoteParams(ToolParams):
    """Arguments of `note`."""

    text: str
    count: int = Field(default=1, ge=1)


@dataclass
class NoteTool:
    """A tool that does what the test says with its text."""

    work: Callable[[str], Any] = field(default=lambda text: text)
    name: str = "note"
    description: str = "Notes a text."
    kind: ToolKind = "other"
    params: type[NoteParams] = NoteParams
    running: list[str] = field(default_factory=list)
    contexts: list[ToolContext] = field(default_factory=list)

    def summary(self, params: NoteParams, workspace: Workspace) -> CallSummary:
        return CallSummary(f"Note {params.text}")

    def subjects(self, params: NoteParams, workspace: Workspace) -> Sequence[Subject]:
        return (Subject(self.name, params.text, params.text),)

    async def preview(self, params: NoteParams, context: ToolContext) -> Sequence[Any]:
        return ()

    async def run(self, params: NoteParams, context: ToolContext) -> ToolResult:
        self.running.append(params.text)
        self.contexts.append(context)
        result = self.work(params.text)
        if hasattr(result, "__await__"):
            result = await result
        if isinstance(result, Exception):
            raise result
        return result if isinstance(result, ToolResult) else ToolResult(str(result))


async def hold(_text: str) -> str:
    """Work that never ends by itself."""
    await anyio.sleep_forever()
    raise AssertionError


def broken(text: str) -> Any:
    """Work that fails as its text says."""
    return {"tool": ToolError("It does not work."), "bug": KeyError("bug")}.get(text, text)


@dataclass
class Bench:
    """A state, its provider and its store; `run` is one prompt turn."""

    state: SessionState
    provider: Scripted
    store: MemoryStore
    client: FakeClient

    async def run(self, text: str = "go", client: FakeClient | None = None) -> StopReason:
        blocks: list[ContentBlock] = [TextContent(text=text)]
        return await run_turn(self.state, blocks, client or self.client)

    @property
    def requests(self) -> list[ModelRequest]:
        return self.provider.requests

    def outcomes(self) -> list[list[tuple[str, bool]]]:
        """What the model is told of its calls with the next request: (output, is it an error), step by step."""
        return [
            [(outcome.output, outcome.is_error) for outcome in entry.outcomes]
            for entry in self.state.history
            if isinstance(entry, Step)
        ]

    def talk(self) -> list[str]:
        """The history as text."""
        return [
            "user: " + "".join(getattr(part, "text", "") for part in entry.content)
            if isinstance(entry, UserMessage)
            else "model: " + entry.message.text
            for entry in self.state.history
        ]


@asynccontextmanager
async def bench(
    folder: Path,
    *steps: Mapping[str, Any],
    tools: Sequence[Tool[Any]] = (),
    config: Mapping[str, Any] | None = None,
    provider: Provider | None = None,
    log: Log | None = None,
    decide: Callable[[ToolCallUpdate, Sequence[PermissionOption]], Choice] | None = None,
) -> AsyncIterator[Bench]:
    """A session in `folder` whose model plays the steps; the system prompt is given, so that no thread is needed."""
    environ = {"OPENCODE_CONFIG_CONTENT": json.dumps(scripted_config(folder / "script.json", **(config or {})))}
    loaded = load(folder, environ, folder)
    scripted = provider if provider is not None else Scripted(list(steps))
    models = OneProvider(provider_settings(loaded, environ), loaded.config.model, scripted)
    store = MemoryStore()
    services = Services(
        store, {tool.name: tool for tool in tools}, log or Log(None), lambda: 1_700_000_000.0, counting_ids()
    )
    head = SessionHead("ses", folder, (folder,), 1.0, 1.0)
    await store.create(head)
    async with anyio.create_task_group() as tasks:
        workspace = LocalWorkspace((folder,), ProcessTable(), {})
        state = SessionState(head, services, loaded, models, workspace, tasks, model="scripted/demo")
        state.set_mode("build")
        state.system_prompts[system_prompt.BASE] = "You are a test."
        assert isinstance(scripted, Scripted)
        yield Bench(state, scripted, store, FakeClient(decide))
        tasks.cancel_scope.cancel()
