"""JSON with comments and trailing commas, and the line and column of every value.

Plain JSON goes through the standard library. The reader below runs for what the library refuses, and to find a
position once a diagnostic needs one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the top of a document to a value."""

MAX_DEPTH = 100
"""Levels of nesting. No sensible configuration comes near, and the interpreter's stack stays out of it."""

_LONGEST_INTEGER = 4000
_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*(?s:.*?)\*/)+")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![0-9A-Za-z_.+])")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}
_HINTS = {
    "'": "strings need double quotes",
    "\u2018": "strings need plain double quotes, not typographic ones",
    "\u2019": "strings need plain double quotes, not typographic ones",
    "\u201c": "strings need plain double quotes, not typographic ones",
    "\u201d": "strings need plain double quotes, not typographic ones",
    "`": "strings need double quotes",
    ",": "there is a comma too many here",
    ":": "there is a colon too many here",
    "}": "a value is missing before this '}'",
    "]": "a value is missing before this ']'",
    "#": "comments start with // here",
    "+": "numbers have no plus sign",
}


class Problem(NamedTuple):
    """Something wrong at a place: line and column, counted in characters from 1. The message quotes no file text."""

    line: int
    column: int
    message: str


@dataclass(frozen=True)
class Document:
    """A parsed text. `value` is None and `fatal` tells why when it could not be read; `problems` were survived."""

    text: str
    value: Any
    problems: tuple[Problem, ...] = ()
    fatal: Problem | None = None

    def position(self, path: Path, *, of_key: bool = False) -> tuple[int, int]:
        """Line and column of the value at `path`, or of its key; of the nearest parent that exists if there is none."""
        for length in range(len(path), -1, -1):
            found = self._places.get(path[:length])
            if found is not None:
                key, value = found
                return _line_and_column(self.text, key if of_key or length < len(path) else value)
        return 1, 1

    @cached_property
    def _places(self) -> dict[Path, tuple[int, int]]:
        reader = _Reader(self.text)
        try:
            reader.read()
        except _SyntaxError:
            pass  # the places before the error are still right
        return reader.places


def parse(text: str) -> Document:
    """Read a text, which may start with a byte order mark. Never raises: see `Document.fatal`.

    A missing comma is reported and survived, since nothing is lost by it; of repeated keys the last one counts.
    """
    text = text.removeprefix("\ufeff")
    # The library would keep a lone surrogate, which nobody can encode again.
    if "\\ud" not in text and "\\uD" not in text:
        try:
            value = json.loads(text, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_refuse)
            if not _too_deep(value):
                return Document(text, value)
        except (ValueError, RecursionError):
            pass
    reader = _Reader(text)
    try:
        value = reader.read()
    except _SyntaxError as error:
        line, column = _line_and_column(text, error.offset)
        return Document(text, None, (), Problem(line, column, error.message))
    return Document(text, value, tuple(Problem(*_line_and_column(text, at), said) for at, said in reader.problems))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is repeated")
    return made


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def _integer(digits: str) -> int | float:
    # The interpreter refuses to convert very long ones; as a float they are at least a number.
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _refuse(_name: str) -> Any:
    raise ValueError("not a JSON value")


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    line, start = 1, 0
    for newline in _NEWLINE.finditer(text, 0, offset):
        line, start = line + 1, newline.end()
    return line, offset - start + 1


