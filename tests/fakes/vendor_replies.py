"""What the fake vendor can reply, and how that looks in each wire format."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

WireApi: TypeAlias = Literal["openai_chat", "anthropic"]


class Reset:
    """A piece of a reply: cut the connection, without a goodbye."""


RESET = Reset()

# Bytes are sent at once; an event is waited for, as long as the client stays.
Piece: TypeAlias = bytes | threading.Event | Reset


@dataclass
class Raw:
    """A reply byte by byte. `framing`: with `close` the body ends with the connection."""

    pieces: Sequence[Piece]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    framing: Literal["chunked", "close"] = "chunked"


@dataclass
class Call:
    """A tool call of an answer, its arguments in the pieces in which they are sent."""

    name: str
    arguments: str | Sequence[str] = "{}"
    id: str | None = "call_vendor"

    @property
    def pieces(self) -> Sequence[str]:
        return [self.arguments] if isinstance(self.arguments, str) else self.arguments


_USAGE = {"input": 10, "output": 5}


@dataclass
class Answer:
    """A model's answer, played in the wire format of the path that was asked.

    `finish` is the vendor's word for the end, by default the fitting one. After the text comes `pause`, then the calls;
    there the connection is cut if `reset` is set. `split` sends pieces of that many bytes.
    `usage` is the vendor's own object; None leaves it out.
    """

    text: str | Sequence[str] = ()
    thinking: str | Sequence[str] = ()
    calls: Sequence[Call] = ()
    usage: Mapping[str, Any] | None = field(default_factory=lambda: dict(_USAGE))
    finish: str | None = None
    done: bool = True
    pause: threading.Event | None = None
    reset: bool = False
    split: int | None = None

    def raw(self, api: WireApi) -> Raw:
        """The reply in that wire format."""
        pieces = list(_chat_pieces(self) if api == "openai_chat" else _message_pieces(self))
        if self.split is None:
            return Raw(pieces)
        small: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                small += [piece[at : at + self.split] for at in range(0, len(piece), self.split)]
            else:
                small.append(piece)
        return Raw(small)


@dataclass
class Failure:
    """An HTTP error. A body that is no string is sent as JSON."""

    status: int
    body: Any = field(default_factory=lambda: {"error": {"message": "scripted failure", "type": "server_error"}})
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> Raw:
        """The reply."""
        is_text = isinstance(self.body, str)
        body = self.body.encode() if is_text else json.dumps(self.body).encode()
        kind = "text/html" if is_text else "application/json"
        return Raw([body], self.status, {"content-type": kind, **self.headers})


def document(body: Any, status: int = 200) -> Failure:
    """A reply of one JSON document."""
    return Failure(status, body)


def sse(*events: Any, done: bool = False) -> bytes:
    """Events as chat completions send them: JSON behind `data:`."""
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"] if done else lines).encode()


def named_sse(*events: Mapping[str, Any]) -> bytes:
    """Events as messages send them: the type is the event's name too."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


Reply: TypeAlias = Answer | Raw | Failure


def _pieces(text: str | Sequence[str]) -> Sequence[str]:
    return ([text] if text else []) if isinstance(text, str) else text


def _chat_pieces(answer: Answer) -> Iterator[Piece]:
    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "fake", "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(answer.thinking):
        yield chunk({"reasoning_content": piece})
    for piece in _pieces(answer.text):
        yield chunk({"content": piece})
    if answer.pause is not None:
        yield answer.pause
    for index, call in enumerate(answer.calls):
        first = {"index": index, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [first if call.id is None else {**first, "id": f"{call.id}_{index}"}]})
        for piece in call.pieces:
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if answer.reset:
        yield RESET
    yield chunk({}, answer.finish or ("tool_calls" if answer.calls else "stop"))
    if answer.usage is not None:
        usage = dict(answer.usage)
        if "input" in usage:
            usage = {"prompt_tokens": usage["input"], "completion_tokens": usage.get("output", 0)}
        yield sse({"choices": [], "usage": usage})
    if answer.done:
        yield b"data: [DONE]\n\n"


def _message_pieces(answer: Answer) -> Iterator[Piece]:
    usage = dict(answer.usage or {})
    given = {"input_tokens": usage.pop("input")} if "input" in usage else usage
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "content": [], "usage": given}
    yield named_sse({"type": "message_start", "message": start}, {"type": "ping"})
    index = 0
    for kind, delta, field_name, pieces in (
        ("thinking", "thinking_delta", "thinking", _pieces(answer.thinking)),
        ("text", "text_delta", "text", _pieces(answer.text)),
    ):
        if not pieces:
            continue
        yield named_sse({"type": "content_block_start", "index": index, "content_block": {"type": kind, kind: ""}})
        for piece in pieces:
            inner = {"type": delta, field_name: piece}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if kind == "thinking":
            inner = {"type": "signature_delta", "signature": "signed"}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if kind == "text" and answer.pause is not None:
            yield answer.pause
        yield named_sse({"type": "content_block_stop", "index": index})
        index += 1
    if answer.pause is not None and not _pieces(answer.text):
        yield answer.pause
    for call in answer.calls:
        block = {"type": "tool_use", "id": f"{call.id}_{index}", "name": call.name, "input": {}}
        yield named_sse({"type": "content_block_start", "index": index, "content_block": block})
        for piece in call.pieces:
            inner = {"type": "input_json_delta", "partial_json": piece}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if not (answer.reset and call is answer.calls[-1]):
            yield named_sse({"type": "content_block_stop", "index": index})
        index += 1
    if answer.reset:
        yield RESET
    reason = answer.finish or ("tool_use" if answer.calls else "end_turn")
    out = {"output_tokens": usage["output"]} if "output" in usage else None
    yield named_sse({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": out})
    if answer.done:
        yield named_sse({"type": "message_stop"})
