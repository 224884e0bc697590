"""What a running turn has shown and the record does not have yet: for a client that comes in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from acp_agent.schema import SessionUpdate, ToolCallProgress, ToolCallStart, ToolCallUpdate


@dataclass(slots=True)
class Showing:
    """`answer` is the id of the last answer, and what gives the updates that showed it so far.

    `open_calls` are the calls that were shown and have no end yet, as they were last shown.
    """

    answer: tuple[str, Callable[[], Iterator[SessionUpdate]]] | None = None
    open_calls: dict[str, ToolCallUpdate] = field(default_factory=dict)

    def note(self, update: SessionUpdate) -> None:
        """Take in that an update was shown."""
        if isinstance(update, ToolCallStart | ToolCallProgress):
            if update.status in ("completed", "failed"):
                self.open_calls.pop(update.tool_call_id, None)
            else:
                self.open_calls[update.tool_call_id] = update
