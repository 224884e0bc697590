"""Methods that the specification marks as unstable, and those of our own (`_…`), as far as they are answered here."""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from acp_agent.schema.base import Checked, Items, Wire
from acp_agent.schema.content import ContentBlock
from acp_agent.schema.session_config_options import SessionConfigOption
from acp_agent.schema.session_modes import SessionModeState

SessionStatus: TypeAlias = Literal["open", "saved"] | str
"""`open`: in memory, `saved`: stored only."""


class SetSessionTitleRequest(Wire):
    """Give a session a title; it need not be open."""

    session_id: str
    title: str


class SetSessionTitleResponse(Wire):
    """The title as it was stored."""

    title: str


class SessionStatusRequest(Wire):
    """Ask, without any effect, whether a session is in memory."""

    session_id: str


class SessionStatusResponse(Wire):
    """Whether the session is in memory."""

    status: SessionStatus


class SessionOptionsRequest(Wire):
    """Ask which options a session in `cwd` would begin with; with an id, that session would go on with."""

    cwd: Checked[str | None] = None
    session_id: Checked[str | None] = None


class SessionOptionsResponse(Wire):
    """The options, all of them, and the same as modes."""

    config_options: Items[SessionConfigOption]
    modes: SessionModeState | None = None


class SteeringRequest(Wire):
    """`_session/steering`: put a message into the turn that is running.

    `_meta.steering.idleBehavior` says what to do if none is: `promptRequired` leaves the message to the client,
    anything else begins a turn.
    """

    session_id: str
    prompt: Items[ContentBlock]

    @property
    def only_running(self) -> bool:
        """Whether a message is wanted back for which no turn runs."""
        steering: Any = (self.meta or {}).get("steering")
        return isinstance(steering, dict) and steering.get("idleBehavior") == "promptRequired"


class SteeringResponse(Wire):
    """What became of the message; `reason` says why it is left to the client."""

    outcome: Literal["injected", "startedNewTurn", "promptRequired"]
    reason: str | None = Field(default=None)
