"""JSON-RPC 2.0 envelopes: one line of JSON to one message, and back. Standard library only.

Whatever arrives, `decode` returns: a line that is no valid message becomes an `Invalid`, which says how to answer.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, NoReturn, TypeAlias

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REQUEST_CANCELLED = -32800
RESOURCE_NOT_FOUND = -32002

MAX_MESSAGE_BYTES = 64 * 1024 * 1024 + 1024
"""The longest line that is read: 64 MiB of payload and its envelope."""

Id: TypeAlias = int | str | None


class RpcError(Exception):
    """An error answer: `message` is one line for a person, `data` what was expected or what to do."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = " ".join(message.split()) or "The request failed."
        self.data = data

    def wire(self) -> dict[str, Any]:
        """The error object; `data` is left out when there is none."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class Request(NamedTuple):
    """A call that is owed exactly one answer. `size` is the length of its line in bytes."""

    id: Id
    method: str
    params: Any
    size: int


class Notification(NamedTuple):
    """A call that is never answered, whatever goes wrong in it."""

    method: str
    params: Any


class Response(NamedTuple):
    """The answer to one of our requests: `error` is None, or the error object as it came."""

    id: Id
    result: Any
    error: Any


class Invalid(NamedTuple):
    """A line that is no message, and the error that it is answered with."""

    id: Id
    error: RpcError


Message: TypeAlias = Request | Notification | Response | Invalid


def decode(line: bytes) -> Message:
    """Turn one line into a message. Never raises: depth, huge numbers, NaN and bad UTF-8 are parse errors too."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
        if b"\\u" in line:
            value = _without_half_characters(value)
    except (ValueError, RecursionError):
        return Invalid(None, RpcError(PARSE_ERROR, "This line is not JSON; one JSON object is expected on each line."))
    if not isinstance(value, dict):
        what = "A batch" if isinstance(value, list) else "A bare value"
        return _invalid(None, f"{what} is not accepted: send one JSON-RPC object on each line.")
    return _envelope(value, len(line))


def encode(message: dict[str, Any]) -> bytes:
    """One line without its newline; ASCII only, since some clients decode each chunk of bytes alone.

    Numbers that JSON does not have become null: a model may have written one into the arguments of a tool.
    """
    try:
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError:
        return json.dumps(_finite(message), separators=(",", ":"), allow_nan=False).encode("ascii")


def result_message(id: Id, result: Any) -> dict[str, Any]:
    """The envelope of a result."""
    return {"jsonrpc": "2.0", "id": id, "result": result}


def error_message(id: Id, error: RpcError) -> dict[str, Any]:
    """The envelope of an error."""
    return {"jsonrpc": "2.0", "id": id, "error": error.wire()}


def _envelope(value: dict[str, Any], size: int) -> Message:
    raw_id = value.get("id")
    id_is_valid = (
        raw_id is None or isinstance(raw_id, str) or (isinstance(raw_id, int) and not isinstance(raw_id, bool))
    )
    id: Id = raw_id if id_is_valid else None
    if not id_is_valid:
        return _invalid(None, "`id` must be a string, an integer or null.")
    if value.get("jsonrpc") != "2.0":
        return _invalid(id, '`jsonrpc` must be "2.0".')
    if "method" not in value:
        if "result" in value or "error" in value:
            return _response(id, value)
        return _invalid(id, "A message needs a `method`, a `result` or an `error`.")
    method = value["method"]
    if not isinstance(method, str):
        return _invalid(id, "`method` must be a string.")
    params = value.get("params")
    if "id" not in value:
        return Notification(method, params)
    return Request(id, method, params, size)


def _response(id: Id, value: dict[str, Any]) -> Response:
    if "result" in value and "error" in value:
        return Response(id, None, {"code": INVALID_REQUEST, "message": "The answer had a result and an error."})
    return Response(id, value.get("result"), value.get("error"))


def _invalid(id: Id, message: str) -> Invalid:
    return Invalid(id, RpcError(INVALID_REQUEST, message))


def _without_half_characters(message: Any) -> Any:
    """Replace lone surrogates, which no file and no model takes, in everything but the id, which must come back."""
    if not isinstance(message, dict):
        return message
    return {key: value if key == "id" else whole(value) for key, value in message.items()}


def whole(value: Any) -> Any:
    """The JSON value with every lone surrogate in it replaced by U+FFFD."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [whole(item) for item in value]
        case dict():
            return {whole(key): whole(item) for key, item in value.items()}
        case _:
            return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
