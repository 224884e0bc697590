"""Section 4.8, rules 82 to 88: modes and configuration options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.transcript import EVERYTHING, settle, updates_of, written
from tests.e2e.process import vendor_config
from tests.fakes.vendor import Vendor, vendor_server
from tests.harness import RawClient, Rig, call, tools
from tests.session.unit import NoteTool

pytestmark = pytest.mark.anyio

KNOWN = {"mode", "model", "model_config", "thought_level"}


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """With a second model to choose."""
    rig.config = {
        "provider": {
            "scripted": {
                "options": {"script": str(rig.script_file)},
                "models": {"demo": {"name": "Demo", "limit": {"context": 100_000, "output": 4_000}}, "other": {}},
            }
        }
    }
    return rig


def values(option: Any) -> list[str]:
    """The values of an option, whether they stand in groups or not."""
    return [each["value"] for entry in option["options"] for each in entry.get("options", [entry])]


def assert_options(options: Any) -> None:
    """A whole, valid list of options."""
    assert {"model", "mode"} <= {option["id"] for option in options}
    assert len({option["id"] for option in options}) == len(options)
    for option in options:
        assert option["name"]
        if option["type"] == "boolean":
            assert isinstance(option["currentValue"], bool)
            continue
        assert option["type"] == "select"
        assert option["currentValue"] in values(option)
        assert len(set(values(option))) == len(values(option))


async def _opened(client: RawClient, rig: Rig, **capabilities: Any) -> Any:
    await client.initialize(**capabilities)
    return await client.call("session/new", {"cwd": str(rig.cwd), "mcpServers": []})


async def _set(client: RawClient, session: str, option: str, value: Any, **more: Any) -> Any:
    params = {"sessionId": session, "configId": option, "value": value, **more}
    return (await client.call("session/set_config_option", params))["configOptions"]


def _current(options: Any) -> dict[str, Any]:
    return {option["id"]: option["currentValue"] for option in options}


async def _everywhere(client: RawClient, rig: Rig, **capabilities: Any) -> list[Any]:
    """Every list of options that the agent tells in a session's life."""
    new = await _opened(client, rig, **capabilities)
    session = new["sessionId"]
    await client.prompt(session)
    told = [new["configOptions"]]
    told.append(await _set(client, session, "mode", "plan"))
    told.append(await _set(client, session, "model", "scripted/other"))
    await client.call("session/set_mode", {"sessionId": session, "modeId": "build"})
    for method in ("session/load", "session/resume"):
        await client.call("session/close", {"sessionId": session})
        params = {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []}
        told.append((await client.call(method, params))["configOptions"])
    await settle(client)
    told += [update["configOptions"] for _, update in updates_of(written(client), session, "config_option_update")]
    return told


@pytest.mark.parametrize("capabilities", [{}, EVERYTHING], ids=["nothing", "everything"])
async def test_rule_082_every_option_has_a_current_value_out_of_its_own_always(rig: Rig, capabilities: Any) -> None:
    async with rig.client("Hi.") as client:
        for options in await _everywhere(client, rig, **capabilities):
            assert_options(options)


async def test_rule_083_options_are_told_completely_each_time(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        told = await _everywhere(client, rig)
        ids = [[option["id"] for option in options] for options in told]
        assert ids == [ids[0]] * len(ids)
        assert _current(told[1])["mode"] == "plan"
        assert _current(told[2]) == {**_current(told[0]), "mode": "plan", "model": "scripted/other"}
        assert _current(told[3]) == {**_current(told[0]), "model": "scripted/other"}, "kept through a load"


@pytest.mark.parametrize(
    "capabilities",
    [{}, {"session": None}, {"session": {}}, {"session": {"configOptions": {}}}, {"session": {"configOptions": None}}],
    ids=str,
)
async def test_rule_084_no_boolean_option_goes_to_a_client_that_did_not_ask_for_them(
    rig: Rig, capabilities: Any
) -> None:
    async with rig.client("Hi.") as client:
        for options in await _everywhere(client, rig, **capabilities):
            assert {option["type"] for option in options} == {"select"}


async def test_rule_085_mode_and_option_say_the_same_and_each_change_is_told_as_the_other(rig: Rig) -> None:
    async with rig.client() as client:
        new = await _opened(client, rig)
        session = new["sessionId"]
        (option,) = [each for each in new["configOptions"] if each.get("category") == "mode"]
        modes = new["modes"]
        assert values(option) == [mode["id"] for mode in modes["availableModes"]]
        assert option["currentValue"] == modes["currentModeId"] == "build"

        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"})
        await settle(client)
        told = [update["configOptions"] for _, update in updates_of(written(client), session, "config_option_update")]
        assert _current(told[-1])[option["id"]] == "plan"

        assert _current(await _set(client, session, option["id"], "build"))[option["id"]] == "build"
        await settle(client)
        told_modes = [
            update["currentModeId"] for _, update in updates_of(written(client), session, "current_mode_update")
        ]
        assert told_modes[-1] == "build"


async def test_rule_086_categories_are_known_or_marked_and_the_model_comes_first(rig: Rig) -> None:
    async with rig.client() as client:
        options = (await _opened(client, rig))["configOptions"]
        categories = [option["category"] for option in options if option.get("category")]
        assert all(category in KNOWN or category.startswith("_") for category in categories)
        assert categories[0] == "model"


async def test_rule_087_unknown_choices_are_refused_and_change_nothing(rig: Rig) -> None:
    async with rig.client() as client:
        new = await _opened(client, rig)
        session = new["sessionId"]
        for method, params in (
            ("session/set_mode", {"modeId": "none"}),
            ("session/set_mode", {"modeId": ""}),
            ("session/set_config_option", {"configId": "none", "value": "x"}),
            ("session/set_config_option", {"configId": "mode", "value": "none"}),
            ("session/set_config_option", {"configId": "model", "value": "none/such"}),
            ("session/set_config_option", {"configId": "mode", "type": "boolean", "value": True}),
            ("session/set_config_option", {"configId": "mode", "value": 5}),
        ):
            assert (await client.error(method, {"sessionId": session, **params}))["code"] == -32602, params
        params = {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []}
        assert (await client.call("session/resume", params))["configOptions"] == new["configOptions"]


async def test_rule_087_a_change_in_mid_turn_holds_from_the_next_model_call(rig: Rig) -> None:
    go_on = anyio.Event()

    async def work(text: str) -> str:
        await go_on.wait()
        return text

    rig.tools = [NoteTool(work)]
    rig.provider = provider = Scripted([tools(call("note", text="a")), {"text": "Done."}])
    async with rig.client() as client:
        session = (await _opened(client, rig))["sessionId"]
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.until(
            lambda: any(each.get("status") == "in_progress" for each in client.updates("tool_call_update"))
        )
        assert _current(await _set(client, session, "model", "scripted/other"))["model"] == "scripted/other"
        go_on.set()
        assert (await client.response(prompt))["result"]["stopReason"] == "end_turn"
        assert [request.model for request in provider.requests] == ["demo", "other"]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as vendor:
        yield vendor


async def test_rule_088_a_session_opens_without_a_word_to_any_vendor(rig: Rig, vendor: Vendor) -> None:
    rig.config = vendor_config(vendor)
    async with rig.client() as client:
        new = await _opened(client, rig)
        assert _current(new["configOptions"])["model"] == "fake/small"
        params = {"sessionId": new["sessionId"], "cwd": str(rig.cwd), "mcpServers": []}
        await client.call("session/resume", params)
        await settle(client)
        assert vendor.requests == []
