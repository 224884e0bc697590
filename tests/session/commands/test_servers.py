"""`/mcp`: what it says of servers, whoever holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from acp_agent.session.commands.servers import answer_about
from tests.harness import Rig
from tests.session.commands.chat import chat

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Row:
    name: str
    transport: str
    state: str
    detail: str = ""
    tools: int = 0


@dataclass
class Shelf:
    rows: list[Row] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    waiting: Sequence[str] = ()

    def waiting_for_trust(self) -> dict[str, object]:
        return dict.fromkeys(self.waiting)

    def status(self) -> Sequence[Row]:
        return self.rows

    async def reconnect(self, name: str) -> None:
        for index, row in enumerate(self.rows):
            if row.name == name and row.state != "off":
                self.joined.append(name)
                self.rows[index] = replace(row, state="joining", detail="")


def shelf() -> Shelf:
    return Shelf(
        [
            Row("files", "stdio", "ready", tools=3),
            Row("web", "http", "failed", "the server answered 500\nand more"),
            Row("old", "sse", "off", "it is disabled"),
        ]
    )


async def test_every_server_is_shown_with_transport_state_tools_and_reason() -> None:
    assert await answer_about(shelf(), "") == (
        "**MCP servers**\n\n"
        "- `files` (stdio): ready, 3 tools\n"
        "- `web` (http): failed, 0 tools. The server answered 500 and more.\n"
        "- `old` (sse): off. It is disabled.\n\n"
        "Join one again with `/mcp reconnect NAME`."
    )


async def test_reconnect_joins_the_named_server_and_shows_how_it_is_now() -> None:
    servers = shelf()
    text = await answer_about(servers, "reconnect web")
    assert servers.joined == ["web"]
    assert text == "`web` is joined again in the background.\n\n- `web` (http): joining, 0 tools"


async def test_a_server_that_is_off_stays_off_and_the_answer_says_why() -> None:
    servers = shelf()
    assert await answer_about(servers, "reconnect `old`") == (
        "`old` cannot be joined.\n\n- `old` (sse): off. It is disabled."
    )
    assert servers.joined == []


WAITING = Row("new", "stdio", "off", "nobody has agreed to it yet")


async def test_of_servers_that_wait_for_a_yes_it_says_when_that_is_asked_and_not_how_to_join_them() -> None:
    servers = Shelf([WAITING], waiting=["new"])
    row = "- `new` (stdio): off. Nobody has agreed to it yet."
    asks = "The next prompt that goes to a model asks you whether to start `new`."
    assert await answer_about(servers, "") == f"**MCP servers**\n\n{row}\n\n{asks}"
    assert await answer_about(servers, "reconnect new") == f"`new` cannot be joined.\n\n{row}\n\n{asks}"
    refused = await answer_about(servers, "", refused=True)
    assert refused.endswith("You were asked whether to start `new`, and the answer was no. A new session asks again.")
    servers.rows.append(Row("files", "stdio", "ready"))
    assert (await answer_about(servers, "")).endswith(f"{asks}\n\nJoin one again with `/mcp reconnect NAME`.")


async def test_words_of_a_server_are_no_markup() -> None:
    servers = Shelf([Row("files", "stdio", "failed", "**gone** <b>\n# see [this](http://x)")])
    assert r"- `files` (stdio): failed, 0 tools. \*\*gone\*\* \<b> \# see \[this\](http://x)." in (
        await answer_about(servers, "")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("reconnect", "Name the server"),
        ("reconnect nobody", "There is no MCP server `nobody`."),
        ("restart web", "`/mcp` knows no `restart`"),
    ],
)
async def test_anything_else_is_explained_and_joins_nothing(arguments: str, said: str) -> None:
    servers = shelf()
    text = await answer_about(servers, arguments)
    assert said in text
    assert "- `files` (stdio)" in text
    assert servers.joined == []


async def test_without_servers_it_says_who_names_them() -> None:
    assert (await answer_about(Shelf(), "")).startswith("This session has no MCP servers.")


async def test_a_server_that_the_configuration_switched_off_is_shown_with_the_reason(rig: Rig) -> None:
    rig.config = {"mcp": {"files": {"type": "local", "command": ["files"], "enabled": False}}}
    async with chat(rig) as it:
        assert "- `files` (stdio): off. Switched off in the configuration." in await it.ask("/mcp")
        assert (await it.ask("/mcp reconnect files")).startswith("`files` cannot be joined.")
        assert "- **ok** MCP server `files`: Off: switched off in the configuration." in await it.ask("/doctor")


async def test_a_session_without_servers_says_so(rig: Rig) -> None:
    async with chat(rig) as it:
        assert (await it.ask("/mcp reconnect x")).startswith("This session has no MCP servers.")
