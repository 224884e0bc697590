"""Lines on stdin and stdout. Standard library at import, since the first answer may be sent before anything else loads.

The descriptors are taken away first: 0 becomes the null device and 1 becomes stderr, so no child and no stray print
can touch the wire. Reading happens in a daemon thread (a blocked read cannot be cancelled, and waiting for
readability fails on files); so does writing, since a full pipe blocks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from acp_agent.rpc.messages import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

_READ_BYTES = 256 * 1024

TOO_LONG: Final = None
"""Stands in the line sequence for a line that was discarded because of its length."""


def split_lines(chunks: Iterator[bytes], limit: int = MAX_MESSAGE_BYTES) -> Iterator[bytes | None]:
    """Cut chunks at newlines; carriage returns at the end and blank lines vanish, a line above `limit` is `TOO_LONG`.

    Only the newline byte counts: other characters that Unicode calls line ends may stand in JSON strings. A last line
    without its newline is not a message. A long line costs its own size once.
    """
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            size += end - start
            pieces.append(chunk[start:end])
            if size > limit:
                yield TOO_LONG
            elif line := b"".join(pieces).strip(b"\r \t"):
                yield line
            pieces, size, start = [], 0, end + 1
        size += len(chunk) - start
        if size <= limit:
            pieces.append(chunk[start:])
        else:
            pieces.clear()


class StdioTransport:
    """The process's own stdin and stdout as a transport.

    `early` may answer lines before the event loop exists: it gets each line until it returns None once, or until
    `open` is called. `tap` sees every line with its direction (`<` from the client, `>` to it).
    """

    def __init__(
        self,
        early: Callable[[bytes], bytes | None],
        tap: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._early = early
        self._tap = tap
        self._stdin, self._stdout = _take_descriptors()
        self._turn = threading.Lock()
        self._opened = threading.Event()
        self._token: Any = None
        self._deliver: MemoryObjectSendStream[bytes | None] | None = None
        self._lines: MemoryObjectReceiveStream[bytes | None] | None = None
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def open(self) -> None:
        """Connect the reading thread with the running event loop; from here on nothing is answered early."""
        import anyio
        from anyio.lowlevel import current_token

        self._deliver, self._lines = anyio.create_memory_object_stream[bytes | None](64)
        self._token = current_token()
        with self._turn:
            self._opened.set()

    async def receive(self) -> bytes:
        """The next line."""
        import anyio

        from acp_agent.rpc.transport import EndOfMessages, MessageTooLong

        assert self._lines is not None, "open() comes first"
        try:
            line = await self._lines.receive()
        except anyio.EndOfStream:
            raise EndOfMessages from None
        if line is TOO_LONG:
            raise MessageTooLong
        return line

    async def send(self, messages: Sequence[bytes]) -> None:
        """Write the messages as lines, in one write. A client that does not read makes this wait, cancellable."""
        from anyio.to_thread import run_sync

        from acp_agent.rpc.transport import EndOfMessages

        if self._tap:
            for message in messages:
                self._tap(">", message)
        try:
            await run_sync(self._write, b"\n".join(messages) + b"\n", abandon_on_cancel=True)
        except OSError:
            raise EndOfMessages from None

    def close(self) -> None:
        """Nothing to do: the reading thread ends with the process."""

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._stdout, view) :]

    def _read(self) -> None:
        for line in split_lines(self._chunks()):
            if self._tap and line is not TOO_LONG:
                self._tap("<", line)
            if not self._answered_early(line) and not self._hand_over(line):
                return
        self._hand_over_end()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                chunk = os.read(self._stdin, _READ_BYTES)
            except OSError:  # a terminal that went away reads as an error, which means the same
                return
            if not chunk:
                return
            yield chunk

    def _answered_early(self, line: bytes | None) -> bool:
        with self._turn:
            if self._opened.is_set():
                return False
            answer = None if line is TOO_LONG else self._early(line)
            if answer is None:
                self._early = lambda _line: None  # whatever follows this line must not be answered before it
                return False
            if self._tap:
                self._tap(">", answer)
            try:
                self._write(answer + b"\n")
            except OSError:
                pass  # the client is gone; reading will tell so next
            return True

    def _hand_over(self, line: bytes | None) -> bool:
        self._opened.wait()  # before the imports: two threads importing the same package wait for each other
        import anyio
        from anyio import from_thread

        assert self._deliver is not None
        try:
            try:
                from_thread.run_sync(self._deliver.send_nowait, line, token=self._token)
            except anyio.WouldBlock:
                from_thread.run(self._deliver.send, line, token=self._token)
        except (anyio.RunFinishedError, anyio.BrokenResourceError):
            return False  # the agent is leaving and nobody listens any more
        return True

    def _hand_over_end(self) -> None:
        self._opened.wait()
        import anyio
        from anyio import from_thread

        assert self._deliver is not None
        try:
            from_thread.run_sync(self._deliver.close, token=self._token)
        except anyio.RunFinishedError:
            return


def _take_descriptors() -> tuple[int, int]:
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)
    for descriptor in (0, 1, 2):
        _ensure_open(descriptor)
    stdin, stdout = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return stdin, stdout


def _ensure_open(descriptor: int) -> None:
    """Put the null device where whoever started us left nothing, or the next file opened would get its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
