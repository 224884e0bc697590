"""Names close to one that does not exist."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from acp_agent.tools.workspace import Workspace

_MOST = 3
_LOOKED_AT = 20_000
_SKIPPED = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", "target", ".mypy_cache", ".tox"})


def missing(what: str, path: Path, workspace: Workspace) -> str:
    """The sentence for the model about a path that is not there, with the nearest names."""
    names = [workspace.display(found) for found in nearest_names(path, workspace.roots)]
    hint = f" Did you mean {' or '.join(names)}?" if names else ""
    return f"There is no {what} {workspace.display(path)}.{hint}"


def nearest_names(path: Path, roots: Sequence[Path]) -> list[Path]:
    """At most three existing paths: similar names in the same folder first, then the same name elsewhere in the roots.

    Looks at no more than 20,000 entries.
    """
    found = [path.parent / name for name in _similar(path.name, _entries(path.parent))]
    for root in roots:
        if len(found) >= _MOST:
            break
        found.extend(same for same in _same_name(path.name, root, _MOST - len(found)) if same not in found)
    return found[:_MOST]


def _entries(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for _, entry in zip(range(_LOOKED_AT), entries, strict=False)]
    except OSError:
        return []


def _similar(name: str, names: list[str]) -> list[str]:
    import difflib

    lower: dict[str, str] = {entry.lower(): entry for entry in names}
    return [lower[close] for close in difflib.get_close_matches(name.lower(), list(lower)[:2000], _MOST, 0.7)]


def _same_name(name: str, root: Path, most: int) -> list[Path]:
    found: list[Path] = []
    folders = [root]
    left = _LOOKED_AT
    while folders and left > 0 and len(found) < most:
        following: list[Path] = []
        for folder in folders:
            try:
                entries = list(os.scandir(folder))
            except OSError:
                continue
            left -= len(entries)
            for entry in entries:
                if entry.name.lower() == name.lower():
                    found.append(folder / entry.name)
                if entry.name not in _SKIPPED and entry.is_dir(follow_symlinks=False):
                    following.append(folder / entry.name)
            if left <= 0:
                break
        folders = following
    return sorted(found)[:most]
