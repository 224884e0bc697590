"""A prompt turn while it runs: what its parts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from acp_agent.llm.messages import AssistantMessage, Text
from acp_agent.schema import AgentMessageChunk, SessionUpdate, TextContent
from acp_agent.session.client import Client
from acp_agent.session.record import events
from acp_agent.session.record.store import StoreError
from acp_agent.session.showing import Showing
from acp_agent.session.state import SessionState
from acp_agent.tools.workspace import Workspace


@dataclass(slots=True)
class Turn:
    """One prompt turn while it runs.

    `trace` is the W3C trace context of its prompt, for servers that its calls ask.
    `step` counts the model calls, from 1; `repeated` is the last tool call and how often it was made in a row;
    `in_text` says that the last thing shown was text of the model's; `shown` counts updates, by kind.
    `showing` is for a client that comes in the middle.
    """

    id: str
    state: SessionState
    client: Client
    workspace: Workspace
    trace: Mapping[str, str] = field(default_factory=dict)
    step: int = 0
    in_text: bool = False
    repeated: tuple[str, int] = ("", 0)
    shown: Counter[str] = field(default_factory=Counter)
    showing: Showing = field(default_factory=Showing)

    async def show(self, update: SessionUpdate) -> None:
        """Show an update to the client, in order."""
        await self.client.update(self.state.id, update)
        self._note(update)

    def show_now(self, update: SessionUpdate) -> None:
        """Show an update without waiting for the client, on the way out."""
        self.client.update_now(self.state.id, update)
        self._note(update)

    def _note(self, update: SessionUpdate) -> None:
        self.shown[update.session_update] += 1
        self.showing.note(update)

    async def say(self, text: str) -> None:
        """Say a sentence of our own: shown and replayed, never sent to a model."""
        if self.in_text:  # many clients join chunks without a look at the message id
            text = f"\n\n{text}"
            self.in_text = False
        message_id = self.state.services.new_id("msg")
        message = AssistantMessage(content=(Text(text=text),))
        await self.state.record(events.AssistantMessage(message_id=message_id, message=message, for_model=False))
        await self.show(AgentMessageChunk(content=TextContent(text=text), message_id=message_id))

    async def keep(self, *found: events.Event) -> None:
        """Record on the way out, whatever is being cancelled; a store that fails is logged and hides nothing else."""
        with anyio.CancelScope(shield=True):
            try:
                await self.state.record(*found, durable=True)
            except StoreError as error:
                self.log("record.failed", level="ERROR", error=str(error))

    def log(self, event: str, **fields: object) -> None:
        """Write a line about this turn to the log file."""
        self.state.log(event, turn=self.id, step=self.step, **fields)
