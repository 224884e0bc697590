"""What a client can take at once: no line above 8 MiB, and one update instead of many when it lags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from acp_agent.rpc.messages import encode
from acp_agent.schema import (
    AgentMessageChunk,
    AgentThoughtChunk,
    SessionUpdate,
    TextContent,
    ToolCallProgress,
    ToolCallStart,
    UserMessageChunk,
)

MAX_LINE_BYTES = 8 * 1024 * 1024
_ENVELOPE_BYTES = 4096
_CHUNK_CHARACTERS = 1024 * 1024
"""Escaped, a character takes at most six bytes (twelve for a pair, which counts as one here)."""

_LARGE = "[left out: too large to show]"


def bounded(update: SessionUpdate) -> Iterator[tuple[dict[str, Any], int]]:
    """The update on the wire, with its rough size in bytes; in pieces if one line cannot hold it."""
    match update:
        case AgentMessageChunk() | AgentThoughtChunk() | UserMessageChunk():
            yield from _chunks(update)
        case ToolCallStart() | ToolCallProgress():
            yield bounded_tool_call(update.wire())
        case _:
            yield update.wire(), 1024


def merge(method: str, earlier: Any, later: Any) -> Any | None:
    """Join two adjacent updates: text is appended, a later state of the same tool call replaces an earlier one.

    What a terminal of the call printed is appended, too.
    """
    if method != "session/update" or earlier["sessionId"] != later["sessionId"]:
        return None
    first, second = earlier["update"], later["update"]
    if first["sessionUpdate"] != second["sessionUpdate"]:
        return None
    match second["sessionUpdate"]:
        case "agent_message_chunk" | "agent_thought_chunk":
            joinable = (
                first.get("messageId") == second.get("messageId")
                and first["content"]["type"] == second["content"]["type"] == "text"
            )
            if not joinable:
                return None
            text = first["content"]["text"] + second["content"]["text"]
            return {**later, "update": {**second, "content": {**second["content"], "text": text}}}
        case "tool_call_update" if first["toolCallId"] == second["toolCallId"]:
            return _joined_calls(later, first, second)
        case _:
            return None


def _joined_calls(later: Any, first: Any, second: Any) -> Any | None:
    """The later state of a call, with all output of its terminal: each update has only what is new."""
    meta = {**(first.get("_meta") or {}), **(second.get("_meta") or {})}
    one, other = ((each.get("_meta") or {}).get("terminal_output") for each in (first, second))
    if one and other:
        if one["terminal_id"] != other["terminal_id"]:
            return None
        meta["terminal_output"] = {**other, "data": one["data"] + other["data"]}
    return {**later, "update": {**first, **second, **({"_meta": meta} if meta else {})}}


def _chunks(update: AgentMessageChunk | AgentThoughtChunk | UserMessageChunk) -> Iterator[tuple[dict[str, Any], int]]:
    content = update.content
    if not isinstance(content, TextContent) or len(content.text) <= _CHUNK_CHARACTERS // 2:
        wire = update.wire()
        size = _json_size(content.text) if isinstance(content, TextContent) else len(encode(wire))
        if size > MAX_LINE_BYTES - _ENVELOPE_BYTES:
            wire["content"] = TextContent(text=_LARGE).wire()
            size = len(_LARGE)
        yield wire, size + 200
        return
    for start in range(0, len(content.text), _CHUNK_CHARACTERS // 2):
        piece = content.model_copy(update={"text": content.text[start : start + _CHUNK_CHARACTERS // 2]})
        yield update.model_copy(update={"content": piece}).wire(), _json_size(piece.text) + 200


def _json_size(text: str) -> int:
    """About the bytes that the text takes on the wire, and never fewer where that matters."""
    return len(text) if text.isascii() else 12 * len(text)


def bounded_tool_call(wire: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Leave out what is largest and least needed until the line fits: raw output, raw input, then content."""
    for field in ("rawOutput", "rawInput", "content"):
        size = len(encode(wire))
        if size <= MAX_LINE_BYTES - _ENVELOPE_BYTES:
            return wire, size
        if field in wire:
            note = [{"type": "content", "content": {"type": "text", "text": _LARGE}}]
            wire[field] = note if field == "content" else _LARGE
    return wire, 1024
