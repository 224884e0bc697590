"""Merges the deltas of an answer into one message, whatever order and shape they came in."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from acp_agent.llm.messages import AssistantMessage, StopReason, Text, Thinking, ToolCall
from acp_agent.llm.provider import StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta

MAX_DELTA = 64 * 1024
MAX_MESSAGE = 64 * 1024 * 1024


class MessageTooLong(ValueError):
    """The answer has more characters than the assembly takes."""


def clean(text: str) -> str:
    """The text with pairs of surrogates joined, and with lone ones and NUL replaced: always encodable as UTF-8."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def count(value: object) -> int | None:
    """A number of tokens as vendors write them: integers, floats and digit strings; None for all that is no count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if number >= 0 else None


def arguments_object(arguments: str) -> dict[str, Any]:
    """A recorded call's arguments as vendors demand them back: an object, whatever the model had written."""
    try:
        value = json.loads(arguments or "{}")
        if isinstance(value, str):
            value = json.loads(value)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"invalid_arguments": arguments}


@dataclass(slots=True)
class _Part:
    kind: type[Text] | type[Thinking]
    pieces: list[str] = field(default_factory=list)
    signature: str | None = None
    redacted: str | None = None

    def build(self) -> Text | Thinking | None:
        text = "".join(self.pieces)
        if self.kind is Text:
            return Text(text=text) if text else None
        if text or self.redacted or self.signature:
            return Thinking(text=text, signature=self.signature, redacted=self.redacted)
        return None


@dataclass(slots=True)
class _Call:
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    sent: int = 0
    closed: bool = False

    @property
    def arguments(self) -> str:
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
            self.sent = min(self.sent, 1)
        return self.pieces[0] if self.pieces else ""

    def complete(self) -> bool:
        """Whether the arguments are all there; a vendor that does not say so is judged by them."""
        if self.closed:
            return True
        text = self.arguments.rstrip()
        if text[-1:] not in ("}", '"'):
            return False
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True

    def build(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name or "unknown", arguments=self.arguments.strip() or "{}")


class Assembly:
    """One answer in the making. The methods that take a piece yield what to show for it.

    Parts stand in the order of their first appearance. Raises `MessageTooLong` beyond `limit` characters.
    """

    def __init__(self, new_call_id: Callable[[], str], limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._new_call_id = new_call_id
        self._parts: list[_Part | _Call] = []
        self._calls: dict[Hashable, _Call] = {}
        self._open: _Part | None = None
        self._half: dict[object, str] = {}
        self._size = 0

    def text(self, piece: str) -> Iterator[StreamEvent]:
        """Add to the answer."""
        for text in self._take(Text, piece):
            yield TextDelta(text)

    def thinking(self, piece: str) -> Iterator[StreamEvent]:
        """Add to the reasoning."""
        for text in self._take(Thinking, piece):
            yield ThinkingDelta(text)

    def sign(self, signature: str) -> None:
        """Add to the proof of the reasoning that is being written."""
        part = self._part(Thinking)
        part.signature = (part.signature or "") + clean(signature)

    def redacted(self, data: str) -> None:
        """Add reasoning that only the vendor can read."""
        self.end_part()
        self._part(Thinking).redacted = clean(data)
        self.end_part()

    def end_part(self) -> None:
        """What comes next is a part of its own, even if it is of the same kind."""
        self._open = None
        self._half.clear()

    def has_call(self, key: Hashable) -> bool:
        """Whether `key` names a call that was begun."""
        return key in self._calls

    def call_complete(self, key: Hashable) -> bool:
        """Whether the arguments of the call `key` could be run as they stand."""
        return self._calls[key].complete()

    def call(self, key: Hashable, name: str, arguments: str) -> Iterator[StreamEvent]:
        """Begin the call `key` or add to it. The first name counts; nothing is shown before there is one."""
        call = self._calls.get(key)
        if call is None:
            self.end_part()
            call = self._calls[key] = _Call(self._new_call_id())
            self._parts.append(call)
        named = bool(call.name)
        if name and not named:
            call.name = clean(name)
        if arguments := self._whole_characters(call.id, arguments):
            self._grow(arguments)
            call.pieces.append(arguments)
        if not call.name:
            return
        unsent = "".join(call.pieces[call.sent :])
        call.sent = len(call.pieces)
        if unsent or not named:
            for start in range(0, max(len(unsent), 1), MAX_DELTA):
                yield ToolCallDelta(
                    call.id, call.name if not named and not start else "", unsent[start : start + MAX_DELTA]
                )

    def close_call(self, key: Hashable) -> None:
        """The vendor said that the call `key` is whole."""
        self._calls[key].closed = True

    def snapshot(self) -> AssistantMessage:
        """What was shown so far; a tool call whose arguments may go on is left out."""
        return self._message(lambda call: bool(call.name) and call.complete())

    def message(self, stop_reason: StopReason) -> AssistantMessage:
        """The whole answer. Cut off by `max_tokens`, it has only complete calls; a `refusal` has none."""
        match stop_reason:
            case "refusal":
                return self._message(lambda _call: False)
            case "max_tokens":
                return self._message(lambda call: bool(call.name) and call.complete())
            case _:
                return self._message(lambda _call: True)

    def _message(self, wanted: Callable[[_Call], bool]) -> AssistantMessage:
        content: list[Text | Thinking | ToolCall] = []
        for part in self._parts:
            if isinstance(part, _Call):
                if wanted(part) and (part.name or part.pieces):
                    content.append(part.build())
            elif (built := part.build()) is not None:
                content.append(built)
        return AssistantMessage(content=tuple(content))

    def _take(self, kind: type[Text] | type[Thinking], piece: str) -> Iterator[str]:
        part = self._part(kind) if piece else None
        piece = self._whole_characters(kind, piece)
        if part is None or not piece:
            return
        self._grow(piece)
        part.pieces.append(piece)
        for start in range(0, len(piece), MAX_DELTA):
            yield piece[start : start + MAX_DELTA]

    def _part(self, kind: type[Text] | type[Thinking]) -> _Part:
        if self._open is None or self._open.kind is not kind:
            self._open = _Part(kind)
            self._parts.append(self._open)
        return self._open

    def _whole_characters(self, stream: object, piece: str) -> str:
        """Keep back half a surrogate pair until the piece that has the other half."""
        if stream in self._half:
            piece = self._half.pop(stream) + piece
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            self._half[stream] = piece[-1]
            piece = piece[:-1]
        return clean(piece)

    def _grow(self, piece: str) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise MessageTooLong(f"the answer is longer than {self._limit} characters")
