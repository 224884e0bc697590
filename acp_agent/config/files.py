"""Which files make up the configuration, and reading a file that may be anything."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from acp_agent.config.diagnostic import Layer

FILE_NAMES = ("opencode.json", "opencode.jsonc")
GLOBAL_FILE_NAMES = ("config.json", *FILE_NAMES)


class UnreadableError(Exception):
    """A file that cannot be used. The message says why, without naming the file."""


def home_directory(environ: Mapping[str, str]) -> Path:
    """The user's home: `HOME` (on Windows `USERPROFILE` first), else what the system's user database says."""
    names = ("USERPROFILE", "HOME") if sys.platform == "win32" else ("HOME", "USERPROFILE")
    for variable in names:
        if environ.get(variable):
            return Path(environ[variable])
    return Path(os.path.expanduser("~"))


def global_directory(environ: Mapping[str, str], home: Path) -> Path:
    """`$XDG_CONFIG_HOME/opencode`, or `.config/opencode` in the home directory, on every platform."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if os.path.isabs(configured) else home / ".config"
    return base / "opencode"


def worktree_root(cwd: Path) -> Path | None:
    """The nearest folder at or above `cwd` with a `.git` (folder, or file of a linked worktree); None outside git.

    The link in a `.git` file is not followed: a linked worktree is its own root.
    """
    for folder in (cwd, *cwd.parents):
        if os.path.lexists(folder / ".git"):
            return folder
    return None


def folders_between(root: Path | None, cwd: Path) -> list[Path]:
    """The folders from `root` down to `cwd`, both included; `cwd` alone when there is no root."""
    if root is None:
        return [cwd]
    below = cwd.relative_to(root).parts
    return [root.joinpath(*below[:depth]) for depth in range(len(below) + 1)]


def candidates(cwd: Path, environ: Mapping[str, str], home: Path) -> Iterator[tuple[Layer, Path]]:
    """The files that may hold configuration, lowest precedence first. Only the one of `OPENCODE_CONFIG` must exist."""
    folder = global_directory(environ, home)
    for file_name in GLOBAL_FILE_NAMES:
        yield Layer.GLOBAL, folder / file_name
    custom = environ.get("OPENCODE_CONFIG")
    if custom:
        yield Layer.CUSTOM, cwd / expand_home(custom, home)
    if environ.get("OPENCODE_DISABLE_PROJECT_CONFIG", "").lower() in ("", "0", "false"):
        for place in folders_between(worktree_root(cwd), cwd):
            if not _same(place, folder):
                for file_name in FILE_NAMES:
                    yield Layer.PROJECT, place / file_name


def expand_home(path: str, home: Path) -> Path:
    """The path with a leading `~/` (on Windows also `~\\`) replaced."""
    if path == "~":
        return home
    if path.startswith("~/") or (sys.platform == "win32" and path.startswith("~\\")):
        return home / path[2:]
    return Path(path)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether the path lies in the folder once every link of both is followed."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of a regular file, and whether there are more. Never waits, as on a pipe nobody writes to.

    Raises FileNotFoundError for what is missing and `UnreadableError` for everything else.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableError(_kind(path))
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            # Again, since the name may mean another file by now.
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError("is not a regular file")
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not valid"
        raise UnreadableError(f"cannot be read: {reason}") from None
    return data[:limit], len(data) > limit


def _kind(path: Path) -> str:
    return "is a folder, not a file" if os.path.isdir(path) else "is not a regular file"


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
