"""For other tests: whether a line that the agent wrote is what it may write.

`assert_agent_line_is_valid(line, pending)` takes a decoded line and the requests that the client sent, as a mapping of
id to method. It checks the JSON-RPC envelope, then params or result against our schemas with unknown fields forbidden,
and against the specification's own schema where a copy lies beside the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from acp_agent.schema import message_types
from acp_agent.schema.export import schema_of, strict
from tests.schema.upstream import available, definitions, method_types

RequestId = int | str | None


def assert_agent_line_is_valid(line: Any, pending: Mapping[RequestId, str]) -> None:
    """Fail with a reason if the agent may not write this.

    `pending` names the method of every request of the client's that may be answered; an answered id stays in it or is
    removed by the caller. Extension methods (`_…`) are checked as envelopes only.
    """
    assert isinstance(line, dict), f"not a JSON-RPC object: {line!r}"
    assert line.get("jsonrpc") == "2.0", f"not JSON-RPC 2.0: {line}"
    if "method" in line:
        _check_call(line)
    elif "error" in line:
        _check_error(line)
    else:
        _check_result(line, pending)


def _check_call(line: dict[str, Any]) -> None:
    is_request = "id" in line
    _check_keys(line, {"jsonrpc", "method", "params"} | ({"id"} if is_request else set()))
    method = line["method"]
    assert isinstance(method, str), f"method is not a string: {line}"
    if method.startswith("_"):
        return
    types = message_types.get(method)
    assert types is not None, f"the agent wrote an unknown method: {line}"
    assert types.direction in ("client", "both"), f"{method} is not for the client: {line}"
    assert is_request == (types.kind == "request"), f"{method} is a {types.kind}: {line}"
    if is_request:
        assert isinstance(line["id"], int | str), f"an id of our own is a number or a string: {line}"
    _check_value(method, types.kind, line.get("params", {}))


def _check_error(line: dict[str, Any]) -> None:
    _check_keys(line, {"jsonrpc", "id", "error"})
    assert "id" in line, f"an error without id: {line}"
    error = line["error"]
    assert isinstance(error, dict), f"error is not an object: {line}"
    assert set(error) <= {"code", "message", "data"}, f"unknown fields in error: {line}"
    assert isinstance(error.get("code"), int), f"error.code is not an integer: {line}"
    assert isinstance(error.get("message"), str), f"error.message is not a string: {line}"
    assert error["message"].strip(), f"error.message is empty: {line}"
    assert "\n" not in error["message"], f"error.message has more than one line: {line}"
    assert error.get("data", ...) is not None, f"error.data is null; leave it out: {line}"


def _check_result(line: dict[str, Any], pending: Mapping[RequestId, str]) -> None:
    _check_keys(line, {"jsonrpc", "id", "result"})
    assert "result" in line, f"neither method, result nor error: {line}"
    assert line.get("id") in pending, f"a response to a request that was not sent: {line}"
    method = pending[line["id"]]
    if method.startswith("_"):
        return
    assert method in message_types, f"a result for the unknown method {method}: {line}"
    if message_types[method].result is None:
        assert line["result"] == {}, f"the result of a notification that was sent as a request: {line}"
        return
    _check_value(method, "response", line["result"])


def _check_keys(line: dict[str, Any], allowed: set[str]) -> None:
    assert set(line) <= allowed, f"unexpected {set(line) - allowed} beside {allowed}: {line}"


def _check_value(method: str, kind: str, value: Any) -> None:
    for whose, validator in _validators(method, kind):
        if not validator.is_valid(value):
            problem = best_match(validator.iter_errors(value))
            raise AssertionError(
                f"{method} {kind} breaks {whose} schema at {problem.json_path}: {problem.message}\n{value}"
            )


@cache
def _validators(method: str, kind: str) -> list[tuple[str, Draft202012Validator]]:
    types = message_types[method]
    model = types.result if kind == "response" else types.params
    assert model is not None, f"{method} has no {kind}"
    found = [("our", Draft202012Validator(strict(schema_of(model))))]
    theirs = method_types().get((method, kind)) if available() else None
    if theirs is not None:
        schema = {"$ref": f"#/$defs/{theirs}", "$defs": definitions()}
        found.append(("the specification's", Draft202012Validator(schema)))
    return found
