"""Lines as no client should write them, and what each of them is owed, worked out from the bytes alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

Json = Any

NOBODY = "nobody"
EITHER = "either"
"""A line so deep that one parser reads it and another gives up: its id or null."""

numbers = (
    st.integers()
    | st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0, -1])
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "\x00", "\ud800", "a\udc00b", "\n", "../..", "~", "__class__", "ses_1", "x" * 3000, "\u2028", "none", "/"]
)
scalars = st.none() | st.booleans() | numbers | texts
values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def templates(session: str, cwd: str) -> list[Json]:
    """One valid request or notification of every method, and answers to requests of the agent's."""
    setup = {"cwd": cwd, "mcpServers": []}
    old = {"sessionId": session}
    text = {"type": "text", "text": "hi", "annotations": {"audience": ["user"], "priority": 0.5}}
    link = {"type": "resource_link", "uri": "file:///no/such", "name": "x", "size": 3}
    inner = {"type": "resource", "resource": {"uri": "mem:x", "text": "t", "mimeType": "text/plain"}}
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    system = {"mode": "append", "content": [{"type": "text", "text": "Be kind."}]}
    broken = {"name": "s", "command": "/no/such/server", "args": ["a"], "env": [{"name": "A", "value": "b"}]}
    requests: list[tuple[str, Json]] = [
        ("initialize", {"protocolVersion": 1, "clientCapabilities": {"fs": {"readTextFile": False}}}),
        ("authenticate", {"methodId": "none"}),
        ("session/new", {**setup, "additionalDirectories": [cwd], "systemPrompt": system}),
        ("session/new", {**setup, "mcpServers": [broken]}),
        ("session/load", {**old, **setup}),
        ("session/resume", {**old, **setup}),
        ("session/list", {"cwd": cwd, "cursor": None}),
        ("session/prompt", {**old, "prompt": [text, link, inner, image]}),
        ("session/prompt", {**old, "prompt": [text]}),
        ("session/set_mode", {**old, "modeId": "plan"}),
        ("session/set_config_option", {**old, "configId": "model", "value": "scripted/demo"}),
        ("session/set_model", {**old, "modelId": "scripted/demo"}),
        ("session/set_title", {**old, "title": "A title"}),
        ("session/status", old),
        ("session/options", {"cwd": cwd}),
        ("session/cancel", old),
        ("session/close", {"sessionId": "none"}),
        ("session/delete", {"sessionId": "none"}),
        ("_session/steering", {**old, "prompt": [text]}),
        ("_vendor/unknown", {"a": 1}),
    ]
    calls = [{"jsonrpc": "2.0", "id": 5, "method": method, "params": params} for method, params in requests]
    notes = [
        {"jsonrpc": "2.0", "method": "session/cancel", "params": old},
        {"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 5}},
        {"jsonrpc": "2.0", "method": "unknown", "params": {}},
    ]
    answers = [
        {"jsonrpc": "2.0", "id": "agent-1", "result": {"outcome": {"outcome": "selected", "optionId": "allow_once"}}},
        {"jsonrpc": "2.0", "id": "agent-1", "error": {"code": -32603, "message": "no"}},
    ]
    return [*calls, *notes, *answers]


def _places(value: Json, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _places(item, (*at, key))
    return found


def _mutate(draw: Callable[..., Any], message: Json) -> None:
    """Change one place of a message."""
    places = _places(message)
    if not places:
        return
    *way, last = draw(st.sampled_from(places))
    parent = message
    for key in way:
        parent = parent[key]
    match draw(st.sampled_from(["drop", "replace", "wrap", "rename", "add"])):
        case "drop":
            del parent[last]
        case "replace":
            parent[last] = draw(values)
        case "wrap":
            parent[last] = [parent[last]] if draw(st.booleans()) else {str(last): parent[last]}
        case "rename" if isinstance(parent, dict):
            parent[draw(texts)] = parent.pop(last)
        case "add" if isinstance(parent, dict):
            parent[draw(texts)] = draw(values)
        case _:
            pass


def _more(text: str, fields: str) -> str:
    """An object's text with further fields, whatever it has already."""
    return text[:-1] + (", " if len(text) > 2 else "") + fields + "}"


@st.composite
def mutated(draw: Callable[..., Any], messages: list[Json]) -> bytes:
    """A valid message with some of its parts taken out, renamed, replaced or wrapped."""
    message = copy.deepcopy(draw(st.sampled_from(messages)))
    for _ in range(draw(st.integers(0, 3))):
        _mutate(draw, message)
    text = json.dumps(message, ensure_ascii=draw(st.booleans()))
    raw = text.encode("utf-8", "surrogatepass")
    match draw(st.sampled_from(["", "", "", "twice", "number", "deep", "cut", "byte"])):
        case "twice":  # the same key two times: the later one counts
            text = _more(text, '"id": 7, "id": "seven", "jsonrpc": "2.0"')
        case "number":
            text = text.replace("5", draw(st.sampled_from(["1e999", "-0", "5.0", "1" * 5000, "NaN", "05"])), 1)
        case "deep":
            depth = draw(st.sampled_from([50, 100_000]))
            text = _more(text, '"deep": ' + "[" * depth + "]" * depth)
        case "cut":
            return raw[: draw(st.integers(0, len(raw)))]
        case "byte":
            at = draw(st.integers(0, len(raw)))
            return (raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at:]).replace(b"\n", b" ")
    return text.encode("utf-8", "surrogatepass")


def any_line(messages: list[Json]) -> st.SearchStrategy[bytes]:
    """Bytes, JSON, messages with odd envelopes, and messages that are nearly valid."""
    json_line = values.map(lambda value: json.dumps(value).encode())
    envelope = st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | values,
            "id": values,
            "method": st.sampled_from(["session/list", "initialize", "session/new"]) | values,
            "params": values,
            "result": values,
            "error": values,
        },
    ).map(lambda value: json.dumps(value).encode())
    noise = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b" "))
    # Blank lines are left out: they are no messages, and the transport skips them.
    return (noise | json_line | envelope | mutated(messages) | mutated(messages)).filter(bytes.strip)


class Owed(NamedTuple):
    """Whom a line's one answer must name: an id, None, `EITHER` of them, or `NOBODY` if there must be none."""

    id: Any
    error: int | None = None


def owed(line: bytes) -> Owed:
    """What JSON-RPC and the rules 6 to 11 say of a line."""
    if line.count(b"[") > 10_000:
        return Owed(EITHER)
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Owed(None, -32700)
    if not isinstance(value, dict):
        return Owed(None, -32600)
    id = value.get("id")
    if isinstance(id, bool) or not isinstance(id, int | str | None):
        return Owed(None, -32600)
    if value.get("jsonrpc") != "2.0":
        return Owed(id, -32600)
    if "method" not in value:
        return Owed(NOBODY) if "result" in value or "error" in value else Owed(id, -32600)
    if not isinstance(value["method"], str):
        return Owed(id, -32600)
    return Owed(id) if "id" in value else Owed(NOBODY)


def _refuse(name: str) -> Any:
    raise ValueError(name)
