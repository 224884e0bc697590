"""`initialize`: which version, what is advertised, how often, and the same from both places that answer it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from acp_agent import __version__
from acp_agent.agent.handshake import Handshake
from acp_agent.rpc.messages import RpcError
from tests.harness import Rig

ANSWER = {
    "protocolVersion": 1,
    "agentCapabilities": {
        "loadSession": True,
        "promptCapabilities": {"image": True, "audio": True, "embeddedContext": True},
        "mcpCapabilities": {"http": True, "sse": True},
        "sessionCapabilities": {
            "additionalDirectories": {},
            "systemPrompt": {"mode": {"override": {}}},
            "resume": {},
            "list": {},
            "close": {},
            "delete": {},
            "status": {},
            "options": {},
            "title": {},
        },
    },
    "authMethods": [
        {
            "id": "configuration",
            "name": "Configuration and environment",
            "description": "Uses the keys of opencode.json and of the environment; there is nothing to sign in to.",
        }
    ],
    "agentInfo": {"name": "acp-agent", "title": "ACP Agent", "version": __version__},
    "_meta": {"steering": {"supported": True}},
}

ACCEPTED: list[Any] = [
    {"protocolVersion": 1},
    {"protocolVersion": 0},
    {"protocolVersion": 2},
    {"protocolVersion": 65535},
    {"protocolVersion": "1"},
    {"protocolVersion": 1, "clientCapabilities": {"fs": 7, "terminal": "yes"}, "clientInfo": "me"},
    {"protocolVersion": 1, "clientCapabilities": None, "clientInfo": None, "somethingNew": {"a": [1]}},
    {"protocolVersion": 2, "capabilities": {"session": {}}, "info": {"name": "new", "version": "2"}},
]
REFUSED: list[Any] = [
    {"protocolVersion": -1},
    {"protocolVersion": 70000},
    {"protocolVersion": 1.0},
    {"protocolVersion": True},
    {"protocolVersion": None},
    {"protocolVersion": "one"},
    {"protocolVersion": "-1"},
    {"protocolVersion": "9" * 5000},
    {"protocolVersion": "70000"},
    {"protocolVersion": [1]},
    {},
    [],
    None,
    "1",
]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("params", ACCEPTED)
def test_a_version_that_may_be_one_gets_version_1(params: Any) -> None:
    assert Handshake().answer(params) == ANSWER


@pytest.mark.parametrize("params", REFUSED)
def test_what_names_no_version_is_refused_and_initializes_nothing(params: Any) -> None:
    handshake = Handshake()
    with pytest.raises(RpcError) as raised:
        handshake.answer(params)
    assert raised.value.code == -32602
    assert "protocolVersion" in json.dumps(raised.value.data)
    assert handshake.params is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    params=_JSON
    | st.fixed_dictionaries(
        {"protocolVersion": _JSON | st.integers(-2, 3)}, optional={"clientCapabilities": _JSON, "clientInfo": _JSON}
    )
)
def test_whatever_the_params_are_there_is_an_answer_or_an_error_that_says_why(params: Any) -> None:
    try:
        answer = Handshake().answer(params)
    except RpcError as error:
        answer = {"code": error.code, "said": bool(error.message)}
    assert answer in (ANSWER, {"code": -32602, "said": True})


def _line(params: Any, id: Any = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).encode()


@pytest.mark.anyio
@pytest.mark.parametrize("params", [*ACCEPTED, *REFUSED])
async def test_the_early_answer_is_to_the_letter_the_late_one(tmp_path: Path, params: Any) -> None:
    early = Handshake().early(_line(params))
    assert early is not None
    async with Rig(tmp_path).client() as client:
        late = await client.response(await client.begin("initialize", params))
        assert json.loads(early) == late


def test_only_initialize_is_answered_early_and_other_lines_are_left_alone() -> None:
    handshake = Handshake()
    for line in (
        b"",
        b"{",
        b"[]",
        b'{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":1}}',
        b'{"jsonrpc":"2.0","id":1,"method":"session/new","params":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ):
        assert handshake.early(line) is None
    assert handshake.params is None


@pytest.mark.parametrize("id", [0, -1, 2**70, "", "a", None])
def test_the_early_answer_echoes_the_id_as_it_came(id: Any) -> None:
    early = Handshake().early(_line({"protocolVersion": 1}, id))
    assert early is not None
    assert json.loads(early)["id"] == id


@pytest.mark.anyio
async def test_initialize_may_be_repeated_and_the_last_description_of_the_client_holds(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "opencode.json").write_text('{"modell": 1}')
    rig = Rig(tmp_path)
    async with rig.client("Hi.") as client:
        assert await client.initialize() == ANSWER
        session = await client.new(rig.cwd)
        assert await client.initialize(session={"notices": {}}) == ANSWER
        await client.new(rig.cwd)
        await client.see("notice")
        assert await client.prompt(session) == {"stopReason": "end_turn"}


@pytest.mark.anyio
async def test_before_initialize_requests_are_refused_and_notifications_ignored(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.client() as client:
        await client.notify("session/cancel", {"sessionId": "x"})
        for method in ("session/new", "session/list", "no/such/method", "authenticate"):
            error = await client.error(method, {"cwd": str(rig.cwd)})
            assert (error["code"], error["message"]) == (-32600, "The first request must be initialize."), method
        error = await client.error("initialize", {})
        assert error["code"] == -32602
        assert (await client.error("session/list", {}))["code"] == -32600, "a refused initialize does not count"
        await client.initialize()
        assert await client.call("session/list", {}) == {"sessions": []}
