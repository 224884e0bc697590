"""What a session is, apart from being run: where it works, what was said, which model and mode hold, what may run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from acp_agent.config.load import LoadedConfig
from acp_agent.config.models import AgentConfig
from acp_agent.llm.messages import Step, UserMessage
from acp_agent.llm.models import Models, ModelUnknown, Resolution
from acp_agent.llm.provider import ProviderError, ToolSpec
from acp_agent.log import Log
from acp_agent.schema import ContentBlock, McpServer, SessionMode, SessionUpdate
from acp_agent.session.client import Client
from acp_agent.session.permissions import PLAN_RULES, Policy, rules
from acp_agent.session.record import events
from acp_agent.session.record.store import SessionHead, SessionStore
from acp_agent.session.showing import Showing
from acp_agent.tools.base import Tool
from acp_agent.tools.mcp.servers import McpServers, no_servers
from acp_agent.tools.workspace import Workspace

DEFAULT_STEPS = 200

_BUILT_IN_MODES = {
    "build": "Works on the files and runs commands, within the permission rules.",
    "plan": "Reads and proposes; writes nothing and asks before every command.",
}


@dataclass(frozen=True, slots=True)
class Services:
    """What every session of the process shares. `clock` gives seconds since 1970, `new_id` an id with a prefix."""

    store: SessionStore
    tools: Mapping[str, Tool[Any]]
    log: Log
    clock: Callable[[], float]
    new_id: Callable[[str], str]


@dataclass(slots=True)
class SessionState:
    """A session that is open. `history` is what the next model call sends; `notes` are told with the next prompt.

    `clients` are those that know the session's id: they are told of changes, also between turns. `showing` is what the
    running turn has shown, if one runs; `steered` are messages for it, taken while `steerable`. `used` is what the
    last request left in the window: tokens and window; `cost` is the sum of all requests in US dollars, where prices
    are known. `specs` are tools, with what the model was last told of each.
    """

    head: SessionHead
    services: Services
    config: LoadedConfig
    models: Models
    workspace: Workspace
    tasks: TaskGroup
    mcp_servers: Sequence[McpServer] = ()
    mcp: McpServers = field(default_factory=no_servers)
    history: list[UserMessage | Step] = field(default_factory=list)
    record_tail: str = ""
    mode: str = "build"
    model: str | None = None
    notes: list[str] = field(default_factory=list)
    told_notes: set[str] = field(default_factory=set)
    system_prompts: dict[str, str] = field(default_factory=dict)
    specs: dict[str, tuple[Tool[Any], ToolSpec]] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    clients: list[Client] = field(default_factory=list)
    steered: deque[Sequence[ContentBlock]] = field(default_factory=deque)
    steerable: bool = False
    showing: Showing | None = None
    trust_asked: bool = False
    used: tuple[int, int] | None = None
    cost: float | None = None
    asking: anyio.Lock = field(default_factory=anyio.Lock)
    editing: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.head.id

    @property
    def cwd(self) -> Path:
        """The working directory: the base of relative paths and the first root."""
        return self.head.cwd

    def tools(self) -> Mapping[str, Tool[Any]]:
        """The tools of this session by name: ours, sorted, and behind them those of its MCP servers."""
        return {**dict(sorted(self.services.tools.items())), **self.mcp.tools}

    def attach(self, client: Client) -> None:
        """Tell this client of changes from now on. For clients that have heard the session's id."""
        if client not in self.clients:
            self.clients.append(client)

    async def tell(self, update: SessionUpdate) -> None:
        """Show an update to every client that is attached."""
        for client in list(self.clients):
            await client.update(self.id, update)

    def modes(self) -> list[SessionMode]:
        """The modes that may be chosen: the built-in ones and the configuration's primary agents."""
        agents = self.config.config.agent
        shown = {name: text for name, text in _BUILT_IN_MODES.items() if not _is_off(agents.get(name))}
        for name, agent in agents.items():
            if agent.mode != "subagent" and not _is_off(agent):
                shown[name] = agent.description or shown.get(name, "")
        return [SessionMode(id=name, name=name.capitalize(), description=text or None) for name, text in shown.items()]

    def agent(self) -> AgentConfig | None:
        """The configuration of the current mode, if it has one."""
        return self.config.config.agent.get(self.mode)

    def resolution(self) -> Resolution:
        """The model for the next call. Raises `ModelUnknown` if it is not clear which that would be."""
        return self.models.resolve(self.model) if self.model else self.models.default()

    @property
    def step_limit(self) -> int:
        """How many model calls a turn may make."""
        agent = self.agent()
        return (agent.steps or agent.max_steps or DEFAULT_STEPS) if agent is not None else DEFAULT_STEPS

    def set_mode(self, mode: str) -> None:
        """Let another mode hold from the next tool call and model call on."""
        self.mode = mode
        agent = self.agent()
        self.policy.configured = rules(self.config.config.permission) + rules(agent.permission if agent else None)
        self.policy.overlay = PLAN_RULES if mode == "plan" else ()

    async def record(self, *new: events.Event, durable: bool = False) -> None:
        """Write events to the session's record. Whoever shows something records it first.

        A cancellation waits for it: what follows from an event in memory must not be lost where the disk has it.
        """
        with anyio.CancelScope(shield=True):
            self.record_tail = await self.services.store.append(self.id, new, durable=durable)

    async def warm(self) -> None:
        """Load what the first model call needs, off the event loop, while the person still types."""
        if self.model is None:
            return
        try:
            await self.models.provider(self.models.resolve(self.model).info.ref).warm()
        except (ModelUnknown, ProviderError) as error:
            self.log("model.not_warmed", error=str(error))  # the first prompt tells the person

    def log(self, event: str, **fields: Any) -> None:
        """Write a line about this session to the log."""
        self.services.log(event, session=self.id, **fields)


def _is_off(agent: AgentConfig | None) -> bool:
    return agent is not None and bool(agent.disable or agent.hidden)
