"""What the file tools share: how a path is named to the model, and what a call on it touches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import anyio

from acp_agent.schema import ToolCallLocation
from acp_agent.tools.base import CallSummary, Subject
from acp_agent.tools.truncate import encodable
from acp_agent.tools.workspace import Workspace

_locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()


def file_lock(path: Path) -> anyio.Lock:
    """The lock to hold from reading a file to writing it: calls of one step run side by side, sessions do too."""
    return _locks.setdefault(os.path.realpath(path), anyio.Lock())


def name_for_model(workspace: Workspace, path: Path) -> str:
    """The shortest name that a tool takes back: relative where that leads to the same file, else absolute."""
    shown = workspace.display(path)
    return shown if workspace.resolve(shown) == path else encodable(path.as_posix())


def file_summary(path_argument: str, workspace: Workspace, line: int | None = None) -> CallSummary:
    """The path as title and location. Raises `ToolError` for what is no path."""
    path = workspace.resolve(path_argument)
    return CallSummary(workspace.display(path), (ToolCallLocation(path=str(path), line=line),))


def file_subjects(permission: str, path_argument: str, workspace: Workspace) -> Sequence[Subject]:
    """The file under its own name and, behind a link, under its real one; outside the roots the directory too."""
    path = workspace.resolve(path_argument)
    real = Path(os.path.realpath(path))
    names = dict.fromkeys((workspace.display(path), workspace.display(real)))
    caution = _loosens(real, workspace) if permission == "edit" else None
    return [
        *(Subject(permission, name, name, caution=caution) for name in names),
        *outside_subjects(path, workspace),
    ]


def _loosens(path: Path, workspace: Workspace) -> str | None:
    """Why a person is asked about a file that decides what may run: our own configuration, and what git runs."""
    if path.name.lower() in ("opencode.json", "opencode.jsonc") or ".opencode" in _folders(path):
        return "it holds the rules of what may be done"
    return "git runs what stands there" if ".git" in _folders(path) else None


def _folders(path: Path) -> set[str]:
    return {part.lower() for part in path.parts[:-1]}


def outside_subjects(path: Path, workspace: Workspace) -> Sequence[Subject]:
    """Nothing for a path in the roots; else `external_directory` with the directory that holds it, links followed."""
    if workspace.contains(path):
        return []
    real = Path(os.path.realpath(path))
    pattern = f"{(real if real.is_dir() else real.parent).as_posix().rstrip('/')}/*"
    return [Subject("external_directory", pattern, pattern)]
