"""The configuration file as types: the keys of `opencode.json` that this program reads.

Types are strict (a number is no string). `check` turns what does not fit into diagnostics; nothing here is required.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

PermissionAction: TypeAlias = Literal["ask", "allow", "deny"]
AgentMode: TypeAlias = Literal["subagent", "primary", "all"]
Modality: TypeAlias = Literal["text", "audio", "image", "video", "pdf"]

ACTION, RULES = "<action>", "<rules>"
"""Members of the unions below as pydantic's error locations name them."""


def _shape(value: Any) -> str | None:
    if isinstance(value, str):
        return ACTION
    return RULES if isinstance(value, dict) else None


# Tagged by shape, so that a wrong value is reported once and not for each member of the union.
PermissionRule: TypeAlias = Annotated[
    Annotated[PermissionAction, Tag(ACTION)] | Annotated[dict[str, PermissionAction], Tag(RULES)],
    Discriminator(_shape),
]
"""What to do with a tool: one action, or actions by pattern. The last pattern that matches counts."""

Permission: TypeAlias = Annotated[
    Annotated[PermissionAction, Tag(ACTION)] | Annotated[dict[str, PermissionRule], Tag(RULES)],
    Discriminator(_shape),
]
"""One action for everything, or rules by tool name. The order of the keys is the order in the file."""


