"""The client at the other end of a connection. The only place where updates become wire messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acp_agent.client.bounds import bounded, bounded_tool_call
from acp_agent.client.command_output import CommandOutput
from acp_agent.client.quirks import quirks_of
from acp_agent.client.workspace import ClientWorkspace
from acp_agent.log import Log
from acp_agent.rpc.connection import Connection
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import (
    InitializeRequest,
    NoticeUpdate,
    PermissionOption,
    RequestPermissionRequest,
    SessionUpdate,
    ToolCallUpdate,
)
from acp_agent.session.client import Choice
from acp_agent.tools.workspace import Workspace


class ConnectedClient:
    """`session.client.Client` over a connection, within what the client said it can do."""

    def __init__(self, connection: Connection, said: dict[str, Any], log: Log) -> None:
        self._connection = connection
        self._log = log
        self.described(said)

    def described(self, said: dict[str, Any]) -> None:
        """Let another description of the client hold: the params of an `initialize`."""
        request = InitializeRequest.parse({key: value for key, value in said.items() if value is not None})
        self.capabilities = request.client_capabilities
        self.name = request.client_info.name if request.client_info else ""
        self.quirks = quirks_of(self.name)
        self._output = CommandOutput(terminals=(self.capabilities.meta or {}).get("terminal_output") is True)

    async def update(self, session_id: str, update: SessionUpdate) -> None:
        """See `Client`."""
        waits = True
        for each in self._output.project(session_id, update):
            for wire, size in bounded(each):
                params = {"sessionId": session_id, "update": wire}
                if waits:
                    await self._connection.notify("session/update", params, size)
                else:
                    self._connection.notify_now("session/update", params, size)
            waits = False  # output in pieces is sent whole or not at all: whoever is cancelled meanwhile sends it again

    def update_now(self, session_id: str, update: SessionUpdate) -> None:
        """See `Client`."""
        for each in self._output.project(session_id, update):
            for wire, size in bounded(each):
                self._connection.notify_now("session/update", {"sessionId": session_id, "update": wire}, size)

    async def notice(self, session_id: str, title: str, description: str) -> bool:
        """See `Client`."""
        session = self.capabilities.session
        if session is None or session.notices is None:
            return False
        await self.update(session_id, NoticeUpdate(severity="warning", title=title, description=description))
        return True

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: Sequence[PermissionOption]
    ) -> Choice:
        """See `Client`."""
        request = RequestPermissionRequest(session_id=session_id, tool_call=tool_call, options=list(options))
        wire = request.wire()
        wire["toolCall"], size = bounded_tool_call(wire["toolCall"])
        try:
            answer = await self._connection.request("session/request_permission", wire, size)
        except RpcError as error:
            return Choice(None, f"the client could not ask the user ({error.message})")
        outcome = answer.get("outcome") if isinstance(answer, dict) else None
        if not isinstance(outcome, dict):
            return Choice(None, "the client gave no valid answer to the permission request")
        chosen = outcome.get("optionId")
        if outcome.get("outcome") == "selected" and chosen in [each.option_id for each in options]:
            return Choice(chosen)
        if outcome.get("outcome") == "cancelled":
            return Choice(None, "the user dismissed the question")
        return Choice(None, "the client chose an option that was not offered")

    def workspace(self, session_id: str, local: Workspace) -> Workspace:
        """See `Client`."""
        files = self.capabilities.fs.read_text_file or self.capabilities.fs.write_text_file
        if not files and not (self.capabilities.terminal and local.in_client_terminal):
            return local
        return ClientWorkspace(session_id, local, self._connection, self.capabilities, self._log)
