"""How a session comes to be: its configuration, its models, its workspace, and what the record says of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakSet

from anyio import to_thread
from anyio.abc import TaskGroup

from acp_agent.config.diagnostic import Layer
from acp_agent.config.load import LoadedConfig, load
from acp_agent.llm.catalogue import ALL_KEY_VARIABLES
from acp_agent.llm.models import Models, ModelUnknown, ProviderSettings
from acp_agent.llm.settings import provider_notes, provider_settings
from acp_agent.schema import McpServer
from acp_agent.session.client_system_prompt import ClientPrompt
from acp_agent.session.permissions import Policy
from acp_agent.session.record import events, history
from acp_agent.session.record.store import SessionHead, StoredSession
from acp_agent.session.state import Services, SessionState
from acp_agent.session.usage import count_usage
from acp_agent.tools.environment import child_environment
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.mcp.connection import JoinedFor
from acp_agent.tools.mcp.pool import McpPool
from acp_agent.tools.mcp.servers import McpServers
from acp_agent.tools.mcp.spec import ServerSpec, servers_of
from acp_agent.tools.process_table import ProcessTable


@dataclass(frozen=True, slots=True)
class Setup:
    """How a client wants a session opened. `roots` are absolute, the working directory first.

    `mcp_servers` and `prompt` are None where the client said nothing of them; `options` are first values by id.
    """

    roots: tuple[Path, ...]
    mcp_servers: Sequence[McpServer] | None = None
    prompt: ClientPrompt | None = None
    options: Mapping[str, str | bool] = field(default_factory=dict)

    def changes(self, state: SessionState) -> bool:
        """Whether an open session would have to be opened anew for it."""
        return (
            self.roots != state.head.roots
            or (self.mcp_servers is not None and list(self.mcp_servers) != list(state.mcp_servers))
            or (self.prompt is not None and self.prompt.json() != state.head.system_prompt)
        )


@dataclass(slots=True)
class Opening:
    """Builds session states. `processes` collects the table of every session, for the exit that cannot wait.

    `pool` has the MCP servers of all sessions, and must be running before any is joined.
    """

    services: Services
    new_models: Callable[[Sequence[ProviderSettings], str | None], Models]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    processes: WeakSet[ProcessTable] = field(default_factory=WeakSet)
    _models: list[tuple[tuple[Sequence[ProviderSettings], str | None], Models]] = field(default_factory=list)
    pool: McpPool = field(init=False)

    def __post_init__(self) -> None:
        self.pool = McpPool(self.services.log)
        self.processes.add(self.pool.processes)

    async def state(self, head: SessionHead, mcp_servers: Sequence[McpServer], tasks: TaskGroup) -> SessionState:
        """The state of a session with an empty record. Reads the configuration; contacts nobody."""
        loaded = await to_thread.run_sync(load, head.cwd, self.environ)
        self.services.log.mask(loaded.secrets)
        settings = provider_settings(loaded, self.environ)
        models = self._shared_models(settings, loaded.config.model)
        keys = {each.api_key for each in settings if each.api_key} | _keys_in_headers(settings)
        self.services.log.mask(keys)
        table = ProcessTable()
        self.processes.add(table)
        variables = ALL_KEY_VARIABLES | {name for each in settings for name in each.env} | loaded.variables
        environment = child_environment(self.environ, variables, loaded.secrets | keys)
        specs, crowded = servers_of(mcp_servers, loaded)
        state = SessionState(
            head=head,
            services=self.services,
            config=loaded,
            models=models,
            workspace=LocalWorkspace(head.roots, table, environment, in_client_terminal=_wants_client_terminal(loaded)),
            tasks=tasks,
            mcp_servers=mcp_servers,
            mcp=self._servers(head, specs, environment),
            policy=Policy(),
            notes=[str(each) for each in (*loaded.diagnostics, *provider_notes(loaded, self.environ), *crowded)],
        )
        state.set_mode(_first_mode(state))
        _choose_model(state)
        return state

    def _servers(self, head: SessionHead, specs: Sequence[ServerSpec], environment: Mapping[str, str]) -> McpServers:
        """The servers of the client and of the configuration, none of them joined yet."""
        self.services.log.mask(value for spec in specs for _, value in (*spec.headers, *spec.environment))
        return McpServers(specs, JoinedFor(head.roots, environment), self.pool, self.services.tools)

    def _shared_models(self, settings: Sequence[ProviderSettings], default: str | None) -> Models:
        """Sessions with the same providers share their connections."""
        for key, models in self._models:
            if key == (settings, default):
                return models
        models = self.new_models(settings, default)
        self._models.append(((settings, default), models))
        return models

    async def close(self) -> None:
        """Close the connections to the providers."""
        for _, models in self._models:
            await models.aclose()

    def restore(self, state: SessionState, stored: StoredSession, more: Sequence[events.Event]) -> None:
        """Let the record hold: history, mode and model as they were."""
        record = [event for _, event in history.holding(stored.record)] + list(more)
        state.history = history.history(record)
        state.record_tail = state.record_tail or (stored.record[-1][0] if stored.record else "")
        modes = {mode.id for mode in state.modes()}
        for _, event in stored.record:  # a choice is the person's, and no refused prompt takes it back
            match event:
                case events.ModeChanged(mode=mode) if mode in modes:
                    state.set_mode(mode)
                case events.OptionChanged(option="model", value=value):
                    state.model = value
                case events.Usage():
                    count_usage(state, event)
                case _:
                    continue
        state.log("session.restored", events=len(record), damaged=stored.damaged)


def _wants_client_terminal(loaded: LoadedConfig) -> bool:
    """Whether the person asks for it. A project cannot: commands there have the client's environment, keys included."""
    return loaded.config.acp.client_terminal and loaded.origin(("acp", "clientTerminal")) is not Layer.PROJECT


def _keys_in_headers(settings: Sequence[ProviderSettings]) -> set[str]:
    """The keys that a person wrote into headers, without the scheme before them."""
    return {
        value.rpartition(" ")[2]
        for each in settings
        for name, value in each.headers.items()
        if name.lower() in ("authorization", "x-api-key", "api-key")
    }


def _first_mode(state: SessionState) -> str:
    """The configuration's default agent if it is one that may be chosen, else the first mode."""
    modes = [mode.id for mode in state.modes()]
    wanted = state.config.config.default_agent
    if wanted and wanted not in modes:
        state.notes.append(
            f'default_agent "{wanted}" is no agent that a person may choose; these are: {", ".join(modes)}'
        )
    return wanted if wanted in modes else (modes[0] if modes else "build")


def _choose_model(state: SessionState) -> None:
    """The model that the session starts with, if it is clear which; a note says what was chosen or what is wrong.

    A configured name that resolves to nothing stays as it is written: the first prompt tells what is wrong with it.
    """
    agent = state.agent()
    wanted = (agent.model if agent else None) or state.config.config.model
    try:
        resolution = state.models.resolve(wanted) if wanted else state.models.default()
    except ModelUnknown:
        state.model = wanted
        return
    state.model = str(resolution.info.ref)
    if resolution.note:
        state.notes.append(resolution.note)
        state.told_notes.add(resolution.note)
