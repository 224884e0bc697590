"""Defects that were found once, each by its shortest way."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from acp_agent.llm.messages import Text, UserMessage
from acp_agent.rpc.messages import Invalid, Request, decode
from acp_agent.schema import TextContent
from acp_agent.session.record import events
from acp_agent.session.record.history import history, holding
from acp_agent.session.record.sqlite_store import SqliteStore
from acp_agent.session.record.store import SessionHead
from tests.harness import Rig, call, tools
from tests.ids import counting_ids

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def _said(text: str) -> events.UserMessage:
    return events.UserMessage(message_id="u", blocks=(TextContent(text=text),))


async def test_two_refusals_in_a_row_leave_what_was_said_before_them(rig: Rig) -> None:
    refused = {"text": "No.", "stop_reason": "refusal"}
    async with rig.client({"text": "Yes."}, refused, refused) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        for text in ("good", "bad", "worse"):
            await client.prompt(session, text)
    rig.provider = None
    rig.script({"text": "Still here."})
    app = rig.app()
    async with rig.client(app=app) as client:
        await client.initialize()
        await client.prompt(session, "next")
    stored = await app.store.read(session)
    await app.store.close()
    assert stored is not None
    entries = history([event for _, event in holding(stored.record)])
    texts = [entry.content[0] for entry in entries if isinstance(entry, UserMessage)]
    assert texts == [Text(text="good"), Text(text="next")]


def test_a_rewind_to_a_place_that_is_gone_takes_nothing_back() -> None:
    record = [("1", _said("a")), ("2", events.Rewind(to="lost")), ("3", _said("b"))]
    assert [id for id, _ in holding(record)] == ["1", "3"]


@pytest.mark.parametrize("depth", [300, 500, 700, 900, 5000])
def test_a_deeply_nested_line_with_an_escape_raises_nothing(depth: int) -> None:
    nested = "[" * depth + '"\\u00e9"' + "]" * depth
    line = f'{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{nested}}}}}'.encode()
    assert isinstance(decode(line), Request | Invalid)


async def test_a_load_that_fails_does_not_open_a_closed_session(rig: Rig) -> None:
    async with rig.client({"text": "Yes."}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.call("session/close", {"sessionId": session})
        failed = await client.error("session/load", {"sessionId": session, "cwd": "relative", "mcpServers": []})
        assert failed["code"] == -32602
        assert (await client.error("session/prompt", client.text_prompt(session)))["code"] == -32002


async def test_an_empty_answer_after_a_step_with_tools_is_asked_again(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("a")
    empty = {"text": ""}
    async with rig.client(empty, tools(call("read", filePath="a.txt")), empty, {"text": "There."}) as client:
        await client.initialize()
        await client.prompt(await client.new(rig.cwd))
        assert client.said() == "There."


async def test_persons_are_asked_in_the_order_of_the_calls(rig: Rig) -> None:
    rig.config = {"permission": "ask"}
    asked: list[str] = []

    def answer(params: Any) -> Any:
        asked.append(params["toolCall"]["title"])
        return {"outcome": {"outcome": "selected", "optionId": "allow_once"}}

    calls = [
        call("write", filePath="a.txt", content="a"),
        call("write", filePath="b.txt", content="b"),
        call("bash", command="true"),
        call("write", filePath="c.txt", content="c"),
    ]
    async with rig.client(tools(*calls), {"text": "Done."}) as client:
        client.answers["session/request_permission"] = answer
        await client.initialize()
        await client.prompt(await client.new(rig.cwd))
    assert asked == ["a.txt", "b.txt", "true", "c.txt"]


async def test_a_durable_commit_waits_for_the_disk_and_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []

    class Watched(sqlite3.Connection):
        """Notes in which mode each event was committed."""

        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                number = super().execute("PRAGMA synchronous").fetchone()[0]
                modes.append({1: "NORMAL", 2: "FULL"}.get(number, str(number)))
            return super().execute(sql, *rest)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Watched))
    store = SqliteStore(tmp_path / "sessions.db", counting_ids(), lambda: 1.0)
    await store.create(SessionHead("s", Path("/w"), (Path("/w"),), 1.0, 1.0))
    modes.clear()
    await store.append("s", [_said("a")])
    await store.append("s", [_said("b")], durable=True)
    await store.append("s", [_said("c")])
    await store.close()
    assert modes == ["NORMAL", "FULL", "NORMAL"]
