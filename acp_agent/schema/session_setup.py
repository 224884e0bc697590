"""Sessions: how they are opened, listed, closed and deleted."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from acp_agent.schema.base import Checked, Items, ItemsOrNull, ValidItems, Wire
from acp_agent.schema.content import ContentBlock
from acp_agent.schema.legacy import SessionModelState
from acp_agent.schema.session_config_options import SessionConfigOption
from acp_agent.schema.session_modes import SessionModeState


class EnvVariable(Wire):
    """An environment variable."""

    name: str
    value: str


class HttpHeader(Wire):
    """A header of an HTTP request."""

    name: str
    value: str


class McpServerStdio(Wire):
    """An MCP server that the agent starts and talks to over its standard input and output."""

    name: str
    command: str
    args: ItemsOrNull[str] = Field(default_factory=list)
    env: ItemsOrNull[EnvVariable] = Field(default_factory=list)


class McpServerHttp(Wire):
    """An MCP server reached by streamable HTTP."""

    type: Literal["http"] = "http"
    name: str
    url: str
    headers: ItemsOrNull[HttpHeader] = Field(default_factory=list)


class McpServerSse(Wire):
    """An MCP server reached by HTTP and server-sent events."""

    type: Literal["sse"] = "sse"
    name: str
    url: str
    headers: ItemsOrNull[HttpHeader] = Field(default_factory=list)


def _transport(value: Any) -> str:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "stdio" if found is None else str(found)


McpServer: TypeAlias = Annotated[
    Annotated[McpServerStdio, Tag("stdio")]
    | Annotated[McpServerHttp, Tag("http")]
    | Annotated[McpServerSse, Tag("sse")],
    Discriminator(
        _transport, custom_error_type="transport", custom_error_message="type should be 'stdio', 'http' or 'sse'"
    ),
]
"""A server without a type, or of the type `stdio`, is one to start; a type that is unknown is an error."""


class SystemPrompt(Wire):
    """A client's own instructions. `mode` is `append` or `override`; any other is to be refused, not guessed at."""

    mode: str
    content: Items[ContentBlock]


class SessionSetup(Wire):
    """What a session is opened with, however it is opened. Paths are absolute.

    The servers may be left out, though the specification demands an empty list: enough clients do so. `config_options`
    are first values of options, by their ids (unstable, see `session/options`).
    """

    cwd: str
    additional_directories: ItemsOrNull[str] = Field(default_factory=list)
    mcp_servers: ItemsOrNull[McpServer] = Field(default_factory=list)
    system_prompt: Checked[SystemPrompt | None] = None
    config_options: Checked[dict[str, str | bool] | None] = None


class NewSessionRequest(SessionSetup):
    """Open a session with an empty history."""


class LoadSessionRequest(SessionSetup):
    """Open a stored session and replay its history."""

    session_id: str


class ResumeSessionRequest(SessionSetup):
    """Open a stored session without a replay."""

    session_id: str


class SessionSetupResponse(Wire):
    """The state of a session that was opened; `models` is the removed form that clients still read."""

    modes: SessionModeState | None = None
    config_options: ValidItems[SessionConfigOption] | None = None
    models: SessionModelState | None = None


class NewSessionResponse(SessionSetupResponse):
    """The session that was opened."""

    session_id: str


class LoadSessionResponse(SessionSetupResponse):
    """The session is open and its history was replayed. `session_id` is for a client that drops the thread without."""

    session_id: str | None = None


class ResumeSessionResponse(SessionSetupResponse):
    """The session is open. `session_id` as in `LoadSessionResponse`."""

    session_id: str | None = None


class SessionInfo(Wire):
    """A stored session; `updated_at` is ISO 8601."""

    session_id: str
    cwd: str
    additional_directories: ValidItems[str] = Field(default_factory=list)
    title: str | None = None
    updated_at: str | None = None


class ListSessionsRequest(Wire):
    """The stored sessions, of one directory if `cwd` is given; `cursor` is the `next_cursor` of the page before."""

    cwd: Checked[str | None] = None
    cursor: Checked[str | None] = None


class ListSessionsResponse(Wire):
    """A page of sessions; the last page has no `next_cursor`."""

    sessions: ValidItems[SessionInfo]
    next_cursor: str | None = None


class DeleteSessionRequest(Wire):
    """Remove a stored session; one that does not exist is removed already."""

    session_id: str


class DeleteSessionResponse(Wire):
    """The session does not exist."""


class CloseSessionRequest(Wire):
    """Cancel what runs in a session and free it; it stays stored."""

    session_id: str


class CloseSessionResponse(Wire):
    """The session is closed."""
