from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.desk import Desk, Holders


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace of its own; whatever a test leaves running is killed."""
    desk = Desk(tmp_path / "ws")
    yield desk
    desk.processes.kill_all_now()


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[Holders]:
    holders = Holders(tmp_path)
    yield holders
    holders.close()
