"""`/model`, `/mode` and `/agents`: what may be chosen, and choosing it."""

from __future__ import annotations

from acp_agent.config.models import AgentConfig
from acp_agent.llm.models import ModelInfo, ModelUnknown
from acp_agent.llm.provider import ProviderError
from acp_agent.rpc.messages import RpcError
from acp_agent.session import options
from acp_agent.session.commands.base import Invocation, code, listed, page, plain, sentence
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn

_MODELS_OF_A_PROVIDER = 25


async def model(turn: Turn, invoked: Invocation) -> str:
    """`/model [name]`: the current model and those that can be used, or the choice of another one."""
    state = turn.state
    if not invoked.arguments:
        return page(_current_model(state), *_models(state), _how_to_choose(state))
    wanted = invoked.arguments.strip("`\"' ")
    before = state.model
    try:
        await options.set_model(state, wanted)
    except RpcError as error:
        still = f"It is still {code(before)}." if before else ""
        return page(f"The model was not changed. {sentence(error.message)}", still, *_models(state))
    if state.model == before:
        return page(_current_model(state), _doubts(state))
    return page(f"The model is now {code(state.model or '')}, from the next request on.", _doubts(state))


async def mode(turn: Turn, invoked: Invocation) -> str:
    """`/mode [name]`: the current mode and those that may be chosen, or the choice of another one."""
    state = turn.state
    if not invoked.arguments:
        return page(f"The mode is {code(state.mode)}.", _modes(state))
    wanted = invoked.arguments.strip("`\"' ")
    names = {each.id.casefold(): each.id for each in state.modes()}
    before = state.model
    try:
        await options.set_mode(state, names.get(wanted.casefold(), wanted))
    except RpcError as error:
        return page(f"{sentence(error.message)} The mode is {code(state.mode)}.", _modes(state))
    also = f" Its model is {code(state.model)}." if state.model and state.model != before else ""
    return f"The mode is now {code(state.mode)}.{also}"


async def agents(turn: Turn, _invoked: Invocation) -> str:
    """`/agents`: the modes of a person's choice, the sub-agents, and what is switched off."""
    state = turn.state
    configured = state.config.config.agent
    off = [name for name, agent in configured.items() if agent.disable or agent.hidden]
    chosen = [
        _agent_row(each.id, each.description or "", configured.get(each.id), current=each.id == state.mode)
        for each in state.modes()
    ]
    called = [
        _agent_row(name, agent.description or "", agent)
        for name, agent in configured.items()
        if agent.mode in ("subagent", "all") and name not in off
    ]
    return page(
        listed("Agents that you choose (see /mode)", chosen),
        listed("Sub-agents, for the model to call", called),
        "" if not called or "task" in state.tools() else "No tool of this session calls sub-agents.",
        f"Not offered: {', '.join(code(name) for name in off[:50])}." if off else "",
        "" if configured else f"None is configured: write your own below {code('agent')} in opencode.json.",
    )


def _current_model(state: SessionState) -> str:
    try:
        resolution = state.resolution()
    except ModelUnknown as error:
        chosen = f"The model is {code(state.model)}, but it cannot be used. " if state.model else "No model is chosen. "
        return chosen + sentence(str(error))
    more = _about(resolution.info)
    return f"The model is {code(str(resolution.info.ref))}{f' ({more})' if more else ''}."


def _doubts(state: SessionState) -> str:
    """What will keep the current model from answering, or what was assumed about it."""
    try:
        resolution = state.resolution()
        state.models.provider(resolution.info.ref)
    except (ModelUnknown, ProviderError) as error:
        return f"It cannot be asked yet. {sentence(str(error))}"
    return sentence(resolution.note or "")


def _models(state: SessionState) -> list[str]:
    groups: dict[str, list[str]] = {}
    for info in state.models.available():
        name = str(info.ref)
        about = _about(info)
        current = ", the current one" if name == state.model else ""
        row = f"{code(name)}{f': {about}' if about else ''}{current}"
        groups.setdefault(info.ref.provider, []).append(row)
    return [
        listed(state.models.provider_name(provider), rows, _MODELS_OF_A_PROVIDER) for provider, rows in groups.items()
    ]


def _about(info: ModelInfo) -> str:
    said = []
    if info.name and info.name != info.ref.model:
        said.append(plain(info.name))
    if info.context:
        said.append(f"{info.context:,} tokens")
    if info.image is False:
        said.append("no images")
    return ", ".join(said)


def _how_to_choose(state: SessionState) -> str:
    if not state.models.available():
        return "No provider can be used: none has a key, or none is configured. `/doctor` says more."
    return "Choose one with `/model provider/model`. Others of the same providers can be named too."


def _modes(state: SessionState) -> str:
    return listed(
        "Modes",
        [
            code(each.id)
            + (f": {plain(sentence(each.description))}" if each.description else "")
            + (" (current)" if each.id == state.mode else "")
            for each in state.modes()
        ],
    )


def _agent_row(name: str, description: str, agent: AgentConfig | None, *, current: bool = False) -> str:
    details = [f"model {code(agent.model)}"] if agent and agent.model else []
    steps = (agent.steps or agent.max_steps) if agent else None
    if steps:
        details.append(f"at most {steps} steps")
    if agent and agent.permission is not None:
        details.append("rules of its own")
    if agent and agent.prompt:
        details.append("a prompt of its own")
    return (
        code(name)
        + (" (current)" if current else "")
        + (f": {plain(sentence(description)[:500])}" if description else "")
        + (f" With {', '.join(details)}." if details else "")
    )
