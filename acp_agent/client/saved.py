"""What an editor made of a text that it was given: whether it stands on the disk as it was meant to.

Editors format as they save, turn line endings, add marks and final newlines, or do not save at all. Why which of these
is corrected: docs/decisions/011-client-writes.md.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import anyio
from anyio import to_thread

from acp_agent.tools.text_codec import encode
from acp_agent.tools.workspace import TextFile

_MARK = "\ufeff"

SAVE_WAITS: Sequence[float] = (0.02, 0.04, 0.08)
"""Seconds between the looks at the disk; an editor may answer before it has saved."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a client hands over a file: every line ending as LF (`lf`), a byte order mark as text (`mark`)."""

    lf: bool = False
    mark: bool = False

    def given(self, file: TextFile) -> str:
        """The text of a file as this client gives and takes it."""
        text = _one_ending(file.text) if self.lf else file.text
        return _MARK + text if self.mark else text


def as_on_disk(buffer: str, disk: TextFile) -> tuple[TextFile, Form]:
    """The text of a buffer with the mark and the line endings that its file has on the disk."""
    form = Form(mark=bool(disk.bom) and buffer.startswith(_MARK))
    text = buffer[1:] if form.mark else buffer
    if "\r" in disk.text and "\r" not in text:
        ending = _only_ending(disk.text)
        if text == _one_ending(disk.text):
            text, form = disk.text, Form(lf=True, mark=form.mark)
        elif ending is not None:
            text, form = text.replace("\n", ending), Form(lf=True, mark=form.mark)
    return TextFile(disk.path, text, disk.encoding, disk.bom), form


Outcome: TypeAlias = Literal["as meant", "not saved", "not taken", "altered inside", "altered outside", "edited since"]


@dataclass(frozen=True, slots=True)
class Write:
    """A write by the client: the file as it was meant to be, the text before it, and the bytes on the disk before it.

    Both are None for a file that did not exist there.
    """

    file: TextFile
    before: str | None
    old: bytes | None
    form: Form


async def outcome(
    write: Write,
    look: Callable[[], Awaitable[bytes | None]],
    buffer: Callable[[], Awaitable[str | None]],
    waits: Sequence[float],
) -> tuple[Outcome, bytes | None]:
    """What became of a write, and the bytes on the disk. `buffer` gives the editor's text, or None if it cannot."""
    meant = encode(write.file)
    found = await _settled(meant, write.old, look, waits)
    if found == meant:
        return "as meant", found
    if found is None or found == write.old:
        held = await buffer()
        if held is None or held == write.form.given(write.file):
            return "not saved", found
        return ("not taken" if write.before is None or held == _given(write, write.before) else "edited since"), found
    if await to_thread.run_sync(_inside, write, found):
        return "altered inside", found
    held = await buffer()
    known = {_one_ending(text.removeprefix(_MARK)) for text in (write.file.text, _text(found) or "")}
    if held is not None and _one_ending(held.removeprefix(_MARK)) not in known:
        return "edited since", found
    return "altered outside", found


async def _settled(
    meant: bytes, old: bytes | None, look: Callable[[], Awaitable[bytes | None]], waits: Sequence[float]
) -> bytes | None:
    """The bytes on the disk once they are those that were meant, or have changed and stay, or time is over."""
    found = await look()
    for wait in waits:
        if found == meant:
            break
        await anyio.sleep(wait)
        before, found = found, await look()
        if found == before and found != old:
            break
    return found


def difference(file: TextFile, found: bytes) -> str:
    """What an editor changed, in words."""
    text = _text(found)
    if text is None:
        return "its encoding"
    if found.startswith(b"\xef\xbb\xbf") != bool(file.bom):
        return "its byte order mark"
    text = text.removeprefix(_MARK)
    if _one_ending(text) == _one_ending(file.text):
        return "its line endings"
    if text.rstrip("\r\n") == file.text.rstrip("\r\n"):
        return "its last line ending"
    return "lines that were not edited"


def _inside(write: Write, found: bytes) -> bool:
    """Whether the bytes differ from those that were meant only in the lines that the write changed."""
    text = _text(found)
    if text is None:
        return False
    if write.before is None:
        return True
    if found.startswith(b"\xef\xbb\xbf") != bool(write.file.bom):
        return False
    head, tail = _untouched(write.before, write.file.text)
    text = text.removeprefix(_MARK) if write.file.bom else text
    return len(text) >= len(head) + len(tail) and text.startswith(head) and text.endswith(tail)


def _untouched(before: str, after: str) -> tuple[str, str]:
    """The whole lines before and behind what differs."""
    old, new = (io.StringIO(text, newline="").readlines() for text in (before, after))
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return "".join(new[:head]), "".join(new[len(new) - tail :])


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    return next(
        (n for n, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), min(len(left), len(right))
    )


def _given(write: Write, text: str) -> str:
    return write.form.given(TextFile(write.file.path, text))


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _one_ending(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _only_ending(text: str) -> str | None:
    """The line ending of a text that has one kind only."""
    pairs, feeds, returns = text.count("\r\n"), text.count("\n"), text.count("\r")
    if pairs == feeds == returns:
        return "\r\n"
    return "\r" if not feeds else None
