"""Files and processes as tools see them: a set of roots, whole texts, and commands.

`Workspace` is the protocol. The local disk is `tools/local.py`; the editor's buffers, where a client offers them, are
`client`'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class TextFile:
    """A whole text. `text` keeps its line endings as they stand; `encoding` and `bom` are for writing back."""

    path: Path
    text: str
    encoding: str = "utf-8"
    bom: bytes = b""


@dataclass(frozen=True, slots=True)
class Command:
    """A shell line. `timeout` is in seconds; `call_id` marks every process that the line leaves behind."""

    line: str
    cwd: Path
    timeout: float
    call_id: str


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a command while it runs, as it was printed.

    `tail` is its end so far; `new` what came since the last time, of more than 1 MiB the end. With a
    `terminal_id` the client shows the output itself, in the terminal of that id, and the texts are empty.
    """

    tail: str
    new: str
    terminal_id: str | None = None


OnOutput: TypeAlias = Callable[[Output], Awaitable[None]]
"""Takes output while it comes; whoever calls it waits until it is taken."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a shell line ended: exactly one of `exit_code`, `signal`, `timed_out` tells.

    `output` is the head and the tail of stdout and stderr merged, `total_bytes` what was printed in all, `duration` in
    seconds, `left_running` the process ids that outlived the shell, `unshown` what came after the last `new` that was
    taken.
    """

    output: str
    total_bytes: int
    duration: float
    exit_code: int | None = None
    signal: str | None = None
    timed_out: bool = False
    left_running: Sequence[int] = ()
    unshown: str = ""


class Workspace(Protocol):
    """The set of roots (the session's cwd first), the files in and around them, and the processes started for them.

    `environment` is what these processes get; `in_client_terminal` asks to run shell lines in a terminal of the
    client's where it has one.
    """

    roots: tuple[Path, ...]
    environment: Mapping[str, str]
    in_client_terminal: bool

    def resolve(self, path: str) -> Path:
        """Make absolute (relative paths against the cwd, `~` expanded), without following links. Raises `ToolError`."""

    def contains(self, path: Path) -> bool:
        """Whether the path, with every link followed, lies in one of the roots."""

    def display(self, path: Path) -> str:
        """The path as a person reads it: relative to its root, else absolute; with `/` on every platform."""

    async def read_bytes(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes on the disk. Raises `ToolError` for what is missing, with the nearest names."""

    async def read_text(self, path: Path) -> TextFile:
        """The whole text, an unsaved buffer if there is one. Raises `ToolError` (missing, binary, a directory)."""

    async def write_text(self, file: TextFile, before: str | None = None) -> str:
        """Write a whole text: once, atomically, links followed, mode kept, directories made. Raises `ToolError`.

        `before` is the text that it replaces, None for a new file. Returns a sentence for the model if the file is not
        just what was written, else nothing.
        """

    async def exists(self, path: Path) -> bool:
        """Whether there is something at the path, on the disk or in the editor."""

    async def run(self, command: Command, on_output: OnOutput) -> CommandResult:
        """Run a shell line. `on_output` gets the output as it comes, at most ten times a second. Raises `ToolError`.

        Cancellation and timeout end the whole process group and whatever left it.
        """

    async def close(self) -> None:
        """End every process that was started here and still runs, within a second."""
