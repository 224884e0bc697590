"""An agent in memory and a person who types commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from acp_agent.app import App
from acp_agent.llm.messages import UserMessage
from acp_agent.llm.provider import ModelRequest
from acp_agent.llm.scripted import Scripted
from tests.harness import Message, RawClient, Rig


@dataclass
class Chat:
    """A session of a rig; `ask` is one prompt."""

    rig: Rig
    client: RawClient
    session: str
    provider: Scripted

    async def ask(self, prompt: str | Sequence[Message]) -> str:
        """Send a prompt that ends well; gives what the agent said meanwhile."""
        blocks = [{"type": "text", "text": prompt}] if isinstance(prompt, str) else list(prompt)
        before = len(self.client.said())
        result = await self.client.call("session/prompt", {"sessionId": self.session, "prompt": blocks})
        assert result["stopReason"] == "end_turn", result
        return self.client.said()[before:]

    @property
    def requests(self) -> Sequence[ModelRequest]:
        """What the model was asked."""
        return self.provider.requests

    def sent(self, number: int = -1) -> list[str]:
        """The texts of the user's messages in a model request."""
        return [
            "".join(getattr(part, "text", "") for part in entry.content)
            for entry in self.requests[number].history
            if isinstance(entry, UserMessage)
        ]


def app_with(rig: Rig, configuration: str) -> App:
    """An app whose user wrote just this into the variable."""
    app = rig.app()
    app.opening.environ = {**app.opening.environ, "OPENCODE_CONFIG_CONTENT": configuration}
    return app


@asynccontextmanager
async def chat(rig: Rig, *steps: Mapping[str, Any], **capabilities: Any) -> AsyncIterator[Chat]:
    """A new session whose model plays the steps and notes what it is asked."""
    rig.provider = Scripted(list(steps))
    async with rig.client() as client:
        await client.initialize(**capabilities)
        yield Chat(rig, client, await client.new(rig.cwd), rig.provider)
