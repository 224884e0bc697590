"""The clients need Node and packages from npm; `make test-clients` installs them and runs what is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.nodejs import node, require_packages
from tests.clients.stand import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A stand; at its end no process is left."""
    node()
    require_packages()
    stand = Stand(tmp_path)
    try:
        yield stand
    finally:
        stand.close()
