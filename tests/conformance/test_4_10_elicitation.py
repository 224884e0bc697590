"""Section 4.10, rules 96 to 101: elicitation, which this agent never uses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.transcript import EVERYTHING, settle, written
from tests.harness import RawClient, Rig, call, choose, tools

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, EVERYTHING], ids=["nothing", "no way", "everything"])
async def test_rule_096_nothing_is_elicited_from_a_client_whatever_it_offers(rig: Rig, capabilities: Any) -> None:
    rig.config = {"permission": {"edit": "ask"}}
    steps = (tools(call("write", filePath="a.txt", content="x"), call("question", text="Which one?")), "Which one?")
    async with rig.client(*steps) as client:
        client.answers["session/request_permission"] = choose("reject_once")
        await client.initialize(**{**capabilities, "fs": {}})
        assert (await client.prompt(await client.new(rig.cwd)))["stopReason"] == "end_turn"
        await settle(client)
        _nothing_elicited(client)
        assert client.said() == "Which one?", "a question is text, and the turn ends with it"


def _nothing_elicited(client: RawClient) -> None:
    assert [line for line in written(client) if line.get("method", "").startswith("elicitation/")] == []
