"""A rig for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A place for an agent."""
    return Rig(tmp_path)
