"""Layers of the configuration, and what is said about a value in one of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]

_LONGEST_NAME = 60


class Layer(IntEnum):
    """Where a value comes from; a higher layer wins. The project's files come with the code, perhaps a stranger's."""

    GLOBAL = 1
    CUSTOM = 2
    PROJECT = 3
    CONTENT = 4

    @property
    def trusted(self) -> bool:
        """Whether the user, not the project, wrote it."""
        return self is not Layer.PROJECT


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: the file as a person reads it, line and column from 1, or None for the file as a whole.

    An error says what was ignored, a warning what is doubtful. Neither holds a secret or a value of the file.
    """

    source: str
    line: int | None
    column: int | None
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        if self.line is None:
            return f"{self.source}: {self.message}"
        return f"{self.source}:{self.line}:{self.column}: {self.message}"


def shown(path: Path, home: Path) -> str:
    """The path with the home directory as `~`, on one line."""
    try:
        text = str(Path("~") / path.relative_to(home))
    except ValueError:
        text = str(path)
    return printable(text)


def printable(text: str) -> str:
    """The text with everything that does not print as `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def name(text: str) -> str:
    """A key or a name in quotes, as a message may hold it: on one line and cut where it is long."""
    short = text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
    return f'"{printable(short)}"'


def dotted(path: tuple[str | int, ...]) -> str:
    """A path of keys as messages write it: `provider.mock.options.timeout`, `instructions[2]`."""
    made = ""
    for part in path:
        if isinstance(part, int):
            made += f"[{part}]"
        else:
            made += ("." if made else "") + name(part)[1:-1]
    return made
