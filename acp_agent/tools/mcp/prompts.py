"""Prompts of servers, for slash commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acp_agent.schema import ContentBlock, TextContent
from acp_agent.tools.base import ToolError
from acp_agent.tools.mcp.offers import PromptOffer
from acp_agent.tools.mcp.results import content_of
from acp_agent.tools.mcp.server import Server

_MOST_MESSAGES = 100


class McpPrompt:
    """A prompt of a server. `name` is `server_prompt`; `arguments` are name, description, and whether it is needed."""

    def __init__(self, name: str, server: Server, offer: PromptOffer) -> None:
        self.name = name
        self.server = server
        self.offer = offer
        self.description = offer.description or f"The prompt {offer.name} of {server.name}."
        self.arguments = offer.arguments

    @property
    def hint(self) -> str | None:
        """The arguments as an input field shows them, or None if there are none."""
        return " ".join(f"<{name}>" if needed else f"[{name}]" for name, _, needed in self.arguments) or None

    def values(self, text: str) -> dict[str, str]:
        """The arguments out of what a person wrote behind the command. Raises `ToolError` if a needed one is missing.

        Words go to the arguments in their order, quotes hold words together, and the last argument takes the rest.
        """
        names = [name for name, _, _ in self.arguments]
        words = _words(text, len(names))
        found = dict(zip(names, words, strict=False))
        missing = [name for name, _, needed in self.arguments if needed and name not in found]
        if missing:
            raise ToolError(f"/{self.name} needs {', '.join(missing)}. Write it as: /{self.name} {self.hint}")
        return found

    async def messages(self, values: Mapping[str, str]) -> Sequence[ContentBlock]:
        """The prompt's text as content blocks. What it lets the assistant say is marked. Raises `ToolError`."""
        answer = await self.server.ask("prompts/get", {"name": self.offer.name, "arguments": dict(values)})
        messages = answer.get("messages")
        blocks: list[ContentBlock] = []
        for message in (messages if isinstance(messages, list) else [])[:_MOST_MESSAGES]:
            if not isinstance(message, dict):
                continue
            content = message.get("content")
            if message.get("role") == "assistant":
                blocks.append(TextContent(text="[the assistant:]"))
            blocks += content_of(content if isinstance(content, list) else [content]).blocks
        if not blocks:
            raise ToolError(f"The prompt {self.offer.name} of {self.server.name} is empty.")
        return blocks


def _words(text: str, count: int) -> list[Any]:
    text = text.strip()
    if not text or not count:
        return []
    if count == 1:
        return [text]
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words if len(words) <= count else [*words[: count - 1], " ".join(words[count - 1 :])]
