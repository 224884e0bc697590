"""The client at the other end of a connection, within what it said it can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.client.connected import ConnectedClient
from acp_agent.client.quirks import NONE, QUIRKS
from acp_agent.client.workspace import ClientWorkspace
from acp_agent.log import NO_LOG
from acp_agent.rpc.connection import Connection, Work, method_not_found
from acp_agent.rpc.memory import memory_transports
from acp_agent.schema import ToolCallProgress
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.shown_output import started, under_way
from acp_agent.tools.workspace import Output
from tests.harness import Rig, call, tools

pytestmark = pytest.mark.anyio


class _Nothing:
    def on_request(self, method: str, params: Any) -> Work:
        raise method_not_found(method)

    def on_notification(self, method: str, params: Any) -> None:
        return None

    def on_end(self) -> None:
        return None


def _client(**said: Any) -> ConnectedClient:
    ours, theirs = memory_transports()
    ours.close()
    theirs.close()
    connection = Connection(ours, _Nothing(), NO_LOG, lambda *_: None)
    return ConnectedClient(connection, {"protocolVersion": 1, "clientCapabilities": None, **said}, NO_LOG)


async def test_the_quirks_of_a_client_are_known_by_its_name() -> None:
    for name, quirks in QUIRKS.items():
        assert _client(clientInfo={"name": name, "version": "1"}).quirks == quirks
    assert _client(clientInfo={"name": "zed", "version": "1"}).quirks == NONE
    assert _client(clientInfo=None).quirks == NONE


@pytest.mark.parametrize(
    ("fs", "own"),
    [
        ({}, False),
        ({"readTextFile": False, "writeTextFile": False}, False),
        ({"readTextFile": True}, True),
        ({"writeTextFile": True}, True),
        ({"readTextFile": "yes"}, False),
        (None, False),
    ],
)
async def test_files_go_through_the_client_only_where_it_offers_that(tmp_path: Path, fs: Any, own: bool) -> None:
    local = LocalWorkspace((tmp_path,), ProcessTable(), {})
    workspace = _client(clientCapabilities={"fs": fs}).workspace("s", local)
    assert isinstance(workspace, ClientWorkspace) is own
    assert own or workspace is local


@pytest.mark.parametrize(
    ("terminal", "wanted", "own"),
    [(True, True, True), (True, False, False), (False, True, False), ("yes", True, False)],
)
async def test_commands_go_to_the_client_only_where_it_offers_that_and_a_person_asks_for_it(
    tmp_path: Path, terminal: Any, wanted: bool, own: bool
) -> None:
    local = LocalWorkspace((tmp_path,), ProcessTable(), {}, in_client_terminal=wanted)
    client = _client(clientCapabilities={"terminal": terminal})
    assert isinstance(client.workspace("s", local), ClientWorkspace) is own
    files = _client(clientCapabilities={"terminal": terminal, "fs": {"readTextFile": True}}).workspace("s", local)
    assert files.in_client_terminal is own


@pytest.mark.parametrize(
    "capabilities",
    [None, "all", [], {"fs": []}, {"session": "x"}, {"session": {"notices": None}}, {"session": {"notices": 1}}],
)
async def test_a_malformed_capability_counts_as_absent(capabilities: Any) -> None:
    client = _client(clientCapabilities=capabilities)
    assert not client.capabilities.fs.read_text_file
    assert await client.notice("s", "t", "d") is False


@pytest.mark.parametrize(
    "said",
    [{}, {"fs": {"readTextFile": False}}, {"terminal": True}],
)
async def test_a_client_that_offers_no_files_gets_no_request_about_them(tmp_path: Path, said: Any) -> None:
    rig = Rig(tmp_path)
    (rig.cwd / "a.txt").write_text("one\n")
    steps = [
        tools(call("read", filePath="a.txt")),
        tools(
            call("edit", filePath="a.txt", oldString="one", newString="two"),
            call("bash", command="true", description="x"),
        ),
        "Ok.",
    ]
    async with rig.client(*steps) as client:
        await client.initialize(**said)
        session = await client.new(rig.cwd)
        await client.prompt(session)
        assert [
            message for who, message in client.lines if who == "agent" and "id" in message and "method" in message
        ] == []
        assert (rig.cwd / "a.txt").read_text() == "two\n"


async def test_output_in_pieces_is_sent_whole_or_not_at_all() -> None:
    """Whoever is cancelled while the client lags sends the output again, and must not send a part of it twice."""
    ours, theirs = memory_transports()
    ours.close()
    theirs.close()
    connection = Connection(ours, _Nothing(), NO_LOG, lambda *_: None)  # nobody writes: what is sent waits
    said = {"protocolVersion": 1, "clientCapabilities": {"_meta": {"terminal_output": True}}}
    client = ConnectedClient(connection, said, NO_LOG)

    def printed() -> str:
        metas = [item.message["params"]["update"].get("_meta", {}) for item in connection._outbox._items]
        return "".join(meta["terminal_output"]["data"] for meta in metas if "terminal_output" in meta)

    def output(text: str) -> ToolCallProgress:
        content = under_way(Output("", text), Path("/work"))
        return ToolCallProgress(tool_call_id="c", status="in_progress", content=content)

    await client.update("s", ToolCallProgress(tool_call_id="c", status="in_progress", content=started(Path("/work"))))
    with anyio.fail_after(5):
        for letter in "abcd":
            await client.update("s", output(letter * 1_000_000))
        await client.update("s", output("e" * 500_000))  # in the midst of it there is no more room
    whole = "".join(letter * 1_000_000 for letter in "abcd") + "e" * 500_000
    assert printed() == whole
    with anyio.move_on_after(0.05):
        await client.update("s", output("f" * 100_000))
    assert printed() == whole