class _SyntaxError(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class _Reader:
    """One pass over a text. `places` maps each path to the offsets of its key and its value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.places: dict[Path, tuple[int, int]] = {}
        self.problems: list[tuple[int, str]] = []

    def read(self) -> Any:
        self._skip()
        self.places[()] = (self._at, self._at)
        if self._at == len(self._text):
            raise _SyntaxError(0, "the file is empty")
        value = self._value((), self._at)
        self._skip()
        if self._at < len(self._text):
            raise _SyntaxError(self._at, "there is text after the end of the value")
        return value

    def _skip(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        if blank is not None:
            self._at = blank.end()
        if self._text.startswith("/*", self._at):
            raise _SyntaxError(self._at, "this comment is never closed")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _value(self, path: Path, key_at: int) -> Any:
        start = self._at
        self.places[path] = (key_at, start)
        match self._peek():
            case "{":
                return self._object(path, start)
            case "[":
                return self._list(path, start)
            case '"':
                return self._string()
            case "":
                raise _SyntaxError(start, "the file ends where a value is expected")
        number = _NUMBER.match(self._text, start)
        if number is not None:
            self._at = number.end()
            return _integer(number[0]) if number[1] is None and number[2] is None else float(number[0])
        return self._word(start)

    def _word(self, start: int) -> Any:
        word = _WORD.match(self._text, start)
        if word is not None and word[0] in _WORDS:
            self._at = word.end()
            return _WORDS[word[0]]
        if word is not None and word[0].lower() in _WORDS:
            raise _SyntaxError(start, f"write {word[0].lower()} in small letters")
        if word is not None:
            raise _SyntaxError(start, "expected a value; a string needs double quotes")
        raise _SyntaxError(start, _HINTS.get(self._text[start], "expected a value"))

    def _string(self) -> str:
        start = self._at
        found = _STRING.match(self._text, start)
        if found is None:
            raise _SyntaxError(*self._broken_string(start))
        self._at = found.end()
        body = found[1]
        if "\\" not in body:
            return body
        return _LONE_SURROGATE.sub("\ufffd", str(json.loads(found[0])))

    def _broken_string(self, start: int) -> tuple[int, str]:
        at = start + 1
        while at < len(self._text):
            character = self._text[at]
            if character == '"' or character in "\r\n":
                break
            if character == "\\":
                if _STRING.fullmatch(f'"{self._text[at : at + 2]}"') or _STRING.fullmatch(
                    f'"{self._text[at : at + 6]}"'
                ):
                    at += 2
                    continue
                return at, "this is no escape of JSON; a backslash itself is written \\\\"
            if character < " ":
                return at, "a control character in a string is written as an escape, a tab as \\t"
            at += 1
        return start, "this string has no closing quote on its line"

    def _object(self, path: Path, start: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        seen: dict[str, int] = {}

        def member() -> None:
            key_at = self._at
            if self._peek() != '"':
                raise _SyntaxError(key_at, _key_hint(self._peek()))
            key = self._string()
            self._skip()
            if self._peek() != ":":
                raise _SyntaxError(self._at, "expected ':' after the key")
            self._at += 1
            self._skip()
            if key in seen:
                self.problems.append((seen[key], "this key is given again below, and the last one counts"))
                self._forget((*path, key))
            seen[key] = key_at
            made[key] = self._value((*path, key), key_at)

        self._members(path, start, "}", member)
        return made

    def _forget(self, path: Path) -> None:
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]

    def _list(self, path: Path, start: int) -> list[Any]:
        made: list[Any] = []
        self._members(path, start, "]", lambda: made.append(self._value((*path, len(made)), self._at)))
        return made

    def _members(self, path: Path, start: int, closing: str, member: Callable[[], None]) -> None:
        if len(path) >= MAX_DEPTH:
            raise _SyntaxError(start, f"more than {MAX_DEPTH} levels of nesting")
        self._at += 1
        self._skip()
        while self._peek() != closing:
            if self._at >= len(self._text):
                raise _SyntaxError(start, f"this '{self._text[start]}' is never closed")
            member()
            end = self._at
            self._skip()
            if self._peek() == ",":
                self._at += 1
                self._skip()
            elif self._peek() == '"':
                self.problems.append((end, "a comma is missing here; it is read as if it stood there"))
            elif self._peek() != closing and self._at < len(self._text):
                raise _SyntaxError(self._at, f"expected ',' or '{closing}'")
        self._at += 1


def _key_hint(character: str) -> str:
    if character == ",":
        return "there is a comma too many here"
    return "expected a key in double quotes"
