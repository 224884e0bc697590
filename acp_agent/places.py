"""Where this program keeps its files: the places of the XDG specification, on Windows below `%LOCALAPPDATA%`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_directory() -> Path:
    """For what may be lost, such as the log: `$XDG_STATE_HOME/acp-agent`."""
    return _place("XDG_STATE_HOME", "~/.local/state")


def data_directory() -> Path:
    """For what must be kept, such as sessions: `$XDG_DATA_HOME/acp-agent`."""
    return _place("XDG_DATA_HOME", "~/.local/share")


def _place(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable)
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    if named and os.path.isabs(named):
        return Path(named) / "acp-agent"
    return Path(local or os.path.expanduser(otherwise)) / "acp-agent"
