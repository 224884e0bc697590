"""`session/update`: everything that is shown while a session is open or replayed."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from acp_agent.schema.base import Count, ValidItems, Wire
from acp_agent.schema.content import ContentBlock
from acp_agent.schema.prompt_turn import PlanEntry
from acp_agent.schema.session_config_options import SessionConfigOption
from acp_agent.schema.slash_commands import AvailableCommand
from acp_agent.schema.tool_calls import ToolCallStatus, ToolCallUpdate, ToolKind

NoticeSeverity: TypeAlias = Literal["info", "warning", "error"] | str
CompactionStatus: TypeAlias = Literal["in_progress", "completed", "failed", "cancelled"] | str


class ContentChunk(Wire):
    """A piece of a message; pieces with the same `message_id` belong together."""

    content: ContentBlock
    message_id: str | None = None


class UserMessageChunk(ContentChunk):
    """A piece of what the person said; sent in a replay, not for a live prompt."""

    session_update: Literal["user_message_chunk"] = "user_message_chunk"


class AgentMessageChunk(ContentChunk):
    """A piece of what the agent says."""

    session_update: Literal["agent_message_chunk"] = "agent_message_chunk"


class AgentThoughtChunk(ContentChunk):
    """A piece of the agent's reasoning."""

    session_update: Literal["agent_thought_chunk"] = "agent_thought_chunk"


class ToolCallStart(ToolCallUpdate):
    """A tool call, when it is first seen."""

    session_update: Literal["tool_call"] = "tool_call"
    title: str
    kind: ToolKind = "other"
    status: ToolCallStatus = "pending"


class ToolCallProgress(ToolCallUpdate):
    """What changed in a tool call."""

    session_update: Literal["tool_call_update"] = "tool_call_update"


class AgentPlanUpdate(Wire):
    """The whole plan as it is now."""

    session_update: Literal["plan"] = "plan"
    entries: ValidItems[PlanEntry]


class AvailableCommandsUpdate(Wire):
    """All commands that there are now."""

    session_update: Literal["available_commands_update"] = "available_commands_update"
    available_commands: ValidItems[AvailableCommand]


class CurrentModeUpdate(Wire):
    """The mode changed."""

    session_update: Literal["current_mode_update"] = "current_mode_update"
    current_mode_id: str


class ConfigOptionUpdate(Wire):
    """All configuration options as they are now."""

    session_update: Literal["config_option_update"] = "config_option_update"
    config_options: ValidItems[SessionConfigOption]


class SessionInfoUpdate(Wire):
    """What changed of the session's title and time (ISO 8601); None is "as before"."""

    session_update: Literal["session_info_update"] = "session_info_update"
    title: str | None = None
    updated_at: str | None = None


class Cost(Wire):
    """An amount of money; `currency` is ISO 4217."""

    amount: float
    currency: str


class UsageUpdate(Wire):
    """Tokens in the model's window, the window's size, and what the session has cost so far."""

    session_update: Literal["usage_update"] = "usage_update"
    used: Count
    size: Count
    cost: Cost | None = None


class NoticeUpdate(Wire):
    """Something that a person should know and no later step depends on. Needs `session.notices`; never replayed."""

    session_update: Literal["notice"] = "notice"
    severity: NoticeSeverity
    title: str
    description: str | None = None


class CompactionUpdate(Wire):
    """The state of a compaction; the first one marks its place in the history. Needs `session.compaction`."""

    session_update: Literal["compaction_update"] = "compaction_update"
    compaction_id: str
    status: CompactionStatus
    summary: ValidItems[ContentBlock] | None = None
    error: str | None = None


class CompactionSummaryChunk(Wire):
    """A piece of the summary of a running compaction. Needs `session.compaction`."""

    session_update: Literal["compaction_summary_chunk"] = "compaction_summary_chunk"
    compaction_id: str
    content: ContentBlock


SessionUpdate: TypeAlias = Annotated[
    UserMessageChunk
    | AgentMessageChunk
    | AgentThoughtChunk
    | ToolCallStart
    | ToolCallProgress
    | AgentPlanUpdate
    | AvailableCommandsUpdate
    | CurrentModeUpdate
    | ConfigOptionUpdate
    | SessionInfoUpdate
    | UsageUpdate
    | NoticeUpdate
    | CompactionUpdate
    | CompactionSummaryChunk,
    Field(discriminator="session_update"),
]


class SessionNotification(Wire):
    """An update of a session."""

    session_id: str
    update: SessionUpdate
