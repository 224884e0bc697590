"""Which project a working directory belongs to, and asking git without running what a repository configures."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio

from acp_agent.config.files import worktree_root

GIT_SECONDS = 2.0

_GLOBAL_ID = "global"
_MAX_ID_BYTES = 64 * 1024
_PASSED_TO_GIT = (
    "PATH", "HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "XDG_CONFIG_HOME", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR",
)  # fmt: skip
# A repository may be a stranger's, and its configuration can name programs. What we ask needs none of them.
_GIT_OPTIONS = (
    "--no-pager",
    "--no-optional-locks",
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.untrackedCache=false",
    "-c", "core.quotePath=false",
    "-c", "core.sshCommand=false",
    "-c", "credential.helper=",
)  # fmt: skip
_GIT_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A partial clone would fetch what is missing: from nowhere.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Project:
    """The repository around a working directory.

    `id` is the first root commit, the same in every clone and worktree; "global" outside git and before the first
    commit. `worktree` is the folder with `.git`, the root of the file system outside git.
    """

    id: str
    worktree: Path
    vcs: Literal["git"] | None


async def discover(cwd: Path, environ: Mapping[str, str]) -> Project:
    """The project of `cwd` (absolute). Takes at most `GIT_SECONDS`; a missing or slow git is no error."""
    root = worktree_root(cwd)
    if root is None:
        return Project(_GLOBAL_ID, Path(cwd.anchor), None)
    output = await git(root, ["rev-list", "--max-parents=0", "HEAD", "--"], environ, _MAX_ID_BYTES, work_tree=root)
    commits = sorted((output or b"").decode("ascii", "replace").split())
    # A repository without commits still has a worktree: rules and paths are relative to it.
    return Project(commits[0] if commits else _GLOBAL_ID, root, "git")


async def git(
    folder: Path,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    max_bytes: int,
    *,
    work_tree: Path,
    partial: bool = False,
    seconds: float = GIT_SECONDS,
) -> bytes | None:
    """What git prints for a question asked in `folder`, up to `max_bytes`. None if it fails or is too slow.

    With `partial`, what was printed until the time or the space was up. `work_tree` is given, since the repository's
    configuration could name any other folder. The child gets neither keys nor the `GIT_*`
    of our own environment.
    """
    program = shutil.which("git", path=environ.get("PATH", os.defpath))
    if program is None:
        return None
    passed = {variable: environ[variable] for variable in _PASSED_TO_GIT if variable in environ}
    command = [program, *_GIT_OPTIONS, f"--work-tree={work_tree}", *arguments]
    output = bytearray()
    try:
        with anyio.move_on_after(seconds):
            async with await anyio.open_process(
                command,
                cwd=folder,
                env={**passed, **_GIT_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                async for chunk in process.stdout:
                    output += chunk
                    if len(output) > max_bytes:
                        process.kill()
                        break
                code = await process.wait()
                if code == 0 and len(output) <= max_bytes:
                    return bytes(output)
    except OSError:
        return None
    return bytes(output[:max_bytes]) if partial and output else None
