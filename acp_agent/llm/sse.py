"""Server-sent events from raw bytes, after the WHATWG rules: any line ending, any split, no I/O.

The vendors' SDKs parse each event into models, at twenty times the cost; here an event is two strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_EVENT = 64 * 1024 * 1024


class ServerEvent(NamedTuple):
    """One event: its name (`""` if the server gave none) and its data, lines joined by a line feed."""

    event: str
    data: str


class EventTooLong(ValueError):
    """One event has more bytes than the reader takes."""


class EventReader:
    """Turns pieces of a byte stream into events.

    `feed` returns the events that a piece completes, `finish` one that lacks only the blank line at the end. Bytes
    that are not UTF-8 become U+FFFD. Raises `EventTooLong` for an event of more than `limit` bytes.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0
        self._after_cr = False
        self._at_start = True
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Take the next bytes of the stream. The events must be consumed before the next call."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            self._after_cr = False
        if b"\n" not in chunk:
            self._hold(chunk)
            return
        head, *lines = chunk.split(b"\n")
        lines.insert(0, b"".join([*self._pieces, head]))
        self._pieces, self._held = [], sum(map(len, self._data))
        rest = lines.pop()
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event
        if rest:
            self._hold(rest)

    def finish(self) -> Iterator[ServerEvent]:
        """Take the end of the stream: an event without its closing blank line still counts."""
        lines = [b"".join(self._pieces), b""] if self._pieces else [b""]
        self._pieces = []
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._grow(len(piece))

    def _grow(self, size: int) -> None:
        self._held += size
        if self._held > self._limit:
            raise EventTooLong(f"one event is longer than {self._limit} bytes")

    def _line(self, line: bytes) -> ServerEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._grow(len(value))
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._event, self._data
        self._event, self._data, self._held = "", [], 0
        return ServerEvent(name, "\n".join(data)) if data else None
