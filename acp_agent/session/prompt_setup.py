"""What a model call sends beside the history: a prefix that stays the same for the session, tools, and reminders."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from typing import Any

from anyio import to_thread

from acp_agent.config.models import AgentConfig
from acp_agent.llm.messages import History, Image, Step, Text, UserMessage
from acp_agent.llm.models import ModelInfo
from acp_agent.llm.provider import ModelRequest, ToolSpec
from acp_agent.session import system_prompt
from acp_agent.session.instructions import find
from acp_agent.session.project import discover
from acp_agent.session.state import SessionState
from acp_agent.tools.spec import tool_spec

_NO_IMAGES = "[An image was here; this model cannot see images.]"
_EDITING = frozenset({"edit", "write"})


async def request_for(state: SessionState, info: ModelInfo) -> ModelRequest:
    """The request for the next model call."""
    agent = state.agent()
    base = (agent.prompt if agent else None) or system_prompt.BASE
    if base not in state.system_prompts:
        state.system_prompts[base] = await _system_prompt(state, base)
    return ModelRequest(
        model=info.id,
        system=state.system_prompts[base],
        history=_seen_by(info, state.history),
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


def _seen_by(info: ModelInfo, entries: History) -> History:
    """The history for a model that sees no images, if that is known of it: a note stands for each."""
    if info.image is not False:
        return tuple(entries)
    return tuple(_without_images(entry) for entry in entries)


def _without_images(entry: UserMessage | Step) -> UserMessage | Step:
    if isinstance(entry, UserMessage):
        parts = tuple(Text(text=_NO_IMAGES) if isinstance(part, Image) else part for part in entry.content)
        return UserMessage(content=parts)
    outcomes = tuple(
        each.model_copy(update={"images": (), "output": f"{each.output}\n{_NO_IMAGES}"}) if each.images else each
        for each in entry.outcomes
    )
    return entry.model_copy(update={"outcomes": outcomes})


def _tools(state: SessionState) -> tuple[ToolSpec, ...]:
    """The tools that are not refused as a whole."""
    for name, tool in state.services.tools.items():
        if name not in state.specs:
            state.specs[name] = tool_spec(tool)  # a millisecond each, and every model request needs them
    return tuple(
        spec
        for name, spec in sorted(state.specs.items())
        if not state.policy.hides("edit" if name in _EDITING else name)
    )


async def _system_prompt(state: SessionState, base: str) -> str:
    """Built once for each base: by an agent's own text, or by ours."""
    project = await discover(state.cwd, os.environ)
    await state.services.store.assign(state.id, project.id, str(project.worktree), project.vcs)
    instructions = await to_thread.run_sync(find, state.cwd, state.config, os.environ)
    state.notes.extend(str(diagnostic) for diagnostic in instructions.diagnostics)
    return await system_prompt.build(
        state.cwd,
        state.head.roots,
        project,
        instructions.files,
        today=datetime.fromtimestamp(state.head.created).astimezone().date(),
        platform=platform.system(),
        environ=os.environ,
        base=base,
    )