class Section(BaseModel):
    """A part of the file. `elsewhere` are opencode's keys that are accepted in it and not read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)
    elsewhere: ClassVar[frozenset[str]] = frozenset()


class AgentConfig(Section):
    """An agent, that is a mode of a session or a sub-agent. Keys not named here are request options, as in opencode."""

    model_config = ConfigDict(extra="allow")
    elsewhere: ClassVar[frozenset[str]] = frozenset({"color", "variant"})

    model: str | None = Field(None, description='"provider/model" for this agent')
    prompt: str | None = Field(None, description="text in place of the built-in base prompt")
    description: str | None = Field(None, description="when to use the agent, for people and for the model")
    mode: AgentMode | None = Field(None, description="primary: chosen by the user; subagent: by the model; or all")
    steps: Annotated[int, Field(gt=0)] | None = Field(None, description="how many model calls one prompt may take")
    max_steps: Annotated[int, Field(gt=0)] | None = Field(
        None, alias="maxSteps", description="former name of steps", json_schema_extra={"deprecated": True}
    )
    temperature: float | None = Field(None, description="sampling temperature of the requests")
    top_p: float | None = Field(None, description="nucleus sampling of the requests")
    permission: Permission | None = Field(None, description="rules that count after the general ones")
    tools: dict[str, bool] = Field(
        default_factory=dict,
        description="former form of permission: true allows, false denies",
        json_schema_extra={"deprecated": True},
    )
    options: dict[str, Any] = Field(default_factory=dict, description="further fields of the request body")
    disable: bool | None = Field(None, description="leave the agent out")
    hidden: bool | None = Field(None, description="do not offer the agent to the user")


class LimitConfig(Section):
    """How many tokens fit."""

    context: float | None = Field(None, description="the whole window")
    input: float | None = Field(None, description="of it for the request, if limited on its own")
    output: float | None = Field(None, description="the longest answer")


class ModalitiesConfig(Section):
    """What a model takes and gives."""

    input: list[Modality] | None = Field(None, description="kinds of content that a request may hold")
    output: list[Modality] | None = Field(None, description="kinds of content that an answer may hold")


class CostConfig(Section):
    """Prices in US dollars for a million tokens."""

    elsewhere: ClassVar[frozenset[str]] = frozenset({"context_over_200k"})

    input: float | None = Field(None, description="what the model reads")
    output: float | None = Field(None, description="what the model writes")
    cache_read: float | None = Field(None, description="what it reads from the vendor's cache")
    cache_write: float | None = Field(None, description="what it puts there")


class ModelConfig(Section):
    """A model of a provider, or changes to a known one."""

    elsewhere: ClassVar[frozenset[str]] = frozenset(
        {"family", "release_date", "interleaved", "experimental", "status", "provider", "variants"}
    )

    id: str | None = Field(None, description="the model's name in requests, if it is not the key")
    name: str | None = Field(None, description="the model's name for people")
    limit: LimitConfig = Field(default_factory=LimitConfig, description="how many tokens fit")
    modalities: ModalitiesConfig = Field(default_factory=ModalitiesConfig, description="what the model takes and gives")
    attachment: bool | None = Field(None, description="whether images may be sent")
    reasoning: bool | None = Field(None, description="whether the model thinks before it answers")
    temperature: bool | None = Field(None, description="whether requests may set a temperature")
    tool_call: bool | None = Field(None, description="whether the model can call tools")
    cost: CostConfig = Field(default_factory=CostConfig, description="prices, for the cost shown")
    options: dict[str, Any] = Field(default_factory=dict, description="further fields of the request body")
    headers: dict[str, str] = Field(default_factory=dict, description="further headers of the requests")


class ProviderOptions(Section):
    """How to reach a provider. Keys not named here are kept as they stand."""

    model_config = ConfigDict(extra="allow")

    base_url: str | None = Field(None, alias="baseURL", description="where requests go")
    api_key: str | None = Field(None, alias="apiKey", description="the key; better {env:NAME} or {file:path}")
    headers: dict[str, str] = Field(default_factory=dict, description="further headers of the requests")
    timeout: Annotated[int, Field(gt=0)] | Literal[False] | None = Field(
        None, description="limit of a request in milliseconds, or false"
    )


class ProviderConfig(Section):
    """A provider of models, or changes to a known one."""

    elsewhere: ClassVar[frozenset[str]] = frozenset({"id"})

    npm: str | None = Field(None, description="the package opencode would load; here it names the wire API")
    name: str | None = Field(None, description="the provider's name for people")
    api: str | None = Field(None, description="base URL, if options.baseURL is not set")
    env: list[str] = Field(
        default_factory=list, description="environment variables that may hold the key, first one first"
    )
    whitelist: list[str] | None = Field(None, description="only these models")
    blacklist: list[str] = Field(default_factory=list, description="not these models")
    options: ProviderOptions = Field(default_factory=ProviderOptions, description="how to reach it")
    models: dict[str, ModelConfig] = Field(
        default_factory=dict, description="models by the name used in provider/model"
    )


class McpConfig(Section):
    """An MCP server: one to start (`local`), one to reach (`remote`), or changes to one of another layer."""

    elsewhere: ClassVar[frozenset[str]] = frozenset({"oauth"})

    type: Literal["local", "remote"] | None = Field(None, description="local: it is started; remote: it has a url")
    command: list[str] = Field(default_factory=list, description="program and arguments of a local server")
    cwd: str | None = Field(None, description="where it runs, if not in the session's working directory")
    environment: dict[str, str] = Field(default_factory=dict, description="further variables for a local server")
    url: str | None = Field(None, description="address of a remote server")
    headers: dict[str, str] = Field(default_factory=dict, description="further headers of requests to a remote server")
    enabled: bool | None = Field(None, description="false: do not join it")
    timeout: Annotated[int, Field(gt=0)] | None = Field(
        None, description="how many milliseconds it may take to be ready; 30000 if it is not set"
    )


class AcpConfig(Section):
    """What the agent asks of the client that it is connected to. This part is ours; opencode does not know it."""

    client_terminal: bool = Field(
        False,
        alias="clientTerminal",
        description="run shell lines in a terminal of the client's if it offers that; not read from a project's file",
    )


class Config(Section):
    """A whole file, or all files merged."""

    elsewhere: ClassVar[frozenset[str]]  # KNOWN_ELSEWHERE, below

    schema_: str | None = Field(None, alias="$schema", description="JSON Schema of this file, for editors")
    model: str | None = Field(None, description='"provider/model" that sessions start with')
    small_model: str | None = Field(None, description='"provider/model" for small tasks')
    default_agent: str | None = Field(None, description="agent that sessions start with")
    agent: dict[str, AgentConfig] = Field(default_factory=dict, description="agents by name: build, plan, and your own")
    mode: dict[str, AgentConfig] = Field(
        default_factory=dict,
        description="former name of agent, for primary agents",
        json_schema_extra={"deprecated": True},
    )
    permission: Permission | None = Field(None, description="what runs without a question")
    provider: dict[str, ProviderConfig] = Field(default_factory=dict, description="providers by id")
    disabled_providers: list[str] = Field(default_factory=list, description="providers never to use")
    enabled_providers: list[str] | None = Field(None, description="if set, no other provider is used")
    acp: AcpConfig = Field(default_factory=AcpConfig, description="use of the client (not a key of opencode's)")
    mcp: dict[str, McpConfig] = Field(default_factory=dict, description="MCP servers by name")
    instructions: list[str] = Field(default_factory=list, description="further instruction files: paths and patterns")
    shell: str | None = Field(None, description="shell for commands")
    username: str | None = Field(None, description="how to call the user")
    tools: dict[str, bool] = Field(
        default_factory=dict,
        description="former form of permission: true allows, false denies",
        json_schema_extra={"deprecated": True},
    )


KNOWN_ELSEWHERE: tuple[str, ...] = (
    "attachment",
    "autoshare",
    "autoupdate",
    "command",
    "compaction",
    "enterprise",
    "experimental",
    "formatter",
    "keybinds",
    "layout",
    "logLevel",
    "lsp",
    "plugin",
    "reference",
    "references",
    "server",
    "share",
    "skills",
    "snapshot",
    "subagent_depth",
    "theme",
    "tool_output",
    "tui",
    "watcher",
)
"""Keys of opencode at the top of the file that are accepted and not read yet."""

Config.elsewhere = frozenset(KNOWN_ELSEWHERE)
