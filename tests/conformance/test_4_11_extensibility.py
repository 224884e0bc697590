"""Section 4.11, rules 102 to 110: gated updates, notices, extensions, system prompt and title."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acp_agent.llm.scripted import Scripted
from tests.conformance.conftest import Start
from tests.conformance.test_4_04_sessions import loudly, opening, server
from tests.conformance.transcript import EVERYTHING, place_of_response, settle, text_of, updates_of, written
from tests.harness import RawClient, Rig, call, tools

pytestmark = pytest.mark.anyio

GATED = {
    "notice": {"session": {"notices": {}}},
    "compaction_update": {"session": {"compaction": {}}},
    "compaction_summary_chunk": {"session": {"compaction": {}}},
    "plan_update": {"plan": {}},
    "plan_removed": {"plan": {}},
    "subagent_update": {"subagents": {}},
    "session_message": {"subagents": {}},
    "session_message_chunk": {"subagents": {}},
    "prompt_suggestions_update": {"session": {"promptSuggestions": {}}},
}
"""Updates and the client capability that asks for them."""

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _plan() -> Any:
    return tools(call("todowrite", todos=[{"content": "a", "status": "pending", "priority": "low"}]))


@pytest.fixture
def troubled(rig: Rig) -> Rig:
    """A configuration with something to tell of."""
    rig.config = {"modle": "typo"}
    return rig


@pytest.mark.parametrize("capabilities", [{}, *GATED.values()], ids=json.dumps)
async def test_rule_102_gated_updates_go_to_nobody_who_did_not_ask_for_them(troubled: Rig, capabilities: Any) -> None:
    async with troubled.client(_plan(), "Done.", "Again.") as client:
        await client.initialize(**capabilities)
        session = await client.new(troubled.cwd)
        await client.prompt(session)
        await client.call("session/close", {"sessionId": session})
        await client.call("session/load", opening(troubled, session))
        await client.prompt(session)
        await settle(client)
        seen = {update["sessionUpdate"] for _, update in updates_of(written(client), session)}
        asked_for = {kind for kind, gate in GATED.items() if gate == capabilities}
        assert seen & set(GATED) <= asked_for
        assert "plan" in seen


async def test_rule_104_a_notice_has_a_title_is_not_replayed_and_is_said_where_it_cannot_be_shown(
    troubled: Rig,
) -> None:
    async with troubled.client("Hi.", "Hi.") as client:
        await client.initialize(**EVERYTHING)
        new = await client.begin("session/new", opening(troubled))
        session = (await client.response(new))["result"]["sessionId"]
        await settle(client)
        notices = list(updates_of(written(client), session, "notice"))
        assert notices
        assert all(place > place_of_response(written(client), new) for place, _ in notices)
        assert all(notice["title"].strip() and "\n" not in notice["title"] for _, notice in notices)
        assert all(notice["severity"] in ("info", "warning", "error") for _, notice in notices)
        await client.prompt(session)
        assert "modle" not in client.said()
        mark = len(written(client))
        load = await client.begin("session/load", opening(troubled, session))
        await client.response(load)
        lines = written(client)[mark:]
        assert [
            place for place, _ in updates_of(lines, session, "notice") if place < place_of_response(lines, load)
        ] == []

        await client.initialize()
        other = await client.new(troubled.cwd)
        await client.prompt(other)
        assert list(updates_of(written(client), other, "notice")) == []
        assert "modle" in text_of(written(client), other)


async def test_rule_105_requests_of_an_unknown_extension_are_answered_and_notifications_ignored(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        for method in ("_x", "_vendor.example/do", "_", "_session/none", "_$/x"):
            assert (await client.error(method, {"a": 1}))["code"] == -32601
        mark = len(written(client))
        for method in ("_x", "$/x", "_session/none", "$/cancel_request", "unheard/of"):
            await client.notify(method, {"a": 1})
        await settle(client)
        assert len(written(client)) == mark + 5


@pytest.mark.parametrize(
    "meta", [None, {}, {"vendor.example/x": [1, {"y": None}], "traceparent": TRACE}], ids=json.dumps
)
async def test_rule_105_meta_is_taken_everywhere_and_does_nothing(rig: Rig, meta: Any) -> None:
    async with rig.client("Hi.") as client:
        hello = {"clientCapabilities": {"_meta": meta, "fs": {"_meta": meta}}, "protocolVersion": 1, "_meta": meta}
        await client.call("initialize", hello)
        session = (await client.call("session/new", opening(rig, _meta=meta)))["sessionId"]
        blocks = [{"type": "text", "text": "hi", "_meta": meta, "annotations": {"_meta": meta}}]
        prompt = {"sessionId": session, "prompt": blocks, "_meta": meta}
        assert (await client.call("session/prompt", prompt))["stopReason"] == "end_turn"
        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan", "_meta": meta})
        await client.call("session/list", {"_meta": meta})
        await client.notify("session/cancel", {"sessionId": session, "_meta": meta})
        await client.call("session/close", {"sessionId": session, "_meta": meta})
        for line in written(client):
            body = line.get("params") or line.get("result") or {}
            assert isinstance(body.get("_meta", {}), dict)


async def test_rule_106_the_trace_of_a_prompt_goes_on_to_the_servers_that_it_calls(rig: Rig) -> None:
    rig.provider = Scripted()
    async with rig.client() as client:
        client.answers["session/request_permission"] = lambda _params: {
            "outcome": {"outcome": "selected", "optionId": "allow_once"}
        }
        await client.initialize()
        session = (await client.call("session/new", opening(rig, mcpServers=[server()])))["sessionId"]
        heard = await loudly(client, rig, session, "hi", traceparent=TRACE, tracestate="a=b", baggage="c=d")
        assert TRACE in heard
        assert "a=b" in heard
        assert "c=d" in heard
        own = {key for line in written(client) for key in (line.get("params", {}).get("_meta") or {})}
        assert not own & {"traceparent", "tracestate", "baggage"}, "nothing of ours stands under these names"


@pytest.mark.e2e
def test_rule_107_telemetry_settings_that_lead_nowhere_touch_no_request(start: Start, project: Path) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "no such thing"}
    agent = start("Hi.", environment=settings)
    agent.initialize()
    assert agent.prompt(agent.new(project)) == "end_turn"
    assert agent.stderr() == ""


def _prompt(mode: str, *texts: str) -> Any:
    return {"mode": mode, "content": [{"type": "text", "text": text} for text in texts]}


async def _system(client: RawClient, rig: Rig, **more: Any) -> str:
    """What a new session's model is told by way of system prompt."""
    provider = rig.provider
    assert isinstance(provider, Scripted)
    session = (await client.call("session/new", opening(rig, **more)))["sessionId"]
    provider.append({"text": "Hi."})
    await client.prompt(session)
    return provider.requests[-1].system


