"""A prompt turn: what the person says, the plan, and how the turn ends."""

from typing import Literal, TypeAlias

from acp_agent.schema.base import Count, Items, Wire
from acp_agent.schema.content import ContentBlock

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"]
PlanEntryPriority: TypeAlias = Literal["high", "medium", "low"]
PlanEntryStatus: TypeAlias = Literal["pending", "in_progress", "completed"]


class PromptRequest(Wire):
    """What the person says. A block that is malformed or of an unknown type makes the request invalid."""

    session_id: str
    prompt: Items[ContentBlock]


class Usage(Wire):
    """Tokens, summed over the session. Not in the stable specification yet; clients read it nevertheless."""

    total_tokens: Count
    input_tokens: Count
    output_tokens: Count
    thought_tokens: Count | None = None
    cached_read_tokens: Count | None = None
    cached_write_tokens: Count | None = None


class PromptResponse(Wire):
    """Why the turn ended. `usage` is ahead of the stable specification."""

    stop_reason: StopReason
    usage: Usage | None = None


class CancelNotification(Wire):
    """Stop the running turn; its prompt is answered with `cancelled`."""

    session_id: str


class PlanEntry(Wire):
    """One task of the agent's plan."""

    content: str
    priority: PlanEntryPriority
    status: PlanEntryStatus
