"""What single clients need that the specification does not say. Standard library only: `initialize` asks here too."""

from __future__ import annotations

from typing import NamedTuple


class Quirks(NamedTuple):
    """`strict`: nothing outside the stable schema is sent, not even what others ignore.

    `session_id_in_load`: without `sessionId` in the result of `session/load` and `session/resume` the client drops the
    thread.
    """

    strict: bool = False
    session_id_in_load: bool = False


NONE = Quirks()

QUIRKS: dict[str, Quirks] = {
    # The official compatibility kit reports every root field that it does not know.
    "acp-tck": Quirks(strict=True),
    # Agent of Empires, from 1.13.1 on.
    "agent-of-empires": Quirks(session_id_in_load=True),
    "aoe": Quirks(session_id_in_load=True),
}
"""By `clientInfo.name` in lower case."""


def quirks_of(name: str) -> Quirks:
    """The quirks of a client by the name that it gave in `initialize`, which may be empty."""
    return QUIRKS.get(name.strip().lower(), NONE)
