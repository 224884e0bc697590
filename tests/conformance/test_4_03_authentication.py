"""Section 4.3, rules 31 to 39: authentication."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import Start
from tests.conformance.transcript import EVERYTHING, written
from tests.harness import RawClient, Rig


async def _methods(client: RawClient, **capabilities: Any) -> list[dict[str, Any]]:
    methods: list[dict[str, Any]] = (await client.initialize(**capabilities))["authMethods"]
    return methods


@pytest.mark.anyio
@pytest.mark.parametrize("capabilities", [{}, {"auth": {}}, {"auth": {"terminal": False}}, {"auth": {"terminal": "x"}}])
async def test_rule_031_no_terminal_login_is_offered_to_a_client_that_cannot_run_one(
    rig: Rig, capabilities: Any
) -> None:
    async with rig.client() as client:
        assert [method for method in await _methods(client, **capabilities) if method.get("type") == "terminal"] == []
        error = await client.error("auth/login", {"methodId": "none"})
        assert error["code"] == -32601, "the newer protocol's way is not spoken"


@pytest.mark.anyio
async def test_rule_033_authenticate_refuses_a_method_that_is_unknown_or_runs_in_a_terminal(rig: Rig) -> None:
    async with rig.client() as client:
        methods = await _methods(client, **EVERYTHING)
        refused = ["no such method", "", *(each["id"] for each in methods if each.get("type") == "terminal")]
        for method in refused:
            assert (await client.error("authenticate", {"methodId": method}))["code"] == -32602
        assert (await client.error("authenticate", {}))["code"] == -32602


@pytest.mark.anyio
@pytest.mark.parametrize("capabilities", [{}, EVERYTHING], ids=["nothing", "everything"])
async def test_rule_034_the_ids_of_authentication_methods_are_unique(rig: Rig, capabilities: Any) -> None:
    async with rig.client() as client:
        ids = [method["id"] for method in await _methods(client, **capabilities)]
        assert len(ids) == len(set(ids))


@pytest.mark.anyio
async def test_rule_035_after_authenticate_a_session_can_be_made(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        for method in await _methods(client):
            if method.get("type", "agent") == "agent":
                assert await client.call("authenticate", {"methodId": method["id"]}) == {}
        assert (await client.prompt(await client.new(rig.cwd)))["stopReason"] == "end_turn"


@pytest.fixture
def keyless(rig: Rig) -> Rig:
    """A model of a vendor that wants a key, and no key."""
    rig.config = {"model": "openai/gpt-5", "provider": {}}
    return rig


@pytest.mark.anyio
async def test_rule_036_nobody_is_sent_to_authenticate_since_nothing_here_needs_it(keyless: Rig) -> None:
    async with keyless.client() as client:
        await client.initialize()
        session = await client.new(keyless.cwd)
        setup = {"sessionId": session, "cwd": str(keyless.cwd), "mcpServers": []}
        for method, params in (
            ("session/prompt", client.text_prompt(session)),
            ("session/load", setup),
            ("session/resume", setup),
            ("session/list", {}),
        ):
            answer = await client.response(await client.begin(method, params))
            assert answer.get("error", {}).get("code") != -32000, method


@pytest.mark.anyio
async def test_rule_037_a_missing_key_is_no_missing_login_and_says_what_is_missing(keyless: Rig) -> None:
    """32000 would promise that `authenticate` helps; a key is given in the configuration or the environment."""
    async with keyless.client() as client:
        await client.initialize()
        session = await client.new(keyless.cwd)
        error = await client.error("session/prompt", client.text_prompt(session))
        assert error["code"] == -32603
        assert "OPENAI_API_KEY" in error["message"] + client.said()


@pytest.mark.anyio
async def test_rule_038_logout_exists_where_it_is_advertised(rig: Rig) -> None:
    async with rig.client() as client:
        capabilities = (await client.initialize())["agentCapabilities"]
        if capabilities.get("auth", {}).get("logout") is None:
            assert (await client.error("logout", {}))["code"] == -32601
        else:
            assert await client.call("logout", {}) == {}
        assert len(written(client)) == 2


@pytest.mark.e2e
def test_rule_039_initialize_needs_no_key_no_network_and_little_time(start: Start, project: Path) -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    begin = time.monotonic()
    agent = start(plain=None, environment={**nowhere, "LANG": None})
    assert agent.initialize()["protocolVersion"] == 1
    assert agent.new(project)
    assert time.monotonic() - begin < 10
