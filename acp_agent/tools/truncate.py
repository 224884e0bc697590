"""Bounds for what a tool hands back: one long answer must not fill the model's window.

Every tool cuts through this module, so the limits and the words of the cut are the same everywhere.
"""

from __future__ import annotations

import codecs
import re

MAX_BYTES = 50 * 1024
MAX_LINES = 2000
MAX_LINE = 2000

_HEAD = 16 * 1024
_TAIL = 32 * 1024
_CONTINUATION = bytes(range(0x80, 0xC0))

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clip_line(line: str, limit: int = MAX_LINE) -> str:
    """The line, or its first `limit` characters and how many more there are."""
    if len(line) <= limit:
        return line
    return f"{line[:limit]}… [{len(line) - limit} more characters]"


def clip_bytes(text: str, limit: int) -> str:
    """The longest beginning of the text that takes at most `limit` bytes in UTF-8."""
    if len(text) * 4 <= limit:
        return text
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def encodable(text: str) -> str:
    """The text with what UTF-8 has no place for, such as undecodable bytes in a file's name, as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def size(text: str) -> int:
    """Bytes of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def head_and_tail(text: str, max_bytes: int = MAX_BYTES, max_lines: int = MAX_LINES) -> str:
    """The text, or its first third and last two thirds within the limits, with a line that counts what is left out."""
    lines = [clip_line(line) for line in text.split("\n")]
    if len(lines) <= max_lines and size("\n".join(lines)) <= max_bytes:
        return "\n".join(lines)
    head = _take(lines, max_bytes // 3, max_lines // 3)
    tail = _take(lines[len(head) :][::-1], max_bytes * 2 // 3, max_lines - max_lines // 3)[::-1]
    skipped = len(lines) - len(head) - len(tail)
    return "\n".join([*head, f"[… {skipped} lines left out …]", *tail]) if skipped else "\n".join([*head, *tail])


def _take(lines: list[str], max_bytes: int, max_lines: int) -> list[str]:
    taken: list[str] = []
    room = max_bytes
    for line in lines[:max_lines]:
        room -= size(line) + 1
        if room < 0:
            break
        taken.append(line)
    return taken


def console_text(text: str) -> str:
    """What a terminal would have left on the screen: no escape sequences, only the last state of a progress bar."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return _CONTROLS.sub("", text)


def fenced(text: str, language: str = "") -> str:
    """The text as a Markdown code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


def unfenced(shown: str) -> tuple[str, str]:
    """What stands in the code block that a text begins with, and what follows the block.

    The reverse of `fenced`, since no line in the block is its fence. A text that begins otherwise all follows.
    """
    opening = re.match(r"(`{3,})[^`\n]*\n", shown)
    if opening is None:
        return "", shown
    closing = re.compile(rf"(?:^|\n){opening[1]}(?:\n|$)").search(shown, opening.end() - 1)
    if closing is None:
        return "", shown
    return shown[opening.end() : max(opening.end(), closing.start())], shown[closing.end() :]


class OutputBuffer:
    """Keeps the first and the last bytes of a stream, and counts the rest. Its memory does not grow with the stream."""

    def __init__(self, head: int = _HEAD, tail: int = _TAIL) -> None:
        self._head_limit = head
        self._tail_limit = tail
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def append(self, data: bytes) -> None:
        """Add what was read."""
        self.total += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-2 * self._tail_limit :]
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: -self._tail_limit]

    def text(self) -> str:
        """Head and tail as text, invalid bytes replaced, with a line between them that counts what is left out."""
        if self.total <= self._head_limit + self._tail_limit:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._head))
        skipped = self.total - self._head_limit - self._tail_limit
        return f"{head}\n[… {skipped} bytes left out …]\n{self.last(self._tail_limit)}"

    def last(self, limit: int) -> str:
        """The last `limit` bytes as text; a character cut at the front is dropped."""
        data = bytes(self._tail[-limit:])
        if len(data) < limit:
            data = bytes(self._head[-(limit - len(data)) :]) + data
        if self.total > len(data):
            data = data[:3].lstrip(_CONTINUATION) + data[3:]
        return data.decode("utf-8", "replace")


class Unshown:
    """What a stream brought since it was last shown: at most `limit` bytes, the last ones, and a count of the rest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._end = 0
        self._shown = 0

    def append(self, data: bytes) -> None:
        """Add what was read."""
        self._end += len(data)
        self._kept += data
        if len(self._kept) > self._limit + self._limit // 4:  # not at every byte: it moves all that is kept
            del self._kept[: -self._limit]

    def text(self, *, final: bool = False) -> tuple[str, int]:
        """All of it as text, behind a line that counts what is left out; and the place behind it, for `shown`.

        A character that is not complete yet stays for the next time, unless this is the final one.
        """
        fresh = self._end - self._shown
        start = max(0, len(self._kept) - self._limit)
        if fresh > self._limit:  # a character cut at the front is dropped
            front = self._kept[start : start + 3]
            start += len(front) - len(front.lstrip(_CONTINUATION))
        with memoryview(self._kept) as kept, kept[start:] as data:
            text, read = codecs.utf_8_decode(data, "replace", final)
            left_out, place = fresh - len(data), self._end - len(data) + read
        return f"\n[… {left_out} bytes left out …]\n{text}" if left_out else text, place

    def shown(self, place: int) -> None:
        """Forget what stands before this place."""
        self._shown = place
        del self._kept[: max(0, len(self._kept) - (self._end - place))]
