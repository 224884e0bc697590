"""Modes of a session, the older way beside configuration options of the category `mode`."""

from acp_agent.schema.base import ValidItems, Wire


class SessionMode(Wire):
    """A way of working, for example one that may not change files."""

    id: str
    name: str
    description: str | None = None


class SessionModeState(Wire):
    """The mode of a session and those it can change to."""

    current_mode_id: str
    available_modes: ValidItems[SessionMode]


class SetSessionModeRequest(Wire):
    """Change to this mode."""

    session_id: str
    mode_id: str


class SetSessionModeResponse(Wire):
    """The mode is set."""
