"""`/model`, `/mode` and `/agents`."""

from __future__ import annotations

import pytest

from tests.harness import Rig, kinds
from tests.session.commands.chat import app_with, chat

pytestmark = pytest.mark.anyio

AGENTS = {
    "agent": {
        "review": {"mode": "primary", "description": "Reads and judges", "model": "scripted/other", "steps": 9},
        "helper": {"mode": "subagent", "description": "Looks things up.", "permission": {"edit": "deny"}},
        "secretive": {"hidden": True},
        "plan": {"disable": True},
    }
}


def two_models(rig: Rig) -> None:
    models = {"demo": {"name": "Demo", "limit": {"context": 100_000}}, "other": {}}
    scripted = {"options": {"script": str(rig.script_file)}, "models": models, "name": "The script"}
    local = {"options": {"baseURL": "http://127.0.0.1:9/v1"}, "models": {"small": {}}, "name": "Mine"}
    rig.config["provider"] = {"scripted": scripted, "local": local}


async def test_model_shows_the_current_one_and_the_others_by_provider(rig: Rig) -> None:
    two_models(rig)
    async with chat(rig) as it:
        text = await it.ask("/model")
        assert text.startswith("The model is `scripted/demo` (Demo, 100,000 tokens).")
        assert (
            "**The script**\n\n- `scripted/demo`: Demo, 100,000 tokens, the current one\n- `scripted/other`\n\n"
            "**Mine**\n\n- `local/small`\n"
        ) in text


async def test_model_with_a_name_changes_the_model_and_tells_the_client_before_it_answers(rig: Rig) -> None:
    two_models(rig)
    async with chat(rig, {"text": "Hello."}) as it:
        assert await it.ask("/model scripted/other") == "The model is now `scripted/other`, from the next request on."
        (told,) = it.client.updates("config_option_update")
        assert {option["id"]: option["currentValue"] for option in told["configOptions"]}["model"] == "scripted/other"
        shown = it.client.updates("config_option_update", "agent_message_chunk")
        assert kinds(shown) == ["config_option_update", "agent_message_chunk"]
        await it.ask("Go.")
        assert it.requests[0].model == "other"
        assert await it.ask("/model `scripted/other`") == "The model is `scripted/other`."
        assert len(it.client.updates("config_option_update")) == 1, "nothing changed"


async def test_model_with_an_unknown_name_says_what_may_be_meant_and_changes_nothing(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/model scripte/demo")
        assert text.startswith('The model was not changed. Provider "scripte" of model "scripte/demo" is unknown; did')
        assert '"scripted/demo"' in text
        assert "It is still `scripted/demo`." in text
        assert it.client.updates("config_option_update") == []


async def test_a_model_without_a_key_is_chosen_and_the_answer_says_what_it_lacks(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "/model anthropic/claude-sonnet-4-5")
        assert client.said().startswith("The model is now `anthropic/claude-sonnet-4-5`, from the next request on.")
        assert "It cannot be asked yet. Anthropic/claude-sonnet-4-5: no key: set ANTHROPIC_API_KEY" in client.said()


async def test_model_without_any_says_how_to_get_one(rig: Rig) -> None:
    async with rig.client(app=app_with(rig, "")) as client:
        await client.initialize()
        await client.prompt(await client.new(rig.cwd), "/model")
        assert client.said().startswith("No model is chosen. No model is configured and no provider has a key")
        assert "No provider can be used" in client.said()


async def test_mode_shows_the_modes_and_changes_to_one_whatever_its_case(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/mode")
        assert text.startswith("The mode is `build`.\n\n**Modes**\n\n- `build`: Works on the files")
        assert await it.ask("/mode Plan") == "The mode is now `plan`."
        assert [update["currentModeId"] for update in it.client.updates("current_mode_update")] == ["plan"]
        assert "- `plan`: Reads and proposes" in (now := await it.ask("/mode"))
        assert now.startswith("The mode is `plan`.")


async def test_a_mode_may_bring_a_model_and_the_answer_says_so(rig: Rig) -> None:
    two_models(rig)
    rig.config |= AGENTS
    async with chat(rig) as it:
        assert await it.ask("/mode review") == "The mode is now `review`. Its model is `scripted/other`."


async def test_an_unknown_mode_changes_nothing_and_the_modes_are_listed(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/mode sleep")
        assert text.startswith("Unknown mode 'sleep'. The mode is `build`.")
        assert "- `plan`" in text
        assert it.client.updates("current_mode_update") == []


async def test_agents_shows_primary_agents_sub_agents_and_what_is_not_offered(rig: Rig) -> None:
    rig.config = {**AGENTS}
    async with chat(rig) as it:
        text = await it.ask("/agents")
        assert "- `build` (current): Works on the files" in text
        assert "- `review`: Reads and judges. With model `scripted/other`, at most 9 steps." in text
        assert "**Sub-agents, for the model to call**\n\n- `helper`: Looks things up. With rules of its own." in text
        assert "Not offered: `secretive`, `plan`." in text


async def test_agents_without_any_in_the_configuration_says_where_to_write_them(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/agents")
        assert "Sub-agents" not in text
        assert "None is configured: write your own below `agent` in opencode.json." in text
