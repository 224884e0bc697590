"""Modes and models as clients choose them: as configuration options, and in the two older forms.

Whoever changes one tells every client of the session, in both forms.
"""

from __future__ import annotations

from collections.abc import Mapping

from acp_agent.llm.models import ModelUnknown, Resolution
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.schema import (
    ConfigOptionUpdate,
    CurrentModeUpdate,
    ModelInfo,
    SessionConfigOption,
    SessionConfigSelect,
    SessionConfigSelectGroup,
    SessionConfigSelectOption,
    SessionModelState,
    SessionModeState,
)
from acp_agent.session.record import events
from acp_agent.session.state import SessionState

NO_MODEL = "none"
"""Stands for a model in the choice as long as none is chosen: a choice must have a current value."""


def mode_state(state: SessionState) -> SessionModeState:
    """The current mode and those that may be chosen."""
    return SessionModeState(current_mode_id=state.mode, available_modes=state.modes())


def model_state(state: SessionState) -> SessionModelState:
    """The older form of the model choice, which some clients still read."""
    groups = _models(state)
    models = [ModelInfo(model_id=each.value, name=each.name) for group in groups for each in group.options]
    return SessionModelState(current_model_id=state.model or NO_MODEL, available_models=models)


def config_options(state: SessionState) -> list[SessionConfigOption]:
    """Every option with its current value, always the whole list, the most important first."""
    return [
        SessionConfigSelect(
            id="model",
            name="Model",
            category="model",
            description="The model that is asked from the next step on",
            current_value=state.model or NO_MODEL,
            options=_models(state),
        ),
        SessionConfigSelect(
            id="mode",
            name="Mode",
            category="mode",
            description="What the agent may do without asking",
            current_value=state.mode,
            options=[
                SessionConfigSelectOption(value=mode.id, name=mode.name, description=mode.description)
                for mode in state.modes()
            ],
        ),
    ]


async def set_mode(state: SessionState, mode: str) -> None:
    """Choose a mode. Raises `RpcError` (-32602) for one that does not exist."""
    _check_mode(state, mode)
    if mode == state.mode:
        return
    await state.record(events.ModeChanged(mode=mode))
    state.set_mode(mode)
    agent = state.agent()
    if agent is not None and agent.model:
        await _change_model(state, agent.model)
    await state.tell(CurrentModeUpdate(current_mode_id=mode))
    await state.tell(ConfigOptionUpdate(config_options=config_options(state)))


async def set_model(state: SessionState, model: str) -> None:
    """Choose a model by `provider/model` or by a name that only one provider has. Raises `RpcError` (-32602)."""
    if await _change_model(state, model):
        await state.tell(ConfigOptionUpdate(config_options=config_options(state)))


async def set_option(state: SessionState, option: str, value: object) -> None:
    """Choose a value of an option by its id. Raises `RpcError` (-32602) for what does not exist."""
    check_options(state, {option: value})
    assert isinstance(value, str)
    await (set_mode if option == "mode" else set_model)(state, value)


def check_options(state: SessionState, values: Mapping[str, object]) -> None:
    """Raise `RpcError` (-32602) unless every one of these values could be chosen."""
    for option, value in values.items():
        if option not in ("model", "mode"):
            text = f"Unknown option {option[:100]!r}."
            raise RpcError(INVALID_PARAMS, text, {"configId": option[:100], "expected": ["model", "mode"]})
        if not isinstance(value, str):
            raise RpcError(INVALID_PARAMS, f"The value of {option} must be a string.", {"configId": option})
        if option == "mode":
            _check_mode(state, value)
        elif value != NO_MODEL or state.model is not None:
            _resolve(state, value)


async def set_options(state: SessionState, values: Mapping[str, object]) -> None:
    """Choose several values; the mode first, since it may bring a model of its own."""
    for option in ("mode", "model"):
        if option in values:
            await set_option(state, option, values[option])


def _check_mode(state: SessionState, mode: str) -> None:
    known = [each.id for each in state.modes()]
    if mode not in known:
        raise RpcError(INVALID_PARAMS, f"Unknown mode {mode[:100]!r}.", {"modeId": mode[:100], "expected": known})


def _resolve(state: SessionState, model: str) -> Resolution:
    try:
        return state.models.resolve(model)
    except ModelUnknown as error:
        raise RpcError(INVALID_PARAMS, str(error), {"modelId": model[:200]}) from error


async def _change_model(state: SessionState, model: str) -> bool:
    if model == NO_MODEL and state.model is None:
        return False
    chosen = str(_resolve(state, model).info.ref)
    if chosen == state.model:
        return False
    await state.record(events.OptionChanged(option="model", value=chosen))
    state.model = chosen
    return True


def _models(state: SessionState) -> list[SessionConfigSelectGroup]:
    """The models that can be chosen, grouped by provider, the current one always among them."""
    groups: dict[str, dict[str, str]] = {}
    for info in state.models.available():
        groups.setdefault(info.ref.provider, {})[str(info.ref)] = info.name or info.ref.model
    if state.model is None:
        groups[NO_MODEL] = {NO_MODEL: "No model chosen"}
    else:
        provider, _, model = state.model.partition("/")
        groups.setdefault(provider, {}).setdefault(state.model, model or state.model)
    return [
        SessionConfigSelectGroup(
            group=provider,
            name=state.models.provider_name(provider),
            options=[SessionConfigSelectOption(value=value, name=name) for value, name in names.items()],
        )
        for provider, names in groups.items()
    ]
