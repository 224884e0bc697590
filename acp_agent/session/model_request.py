"""What a model call sends beside the history: a prefix that stays the same for the session, tools, and reminders."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from typing import Any

from anyio import to_thread

from acp_agent.config.models import AgentConfig
from acp_agent.llm.models import ModelInfo
from acp_agent.llm.provider import ModelRequest, ToolSpec
from acp_agent.session import system_prompt
from acp_agent.session.client_system_prompt import ClientPrompt
from acp_agent.session.instructions import find
from acp_agent.session.project import discover
from acp_agent.session.prompt.modalities import seen_by
from acp_agent.session.state import SessionState
from acp_agent.tools.spec import tool_spec

_EDITING = frozenset({"edit", "write"})


async def request_for(state: SessionState, info: ModelInfo) -> ModelRequest:
    """The request for the next model call. The first one waits a moment for MCP servers that are being joined."""
    await state.mcp.gathered()
    agent = state.agent()
    client = ClientPrompt.read(state.head.system_prompt)
    base = (agent.prompt if agent else None) or system_prompt.BASE
    if client is not None and client.mode == "override":
        base = client.text
    if base not in state.system_prompts:
        state.system_prompts[base] = await _system_prompt(state, base)
    return ModelRequest(
        model=info.id,
        system=state.system_prompts[base],
        history=seen_by(info, state.history),
        new_call_id=lambda: state.services.new_id("call"),
        tools=_tools(state),
        reminder=system_prompt.reminder(state.mode),
        max_tokens=info.output,
        temperature=agent.temperature if agent else None,
        options={**info.options, **_agent_options(agent)},
    )


def _agent_options(agent: AgentConfig | None) -> dict[str, Any]:
    if agent is None:
        return {}
    chosen = {} if agent.top_p is None else {"top_p": agent.top_p}
    return {**chosen, **(agent.options or {})}


def _tools(state: SessionState) -> tuple[ToolSpec, ...]:
    """The tools that are not refused as a whole."""
    tools = state.tools()
    for name, tool in tools.items():
        if name not in state.specs or state.specs[name][0] is not tool:
            state.specs[name] = tool, tool_spec(tool)  # a millisecond each, and every model request needs them
    return tuple(state.specs[name][1] for name in tools if not state.policy.hides("edit" if name in _EDITING else name))


async def _system_prompt(state: SessionState, base: str) -> str:
    """Built once for each base: by an agent's own text, or by ours."""
    client = ClientPrompt.read(state.head.system_prompt)
    project = await discover(state.cwd, os.environ)
    await state.services.store.assign(state.id, project.id, str(project.worktree), project.vcs)
    instructions = await to_thread.run_sync(find, state.head.roots, state.config, os.environ)
    state.notes.extend(str(diagnostic) for diagnostic in instructions.diagnostics)
    built = await system_prompt.build(
        state.head.roots,
        project,
        instructions.files,
        today=datetime.fromtimestamp(state.head.created).astimezone().date(),
        platform=platform.system(),
        environ=os.environ,
        base=base,
        servers=state.mcp.instructions,
    )
    return f"{built}\n{client.text}\n" if client is not None and client.mode == "append" else built
