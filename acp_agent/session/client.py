"""What a session needs of whoever talks to it. Clients attach for a turn; a session holds none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from acp_agent.schema import PermissionOption, SessionUpdate, ToolCallUpdate
from acp_agent.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's answer to a permission request: the id of an offered option, or None for anything else.

    `problem` says why there is none, if it was not the person's own doing.
    """

    option_id: str | None
    problem: str = ""


class Client(Protocol):
    """The other end of a prompt turn."""

    async def update(self, session_id: str, update: SessionUpdate) -> None:
        """Show an update, in order; waits while the client lags far behind."""

    def update_now(self, session_id: str, update: SessionUpdate) -> None:
        """Show an update without waiting, for what must still be said while a turn is being cancelled."""

    async def notice(self, session_id: str, title: str, description: str) -> bool:
        """Show a message that belongs to no turn, if the client takes such; tells whether it does."""

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: Sequence[PermissionOption]
    ) -> Choice:
        """Ask a person. No time limit; anything but one of the offered options is no approval."""

    def workspace(self, session_id: str, local: Workspace) -> Workspace:
        """The files as the client wants them reached: its own buffers where it offers them, else `local`."""
