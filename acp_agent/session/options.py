"""Modes and models as clients choose them: as configuration options, and in the two older forms."""

from __future__ import annotations

from acp_agent.llm.models import ModelUnknown
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.schema import (
    ModelInfo,
    SessionConfigOption,
    SessionConfigSelect,
    SessionConfigSelectOption,
    SessionModelState,
    SessionModeState,
)
from acp_agent.session import events
from acp_agent.session.state import SessionState

NO_MODEL = "none"
"""Stands for a model in the choice as long as none is chosen: a choice must have a current value."""


def mode_state(state: SessionState) -> SessionModeState:
    """The current mode and those that may be chosen."""
    return SessionModeState(current_mode_id=state.mode, available_modes=state.modes())


def model_state(state: SessionState) -> SessionModelState:
    """The older form of the model choice, which some clients still read."""
    current, names = _models(state)
    models = [ModelInfo(model_id=id, name=name) for id, name in names.items()]
    return SessionModelState(current_model_id=current, available_models=models)


def config_options(state: SessionState) -> list[SessionConfigOption]:
    """Every option with its current value, always the whole list."""
    current, names = _models(state)
    modes = state.modes()
    return [
        SessionConfigSelect(
            id="model",
            name="Model",
            category="model",
            description="The model that is asked from the next step on",
            current_value=current,
            options=[SessionConfigSelectOption(value=id, name=name) for id, name in names.items()],
        ),
        SessionConfigSelect(
            id="mode",
            name="Mode",
            category="mode",
            description="What the agent may do without asking",
            current_value=state.mode,
            options=[
                SessionConfigSelectOption(value=mode.id, name=mode.name, description=mode.description) for mode in modes
            ],
        ),
    ]


async def set_mode(state: SessionState, mode: str) -> None:
    """Choose a mode. Raises `RpcError` (-32602) for one that does not exist."""
    known = [each.id for each in state.modes()]
    if mode not in known:
        raise RpcError(INVALID_PARAMS, f"Unknown mode {mode[:100]!r}.", {"modeId": mode[:100], "expected": known})
    if mode != state.mode:
        await state.record(events.ModeChanged(mode=mode))
        state.set_mode(mode)
        agent = state.agent()
        if agent is not None and agent.model:
            await set_model(state, agent.model)


async def set_model(state: SessionState, model: str) -> None:
    """Choose a model by `provider/model` or by a name that only one provider has. Raises `RpcError` (-32602)."""
    if model == NO_MODEL and state.model is None:
        return
    try:
        resolution = state.models.resolve(model)
    except ModelUnknown as error:
        raise RpcError(INVALID_PARAMS, str(error), {"modelId": model[:200]}) from error
    chosen = str(resolution.info.ref)
    if chosen != state.model:
        await state.record(events.OptionChanged(option="model", value=chosen))
        state.model = chosen


def _models(state: SessionState) -> tuple[str, dict[str, str]]:
    names = {str(info.ref): info.name for info in state.models.available()}
    current = state.model
    if current is None:
        names[NO_MODEL] = "No model chosen"
        return NO_MODEL, names
    names.setdefault(current, current)
    return current, names
