"""Bytes to text and back, without a change to any byte that nobody edited."""

from __future__ import annotations

import codecs
from pathlib import Path

from acp_agent.tools.base import ToolError
from acp_agent.tools.workspace import TextFile

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT = 8 * 1024


def is_binary(data: bytes) -> bool:
    """Whether the beginning of a file is no text: it holds a NUL byte and no byte order mark says why."""
    return not data.startswith(tuple(mark for mark, _ in _MARKS)) and b"\x00" in data[:_LOOKED_AT]


def decode(path: Path, data: bytes) -> TextFile:
    """The text of a file. Encoding it again gives the same bytes. Raises `ToolError` for what is not text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _strict(data[len(mark) :], encoding)
            if text is None:
                raise ToolError(f"{path} starts with the mark of {encoding} but is not valid {encoding}.")
            return TextFile(path, text, encoding, mark)
    if is_binary(data):
        raise ToolError(f"{path} is a binary file ({len(data)} bytes), not text.")
    for encoding in ("utf-8", "cp1252"):
        text = _strict(data, encoding)
        if text is not None:
            return TextFile(path, text, encoding)
    return TextFile(path, data.decode("latin-1"), "latin-1")


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
        return text if text.encode(encoding) == data else None
    except UnicodeError:
        return None


def encode(file: TextFile) -> bytes:
    """The bytes of a file. Raises `ToolError` if its encoding has no place for a character."""
    try:
        return file.bom + file.text.encode(file.encoding)
    except UnicodeEncodeError as error:
        character = file.text[error.start]
        raise ToolError(
            f"{file.path} is encoded as {file.encoding}, which cannot hold {character!r} "
            f"(U+{ord(character):04X}). Write it another way, or convert the file to UTF-8 first."
        ) from None
