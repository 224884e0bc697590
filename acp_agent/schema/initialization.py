"""`initialize`: the version, and what each side can do. A capability that is absent is not supported."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from acp_agent.schema.base import Checked, Items, ValidItems, Wire

PROTOCOL_VERSION = 1
"""The version of the protocol that these types describe."""

ProtocolVersion: TypeAlias = Annotated[int, Field(ge=0, le=65535)]


class Implementation(Wire):
    """A program by its stable `name`, its `version`, and a `title` for people."""

    name: str
    version: str
    title: str | None = None


class FileSystemCapabilities(Wire):
    """Which `fs/*` methods the client answers; the two are independent."""

    read_text_file: bool = False
    write_text_file: bool = False


class AuthCapabilities(Wire):
    """Whether the client can run an authentication method in a terminal."""

    terminal: bool = False


class ElicitationFormCapabilities(Wire):
    """The client can show a form."""


class ElicitationUrlCapabilities(Wire):
    """The client can send a person to an address."""


class ElicitationCapabilities(Wire):
    """The modes of `elicitation/create` that the client supports; an empty object is none."""

    form: ElicitationFormCapabilities | None = None
    url: ElicitationUrlCapabilities | None = None


class BooleanConfigOptionCapabilities(Wire):
    """The client can show options of type `boolean`."""


class SessionConfigOptionsCapabilities(Wire):
    """The types of configuration options that the client can show besides `select`."""

    boolean: BooleanConfigOptionCapabilities | None = None


class NoticeCapabilities(Wire):
    """The client can show `notice` updates."""


class CompactionCapabilities(Wire):
    """The client can show `compaction_update` and `compaction_summary_chunk`."""


class ClientSessionCapabilities(Wire):
    """What the client understands within a session beyond the baseline."""

    config_options: SessionConfigOptionsCapabilities | None = None
    notices: NoticeCapabilities | None = None
    compaction: CompactionCapabilities | None = None


class ClientCapabilities(Wire):
    """What the client can do."""

    fs: FileSystemCapabilities = Field(default_factory=FileSystemCapabilities)
    terminal: bool = False
    session: ClientSessionCapabilities | None = None
    auth: AuthCapabilities = Field(default_factory=AuthCapabilities)
    elicitation: ElicitationCapabilities | None = None


class InitializeRequest(Wire):
    """The newest version that the client speaks, and what it can do."""

    protocol_version: ProtocolVersion
    client_capabilities: ClientCapabilities = Field(default_factory=ClientCapabilities)
    client_info: Implementation | None = None


class PromptCapabilities(Wire):
    """The content blocks that a prompt may hold besides text and resource links."""

    image: bool = False
    audio: bool = False
    embedded_context: bool = False


class McpCapabilities(Wire):
    """The transports to MCP servers that the agent supports besides stdio."""

    http: bool = False
    sse: bool = False


class SessionListCapabilities(Wire):
    """The agent answers `session/list`."""


class SessionDeleteCapabilities(Wire):
    """The agent answers `session/delete`."""


class SessionAdditionalDirectoriesCapabilities(Wire):
    """The agent takes `additionalDirectories`."""


class SessionSystemPromptOverrideCapabilities(Wire):
    """The agent accepts the mode `override`."""


class SessionSystemPromptModeCapabilities(Wire):
    """The modes of a client's system prompt besides `append`."""

    override: SessionSystemPromptOverrideCapabilities | None = None


class SessionSystemPromptCapabilities(Wire):
    """The agent takes `systemPrompt` (stable since 1.30 of the specification's schema)."""

    mode: SessionSystemPromptModeCapabilities | None = None


class SessionResumeCapabilities(Wire):
    """The agent answers `session/resume`."""


class SessionCloseCapabilities(Wire):
    """The agent answers `session/close`."""


class SessionTitleCapabilities(Wire):
    """The agent answers `session/set_title` (unstable)."""


class SessionStatusCapabilities(Wire):
    """The agent answers `session/status` (unstable)."""


class SessionOptionsCapabilities(Wire):
    """The agent answers `session/options` and takes first values for options (unstable)."""


class SessionCapabilities(Wire):
    """The `session/*` methods and fields beyond the baseline; the last three are unstable."""

    list: SessionListCapabilities | None = None
    delete: SessionDeleteCapabilities | None = None
    additional_directories: SessionAdditionalDirectoriesCapabilities | None = None
    system_prompt: SessionSystemPromptCapabilities | None = None
    resume: SessionResumeCapabilities | None = None
    close: SessionCloseCapabilities | None = None
    title: SessionTitleCapabilities | None = None
    status: SessionStatusCapabilities | None = None
    options: SessionOptionsCapabilities | None = None


class LogoutCapabilities(Wire):
    """The agent answers `logout`."""


class AgentAuthCapabilities(Wire):
    """What the agent offers around authentication."""

    logout: LogoutCapabilities | None = None


class AgentCapabilities(Wire):
    """What the agent can do."""

    load_session: bool = False
    prompt_capabilities: PromptCapabilities = Field(default_factory=PromptCapabilities)
    mcp_capabilities: McpCapabilities = Field(default_factory=McpCapabilities)
    session_capabilities: SessionCapabilities = Field(default_factory=SessionCapabilities)
    auth: AgentAuthCapabilities = Field(default_factory=AgentAuthCapabilities)


class AuthMethodAgent(Wire):
    """A way to authenticate that the agent carries out itself, on `authenticate`."""

    id: str
    name: str
    description: str | None = None


class AuthMethodTerminal(Wire):
    """A way to authenticate in a terminal: the agent's own program with `args` added. Needs `auth.terminal`."""

    type: Literal["terminal"] = "terminal"
    id: str
    name: str
    description: str | None = None
    args: Checked[Items[str] | None] = None
    env: Checked[dict[str, str] | None] = None


def _auth_method_type(value: Any) -> str:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "terminal" if found == "terminal" else "agent"


AuthMethod: TypeAlias = Annotated[
    Annotated[AuthMethodTerminal, Tag("terminal")] | Annotated[AuthMethodAgent, Tag("agent")],
    Discriminator(_auth_method_type),
]
"""A method of another type than `terminal` is the agent's affair, whatever its type says."""


class InitializeResponse(Wire):
    """The version that is spoken from now on, and what the agent can do."""

    protocol_version: ProtocolVersion
    agent_capabilities: AgentCapabilities = Field(default_factory=AgentCapabilities)
    auth_methods: ValidItems[AuthMethod] = Field(default_factory=list)
    agent_info: Implementation | None = None
