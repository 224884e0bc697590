"""Runs `agent acp`; whoever imports a heavy package waits until a byte arrives on the descriptor in `E2E_GATE`.

So a test that got an answer while the gate was shut knows that nothing of the kind was needed for it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

HEAVY = {"openai", "anthropic", "jsonschema", "mcp", "httpx", "httpx2", "tree_sitter", "jiter"}


class Gate:
    """A finder that finds nothing, but takes its time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._one = threading.Lock()
        self._open = False

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Wait for the gate if it is for a heavy package."""
        if name.partition(".")[0] in HEAVY:
            with self._one:
                self._open = self._open or os.read(self._descriptor, 1) == b"o"
        return None


assert not HEAVY & sys.modules.keys()
sys.meta_path.insert(0, Gate(int(os.environ["E2E_GATE"])))

if __name__ == "__main__":
    from acp_agent.cli.main import main

    main(["acp"])
