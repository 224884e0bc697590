"""`/usage` and `/context`."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from acp_agent.tools import BUILTIN
from tests.harness import Rig, call, tools
from tests.session.commands.chat import chat

pytestmark = pytest.mark.anyio


def usage(**tokens: int) -> dict[str, Any]:
    return {"usage": tokens}


async def test_usage_adds_up_every_request_of_the_session_by_kind(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("text\n")
    steps = [
        {**tools(call("read", filePath="a.txt")), **usage(input=1_000, output=20, cache_write=900)},
        {"text": "Read.", **usage(input=1_100, output=30, cache_read=900, thinking=10)},
    ]
    async with chat(rig, *steps) as it:
        await it.ask("Read it.")
        text = await it.ask("/usage")
        assert text.startswith("**Tokens of 2 model requests in this session**")
        assert "- read by the model: 2,100\n" in text
        assert "- of these from the cache: 900 (43 %), newly put there: 900\n" in text
        assert "- written by the model: 50, of these thoughts: 10\n" in text
        assert "- in all: 2,150" in text
        assert "The cost is not known" in text
        assert "The last request left 1,130 of 100,000 tokens in the window (1.1 %)." in text


async def test_usage_knows_the_cost_where_the_configuration_has_prices_also_after_a_load(rig: Rig) -> None:
    model = {"limit": {"context": 1_000}, "cost": {"input": 3, "output": 15}}
    rig.config["provider"] = {"scripted": {"options": {"script": str(rig.script_file)}, "models": {"demo": model}}}
    async with chat(rig, {"text": "One.", **usage(input=100_000, output=10_000)}) as it:
        await it.ask("Go.")
        assert "Cost: **$0.4500**." in await it.ask("/usage")
        await it.client.call("session/close", {"sessionId": it.session})
        await it.client.call("session/load", {"sessionId": it.session, "cwd": str(rig.cwd), "mcpServers": []})
        assert "Cost: **$0.4500**." in await it.ask("/usage")


async def test_usage_without_any_request_says_so(rig: Rig) -> None:
    async with chat(rig) as it:
        assert await it.ask("/usage") == "No model request of this session has told its tokens yet."


async def test_context_names_the_parts_of_the_next_request(rig: Rig) -> None:
    (rig.cwd / "AGENTS.md").write_text("Be brief. " * 100)
    (rig.cwd / "a.txt").write_text("line\n" * 1_000)
    image = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(b"\x89PNG\r\n").decode()}
    steps = [tools(call("read", filePath="a.txt")), {"text": "It is long.", **usage(input=4_000, output=10)}]
    async with chat(rig, *steps) as it:
        await it.ask([{"type": "text", "text": "Read it."}, image])
        text = await it.ask("/context")
        rows = {line[2:].partition(":")[0]: line for line in text.splitlines() if line.startswith("- ")}
        assert list(rows) == [
            "System prompt",
            "Instructions (1)",
            "List of the project's files",
            f"Tools ({len(BUILTIN)})",
            "Your messages (1)",
            "Images and sounds (1)",
            "Answers (1)",
            "Tool calls and their results (1)",
        ]
        assert f"`{rig.cwd / 'AGENTS.md'}`" in rows["Instructions (1)"]
        assert "about 1,500 tokens" in rows["Images and sounds (1)"]
        assert "Most by: read 9.7 KiB." in rows["Tool calls and their results (1)"]
        assert "of the window" in rows["System prompt"]
        assert "The last request left 4,010 of 100,000 tokens in the window (4.0 %)." in text


async def test_the_parts_add_up_to_the_whole(rig: Rig) -> None:
    (rig.cwd / "AGENTS.md").write_text("Be brief. " * 100)
    async with chat(rig, {"text": "Hello."}) as it:
        await it.ask("Hi.")
        text = await it.ask("/context")
        parts = [line for line in text.splitlines() if line.startswith("- ")]
        counted = [int(line.split("about ")[1].split(" tokens")[0].replace(",", "")) for line in parts]
        assert f"**{sum(counted):,} tokens**" in text
        request = it.requests[0]
        specs = [json.dumps([tool.name, tool.description, tool.parameters]) for tool in request.tools]
        sent = sum(len(text.encode()) for text in (request.system, *specs, "Hi.", "Hello."))
        assert 0 <= sum(counted) * 4 - sent < 4 * len(counted), "each part is rounded up"


async def test_a_look_at_the_context_does_not_settle_the_system_prompt(rig: Rig) -> None:
    rig.config = {"instructions": ["missing.md"]}
    async with chat(rig, {"text": "Hello."}) as it:
        assert "No request has told its tokens yet" in await it.ask("/context")
        (rig.cwd / "AGENTS.md").write_text("Written behind the look.")
        said = await it.ask("Hi.")
        assert "Written behind the look." in it.requests[0].system
        assert said.count("no instruction file matches") == 1
