"""What is kept of sessions, and what a place that keeps them can do.

Events are appended and never changed; streamed text that is not yet a message is a draft, replaced several times a
second and dropped with the message. `durable=True` asks that even a power cut loses nothing: a prompt was accepted,
something irreversible is about to run, a turn ended. The database is `sqlite_store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from acp_agent.llm.messages import AssistantMessage

if TYPE_CHECKING:
    from acp_agent.session.record.events import Event


class StoreError(Exception):
    """The store could not be read or written; the message says why and where."""


class SessionGone(StoreError):
    """The session was deleted, by another process maybe; `session` is its id."""

    def __init__(self, session: str) -> None:
        super().__init__("This session was deleted meanwhile, by another program maybe. Begin a new one.")
        self.session = session


@dataclass(frozen=True, slots=True)
class SessionHead:
    """What is known of a session without its events. `updated` and `created` are seconds since 1970.

    `roots` are the working directory and then the additional ones. `system_prompt` is the client's own, as JSON.
    """

    id: str
    cwd: Path
    roots: tuple[Path, ...]
    created: float
    updated: float
    title: str | None = None
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Streamed text that was shown and is not yet part of a message."""

    message_id: str
    message: AssistantMessage


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it was left. `record` holds (event id, event); `damaged` counts what was unreadable."""

    head: SessionHead
    record: Sequence[tuple[str, Event]]
    draft: Draft | None = None
    damaged: int = field(default=0)


class SessionStore(Protocol):
    """Sessions that outlive the process. Every method may raise `StoreError`."""

    async def create(self, head: SessionHead) -> None:
        """Add a session with an empty record."""

    async def move(self, head: SessionHead) -> None:
        """Let a stored session have the working directory, the roots and the system prompt of `head` from now on."""

    async def delete(self, session: str) -> None:
        """Remove a session with all that is kept of it; one that does not exist is removed already."""

    async def assign(self, session: str, project: str, worktree: str, vcs: str | None) -> None:
        """Note which project a session belongs to, and that the project was seen."""

    async def append(self, session: str, events: Sequence[Event], *, durable: bool = False) -> str:
        """Add events to the end of the record, all or none, and drop the draft if one of them is an answer.

        Gives the id of the last event of the record.
        """

    async def write_draft(self, session: str, draft: Draft) -> None:
        """Replace the draft."""

    async def read(self, session: str) -> StoredSession | None:
        """Everything about a session, or None."""

    async def read_head(self, session: str) -> SessionHead | None:
        """What is known of a session without its events, or None."""

    async def page(self, cwd: str | None, after: tuple[float, str] | None, limit: int) -> Sequence[SessionHead]:
        """Sessions, the newest first, behind the one that `after` (updated, id) names."""

    async def initialized(self, session: str) -> None:
        """Note that the session's project has its instruction file (`/init` ran to its end)."""

    async def trusted(self, folder: str, digest: str) -> bool:
        """Whether a person said yes to this content of this folder."""

    async def trust(self, folder: str, digest: str) -> None:
        """Remember such a yes."""

    async def close(self) -> None:
        """Give the database back."""
