"""The check that other tests rely on fails when it should."""

from __future__ import annotations

from typing import Any

import pytest

from tests.schema.wire_lines import RequestId, assert_agent_line_is_valid

UPDATE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "method": "session/update",
    "params": {
        "sessionId": "s",
        "update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x"}},
    },
}
SENT: dict[RequestId, str] = {1: "session/new", "p": "session/prompt", 2: "_x/y"}


def answer(request: Any, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request, "result": result}


def failure(error: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": error} | more


@pytest.mark.parametrize(
    "line",
    [
        UPDATE,
        answer(1, {"sessionId": "s", "models": {"currentModelId": "m", "availableModels": []}}),
        answer("p", {"stopReason": "end_turn"}),
        answer(2, 7),
        failure({"code": -32700, "message": "Parse error"}),
        {"jsonrpc": "2.0", "method": "_x/note", "params": [1]},
        {"jsonrpc": "2.0", "id": 9, "method": "fs/read_text_file", "params": {"sessionId": "s", "path": "/a"}},
        {"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 9}},
    ],
)
def test_a_line_that_the_agent_may_write_passes(line: dict[str, Any]) -> None:
    assert_agent_line_is_valid(line, SENT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([UPDATE], "not a JSON-RPC object"),
        (UPDATE | {"jsonrpc": "1.0"}, "not JSON-RPC 2.0"),
        (UPDATE | {"id": 1}, "session/update is a notification"),
        (UPDATE | {"extra": 1}, "unexpected"),
        (UPDATE | {"params": UPDATE["params"] | {"extra": 1}}, "breaks our schema"),
        (UPDATE | {"params": {"sessionId": "s", "update": {"sessionUpdate": "news"}}}, "breaks our schema"),
        (UPDATE | {"params": {"sessionId": "s"}}, "'update' is a required property"),
        (UPDATE | {"method": "session/prompt"}, "not for the client"),
        (UPDATE | {"method": "session/news"}, "unknown method"),
        ({"jsonrpc": "2.0", "id": None, "method": "terminal/output", "params": {}}, "an id of our own"),
        (answer(5, {}), "not sent"),
        (answer(1, {}), "'sessionId' is a required property"),
        (answer(1, None), "breaks our schema"),
        (answer("p", {"stopReason": "error"}), "breaks our schema"),
        (answer("p", {"stopReason": "end_turn", "extra": 1}), "breaks our schema"),
        ({"jsonrpc": "2.0", "id": 1}, "neither method, result nor error"),
        (failure({"code": "x", "message": "m"}), "error.code"),
        (failure({"code": 1, "message": "two\nlines"}), "more than one line"),
        (failure({"code": 1, "message": " "}), "empty"),
        (failure({"code": 1, "message": "m", "data": None}), "error.data"),
        (failure({"code": 1, "message": "m"}, result={}), "unexpected"),
    ],
)
def test_a_line_that_the_agent_may_not_write_fails_with_a_reason(line: Any, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        assert_agent_line_is_valid(line, SENT)
