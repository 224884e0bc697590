"""Modes and models as a client chooses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from acp_agent.rpc.messages import RpcError
from acp_agent.session import options
from acp_agent.session.record import events
from tests.session.unit import bench

pytestmark = pytest.mark.anyio

AGENTS = {
    "agent": {
        "review": {"mode": "primary", "description": "Reads and judges."},
        "helper": {"mode": "subagent", "description": "Not for people."},
        "plan": {"disable": True},
    }
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_modes_are_the_built_in_ones_and_the_agents_that_a_person_may_choose(tmp_path: Path) -> None:
    async with bench(tmp_path, config=AGENTS) as it:
        assert [mode.id for mode in it.state.modes()] == ["build", "review"]
    async with bench(tmp_path) as it:
        assert [mode.id for mode in it.state.modes()] == ["build", "plan"]


async def test_modes_and_models_stand_in_the_options_with_their_current_values(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        model, mode = (option.wire() for option in options.config_options(it.state))
        assert (model["id"], model["category"], model["type"], model["currentValue"]) == (
            "model",
            "model",
            "select",
            "scripted/demo",
        )
        models = [{"value": "scripted/demo", "name": "Demo"}]
        assert model["options"] == [{"group": "scripted", "name": "scripted", "options": models}]
        assert (mode["id"], mode["category"], mode["currentValue"]) == ("mode", "mode", "build")
        assert [each["value"] for each in mode["options"]] == ["build", "plan"]
        assert options.model_state(it.state).wire() == {
            "currentModelId": "scripted/demo",
            "availableModels": [{"modelId": "scripted/demo", "name": "Demo"}],
        }
        assert options.mode_state(it.state).wire()["currentModeId"] == "build"


async def test_a_choice_always_has_its_current_value_among_its_options(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for model in (None, "scripted/demo", "scripted/unheard"):
            it.state.model = model
            option = options.config_options(it.state)[0].wire()
            values = [each["value"] for group in option["options"] for each in group["options"]]
            assert option["currentValue"] in values
            legacy = options.model_state(it.state).wire()
            assert legacy["currentModelId"] in [each["modelId"] for each in legacy["availableModels"]]


async def test_choosing_is_recorded_and_choosing_the_same_again_is_not(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await options.set_mode(it.state, "plan")
        await options.set_mode(it.state, "plan")
        await options.set_model(it.state, "scripted/demo")
        await options.set_model(it.state, "scripted/unheard")
        assert it.store.events() == [
            events.ModeChanged(mode="plan"),
            events.OptionChanged(option="model", value="scripted/unheard"),
        ]
        assert (it.state.mode, it.state.model) == ("plan", "scripted/unheard")


async def test_a_model_may_be_named_without_its_provider(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.state.model = None
        await options.set_model(it.state, "demo")
        assert it.state.model == "scripted/demo"


async def test_no_model_may_stay_none_but_cannot_become_none_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.state.model = None
        await options.set_model(it.state, options.NO_MODEL)
        assert it.state.model is None
        it.state.model = "scripted/demo"
        with pytest.raises(RpcError):
            await options.set_model(it.state, options.NO_MODEL)


async def test_what_does_not_exist_is_refused_with_what_does(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        with pytest.raises(RpcError) as mode:
            await options.set_mode(it.state, "ask")
        assert mode.value.wire() == {
            "code": -32602,
            "message": "Unknown mode 'ask'.",
            "data": {"modeId": "ask", "expected": ["build", "plan"]},
        }
        with pytest.raises(RpcError) as model:
            await options.set_model(it.state, "scriptid/demo")
        assert model.value.code == -32602
        assert 'did you mean "scripted/demo"' in model.value.message
        assert it.store.events() == []
