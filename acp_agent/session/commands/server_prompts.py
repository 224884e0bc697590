"""The prompts of MCP servers as slash commands, each named after its server and itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from acp_agent.schema import ContentBlock
from acp_agent.session.commands.base import Command, Invocation
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn
from acp_agent.tools.mcp.prompts import McpPrompt


def prompt_commands(state: SessionState) -> dict[str, Command]:
    """The commands by name, in a stable order. Their `prompt` raises `ToolError` when the server gives none."""
    return {
        name: Command(name, prompt.description, hint=prompt.hint, prompt=_blocks(prompt))
        for name, prompt in state.mcp.prompts.items()
    }


def _blocks(prompt: McpPrompt) -> Callable[[Turn, Invocation], Awaitable[Sequence[ContentBlock]]]:
    async def blocks(_turn: Turn, invoked: Invocation) -> Sequence[ContentBlock]:
        return [*await prompt.messages(prompt.values(invoked.arguments)), *invoked.blocks]

    return blocks
