"""Tool calls as a person sees them, and the permission to make them."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from acp_agent.schema.base import Count, Items, ValidItems, Wire
from acp_agent.schema.content import ContentBlock

ToolKind: TypeAlias = Literal[
    "read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"
]
ToolCallStatus: TypeAlias = Literal["pending", "in_progress", "completed", "failed"]
PermissionOptionKind: TypeAlias = Literal["allow_once", "allow_always", "reject_once", "reject_always"]


class ToolContent(Wire):
    """A content block."""

    type: Literal["content"] = "content"
    content: ContentBlock


class DiffContent(Wire):
    """A change of a file; without `old_text` the file is new. `path` is absolute."""

    type: Literal["diff"] = "diff"
    path: str
    old_text: str | None = None
    new_text: str


class TerminalContent(Wire):
    """The live output of a terminal of the client's; it must be shown before the terminal is released."""

    type: Literal["terminal"] = "terminal"
    terminal_id: str


ToolCallContent: TypeAlias = Annotated[ToolContent | DiffContent | TerminalContent, Field(discriminator="type")]


class ToolCallLocation(Wire):
    """A file, by its absolute path, that a call reads or changes; `line` counts from 1."""

    path: str
    line: Count | None = None


class ToolCallUpdate(Wire):
    """The fields of a call that changed; None is "as before", and a list replaces the list before it."""

    tool_call_id: str
    title: str | None = None
    name: str | None = None
    kind: ToolKind | None = None
    status: ToolCallStatus | None = None
    content: ValidItems[ToolCallContent] | None = None
    locations: ValidItems[ToolCallLocation] | None = None
    raw_input: Any = None
    raw_output: Any = None


class PermissionOption(Wire):
    """One answer that the person can give."""

    option_id: str
    name: str
    kind: PermissionOptionKind


class RequestPermissionRequest(Wire):
    """Ask the person whether a call may be made."""

    session_id: str
    tool_call: ToolCallUpdate
    options: Items[PermissionOption]


class SelectedPermissionOutcome(Wire):
    """The person chose this option."""

    outcome: Literal["selected"] = "selected"
    option_id: str


class CancelledPermissionOutcome(Wire):
    """The turn was cancelled before the person chose."""

    outcome: Literal["cancelled"] = "cancelled"


RequestPermissionOutcome: TypeAlias = Annotated[
    SelectedPermissionOutcome | CancelledPermissionOutcome, Field(discriminator="outcome")
]


class RequestPermissionResponse(Wire):
    """What the person said; an outcome that is unknown fails to parse, and so is no approval."""

    outcome: RequestPermissionOutcome