async def test_rule_109_a_system_prompt_is_added_or_replaces_the_instructions_but_not_the_tools(rig: Rig) -> None:
    rig.provider = provider = Scripted()
    async with rig.client() as client:
        capabilities = (await client.initialize())["agentCapabilities"]["sessionCapabilities"]
        assert capabilities["systemPrompt"]["mode"]["override"] == {}
        plain = await _system(client, rig)
        added = await _system(client, rig, systemPrompt=_prompt("append", "Speak like", "a pirate."))
        replaced = await _system(client, rig, systemPrompt=_prompt("override", "You are a parrot."))
        assert "Speak like" in added
        assert "a pirate." in added
        beginning = plain[:200]
        assert added.startswith(beginning)
        assert "You are a parrot." in replaced
        assert beginning not in replaced
        assert provider.requests[0].tools == provider.requests[1].tools == provider.requests[2].tools


@pytest.mark.parametrize(
    "given",
    [
        _prompt("prepend", "x"),
        _prompt("", "x"),
        {"mode": "append", "content": [{"type": "image", "data": "", "mimeType": "image/png"}]},
        {"mode": "override", "content": [{"type": "resource_link", "uri": "file:///x", "name": "x"}]},
    ],
    ids=json.dumps,
)
async def test_rule_109_a_system_prompt_that_cannot_be_applied_fails_the_request_and_makes_nothing(
    rig: Rig, given: Any
) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        assert (await client.error("session/new", opening(rig, systemPrompt=given)))["code"] == -32602
        assert (await client.call("session/list", {}))["sessions"] == []
        session = await client.new(rig.cwd)
        await client.prompt(session)
        await client.call("session/close", {"sessionId": session})
        for method in ("session/load", "session/resume"):
            assert (await client.error(method, opening(rig, session, systemPrompt=given)))["code"] == -32602
        error = await client.error("session/prompt", client.text_prompt(session))
        assert error["code"] == -32002, "nothing was opened"


async def test_rule_110_a_title_that_was_given_is_stored_told_and_never_changed_by_us(rig: Rig) -> None:
    async with rig.client("Hi.", "Hi.") as client:
        assert "title" in (await client.initialize())["agentCapabilities"]["sessionCapabilities"]
        session = await client.new(rig.cwd)
        given = await client.call("session/set_title", {"sessionId": session, "title": "  My title  "})
        assert given["title"].strip() == "My title"
        for text in ("Mend the parser", "And something else"):
            await client.prompt(session, text)
        await settle(client)
        (listed,) = (await client.call("session/list", {}))["sessions"]
        assert listed["title"] == given["title"]
        told = [update["title"] for _, update in updates_of(written(client), session, "session_info_update")
                if "title" in update]  # fmt: skip
        assert set(told) <= {given["title"]}
        for title in ("", "   ", "\n"):
            error = await client.error("session/set_title", {"sessionId": session, "title": title})
            assert error["code"] == -32602
        assert (await client.error("session/set_title", {"sessionId": session}))["code"] == -32602
        error = await client.error("session/set_title", {"sessionId": "none", "title": "x"})
        assert error["code"] == -32002


async def test_rule_110_a_status_tells_and_changes_nothing(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        assert "status" in (await client.initialize())["agentCapabilities"]["sessionCapabilities"]
        session = await client.new(rig.cwd)
        await client.prompt(session)

        async def status() -> Any:
            return (await client.call("session/status", {"sessionId": session}))["status"]

        assert await status() == "open"
        await client.call("session/close", {"sessionId": session})
        before = await client.call("session/list", {})
        mark = len(written(client))
        assert [await status(), await status()] == ["saved", "saved"], "asking opens nothing"
        await settle(client)
        assert list(updates_of(written(client)[mark:], session)) == []
        assert await client.call("session/list", {}) == before
        error = await client.error("session/status", {"sessionId": "none"})
        assert (error["code"], error["data"]["sessionId"]) == (-32002, "none")
