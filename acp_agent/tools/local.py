"""The workspace on the local disk."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from anyio import to_thread

from acp_agent.tools.base import ToolError
from acp_agent.tools.nearest import missing
from acp_agent.tools.process import run_shell
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.replace_file import replace_file
from acp_agent.tools.text_codec import decode, encode
from acp_agent.tools.truncate import encodable
from acp_agent.tools.workspace import Command, CommandResult, OnOutput, TextFile

_LARGEST_TEXT = 64 * 1024 * 1024
_IGNORES_CASE = sys.platform in ("darwin", "win32")


class LocalWorkspace:
    """Files on the disk and processes on this machine. `environment` is what children get, ready made.

    `roots` are absolute directories, the session's cwd first. `in_client_terminal` is for whoever stands in front of
    this workspace: see `Workspace`.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        processes: ProcessTable,
        environment: Mapping[str, str],
        *,
        in_client_terminal: bool = False,
    ) -> None:
        if not roots:
            raise ValueError("a workspace needs at least one root")
        self.roots: tuple[Path, ...] = tuple(Path(os.path.abspath(root)) for root in roots)
        self._processes = processes
        self.environment = environment
        self.in_client_terminal = in_client_terminal

    def resolve(self, path: str) -> Path:
        """Make absolute: relative paths against the first root, `~` expanded, `..` taken away. Raises `ToolError`."""
        if "\x00" in path:
            raise ToolError(f"{path!r} is not a path: it holds a NUL character.")
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            raise ToolError(f"{path!r} is not a path: it holds half of a surrogate pair.") from None
        joined = os.path.normpath(os.path.join(self.roots[0], os.path.expanduser(path)))
        if os.sep == "/" and joined.startswith("//"):
            joined = joined[1:]  # POSIX lets two leading slashes mean something else; here they never do
        return Path(joined)

    def contains(self, path: Path) -> bool:
        """Whether the path, with every link followed, lies in one of the roots."""
        real = _parts(os.path.realpath(path))
        return any(_below(real, _parts(os.path.realpath(root))) for root in self.roots)

    def display(self, path: Path) -> str:
        """The path relative to its root (`.` for the root itself), else absolute; with `/` on every platform."""
        for root in (*self.roots, *(Path(os.path.realpath(root)) for root in self.roots)):
            if _below(_parts(str(path)), _parts(str(root))):
                return encodable(Path(*path.parts[len(root.parts) :]).as_posix())
        return encodable(path.as_posix())

    async def read_bytes(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes. Raises `ToolError` for what is missing or no file."""
        return await to_thread.run_sync(self._read, path, limit, abandon_on_cancel=True)  # some files never answer

    async def read_text(self, path: Path) -> TextFile:
        """The whole text. Raises `ToolError` (missing, binary, a directory, above 64 MiB)."""

        def read() -> TextFile:
            data = self._read(path, _LARGEST_TEXT + 1)
            if len(data) > _LARGEST_TEXT:
                raise ToolError(
                    f"{self.display(path)} is larger than {_LARGEST_TEXT >> 20} MiB. "
                    "Search it with grep, or cut a part out of it with bash (sed -n '1,100p')."
                )
            return decode(path, data)

        return await to_thread.run_sync(read, abandon_on_cancel=True)

    async def write_text(self, file: TextFile, before: str | None = None) -> str:
        """Write a whole text atomically; links followed, mode kept, directories made. Raises `ToolError`."""
        data = encode(file)
        await to_thread.run_sync(replace_file, file.path, data)
        return ""

    async def exists(self, path: Path) -> bool:
        """Whether there is something at the path."""
        return await to_thread.run_sync(os.path.exists, path)

    async def run(self, command: Command, on_output: OnOutput) -> CommandResult:
        """Run a shell line: see `process.run_shell`."""
        return await run_shell(command, self.environment, self._processes, on_output)

    async def close(self) -> None:
        """End every process that was started here and still runs, within a second."""
        await self._processes.close()

    def _read(self, path: Path, limit: int) -> bytes:
        shown = self.display(path)
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                raise ToolError(f"{shown} is a directory, not a file.")
            if not stat.S_ISREG(mode):
                # Reading a pipe or a terminal would wait for a writer that may never come.
                raise ToolError(f"{shown} is not a regular file (a pipe, socket or device).")
            with open(path, "rb") as file:
                return file.read(limit)
        except (FileNotFoundError, NotADirectoryError):
            raise ToolError(missing("file", path, self)) from None
        except OSError as error:
            raise ToolError(f"{shown} cannot be read: {error.strerror or error}.") from error


def _parts(path: str) -> tuple[str, ...]:
    parts = Path(path).parts
    return tuple(part.casefold() for part in parts) if _IGNORES_CASE else parts


def _below(parts: tuple[str, ...], root: tuple[str, ...]) -> bool:
    return parts[: len(root)] == root
