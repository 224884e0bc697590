"""The sessions of this process, by id: made, admitted, reopened and closed.

Everything that decides which session a message belongs to is a plain call, made in the order of the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from anyio.abc import TaskGroup

from acp_agent.llm.messages import AssistantMessage
from acp_agent.rpc.messages import RESOURCE_NOT_FOUND, RpcError
from acp_agent.schema import McpServer
from acp_agent.session import events
from acp_agent.session.calls import interrupted_call
from acp_agent.session.history import unfinished
from acp_agent.session.opening import Opening
from acp_agent.session.session import Session
from acp_agent.session.state import SessionState
from acp_agent.session.store import SessionHead, StoredSession


class SessionManager:
    """Owns every open session. `tasks` is the group in which their owner tasks live."""

    def __init__(self, opening: Opening, tasks: TaskGroup) -> None:
        self._opening = opening
        self._services = opening.services
        self._tasks = tasks
        self._sessions: dict[str, Session] = {}
        self._ending: dict[str, Session] = {}
        self._closed: set[str] = set()

    def create(self, cwd: Path, mcp_servers: Sequence[McpServer]) -> Session:
        """Begin a new session; it is stored by the first work that needs its state."""
        now = self._services.clock()
        head = SessionHead(self._services.new_id("ses"), cwd, (cwd,), now, now)

        async def opening(tasks: TaskGroup) -> SessionState:
            state = await self._opening.state(head, mcp_servers, tasks)
            await self._services.store.create(head)
            return state

        return self._start(head.id, opening)

    def get(self, session_id: str) -> Session:
        """The session that a request names: an open one, or a stored one that is reopened by its first work.

        A session that was closed on this connection counts as unknown until it is loaded again.
        """
        if session_id in self._closed and session_id not in self._sessions:
            raise unknown_session(session_id)
        return self._sessions.get(session_id) or self._start(session_id, self._stored(session_id, None, ()))

    def find(self, session_id: str) -> Session | None:
        """The session if it is open, or being opened."""
        return self._sessions.get(session_id)

    def reopen(self, session_id: str, cwd: Callable[[], Awaitable[Path]], mcp_servers: Sequence[McpServer]) -> Session:
        """The session for a load or a resume, which may bring another working directory; `cwd` checks and gives it."""
        return self._sessions.get(session_id) or self._start(session_id, self._stored(session_id, cwd, mcp_servers))

    def close(self, session_id: str) -> Callable[[], Awaitable[None]]:
        """Cancel what the session does and forget it at once; the result ends its processes and waits for its end.

        That may raise `RpcError` for a session that does not exist.
        """
        session = self._sessions.pop(session_id, None)
        was_closed = session_id in self._closed
        self._closed.add(session_id)
        if session is not None:
            session.end()
            self._ending[session_id] = session

        async def finish() -> None:
            if session is not None:
                await session.closed()
                if self._ending.get(session_id) is session:
                    del self._ending[session_id]
            elif was_closed:
                raise unknown_session(session_id)
            elif await self._services.store.read_head(session_id) is None:
                self._closed.discard(session_id)
                raise unknown_session(session_id)

        return finish

    def cancel_all(self) -> None:
        """Cancel every turn: the client is gone."""
        for session in self._sessions.values():
            session.cancel()

    async def close_all(self) -> None:
        """Close every session, side by side."""
        everyone = [*self._sessions.values(), *self._ending.values()]
        for session in everyone:
            session.end()
        for session in everyone:
            await session.closed()

    def _start(self, id: str, opening: Callable[[TaskGroup], Awaitable[SessionState]]) -> Session:
        async def opened(tasks: TaskGroup) -> SessionState:
            before = self._ending.get(id)
            if before is not None:  # its last turn is still being written down
                await before.closed()
            try:
                return await opening(tasks)
            except Exception as error:
                # Whatever kept it from opening, the next request tries again.
                if self._sessions.get(id) is session:
                    del self._sessions[id]
                session.abandon(error)
                raise

        session = self._sessions[id] = Session(id, opened)
        self._tasks.start_soon(session.run)
        return session

    def _stored(
        self, session_id: str, cwd: Callable[[], Awaitable[Path]] | None, mcp_servers: Sequence[McpServer]
    ) -> Callable[[TaskGroup], Awaitable[SessionState]]:
        async def opening(tasks: TaskGroup) -> SessionState:
            stored = await self._services.store.read(session_id)
            if stored is None:
                raise unknown_session(session_id)
            head = stored.head
            if cwd is not None:
                directory = await cwd()
                head = replace(head, cwd=directory, roots=(directory,))
            state = await self._opening.state(head, mcp_servers, tasks)
            await self._settle(state, stored)
            return state

        return opening

    async def _settle(self, state: SessionState, stored: StoredSession) -> None:
        """End what the last process left open: a draft becomes an interrupted answer, an open call a failed one."""
        found: list[events.Event] = []
        record = [event for _, event in stored.record]
        if stored.draft is not None:
            ended = {event.call_id for event in record if isinstance(event, events.ToolCallFinal)}
            shown = tuple(part for part in stored.draft.message.content if getattr(part, "id", None) not in ended)
            if shown:
                message = AssistantMessage(content=shown)
                id = stored.draft.message_id
                found.append(events.AssistantMessage(message_id=id, message=message, interrupted=True))
        for call in unfinished([*record, *found]):
            found.append(interrupted_call(state, call))
        if found:
            await state.record(*found, durable=True)
        self._opening.restore(state, stored, found)


def unknown_session(session_id: str) -> RpcError:
    """-32002, with the id that was asked for."""
    text = f"Session not found: {session_id[:100]!r}. session/list names the sessions that exist."
    return RpcError(RESOURCE_NOT_FOUND, text, {"sessionId": session_id[:1000]})
