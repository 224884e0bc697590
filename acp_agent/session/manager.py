"""The sessions of this process, by id: made, admitted, reopened and closed.

Everything that decides which session a message belongs to is a plain call, made in the order of the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from acp_agent.llm.messages import AssistantMessage
from acp_agent.rpc.messages import INVALID_PARAMS, RESOURCE_NOT_FOUND, RpcError
from acp_agent.session.calls import interrupted_call
from acp_agent.session.opening import Opening, Setup
from acp_agent.session.options import check_options, set_options
from acp_agent.session.record import events
from acp_agent.session.record.history import unfinished
from acp_agent.session.record.store import SessionHead, StoredSession
from acp_agent.session.session import Session
from acp_agent.session.state import SessionState


class SessionManager:
    """Owns every open session. `tasks` is the group in which their owner tasks live."""

    def __init__(self, opening: Opening, tasks: TaskGroup) -> None:
        self._opening = opening
        self._services = opening.services
        self._tasks = tasks
        self._sessions: dict[str, Session] = {}
        self._ending: dict[str, list[Session]] = {}
        self._closed: set[str] = set()

    def create(self, setup: Setup) -> Session:
        """Begin a new session; it is stored by the first work that needs its state."""
        head = self._head(setup)

        async def opening(tasks: TaskGroup) -> SessionState:
            state = await self._opening.state(head, setup.mcp_servers or (), tasks)
            check_options(state, setup.options)
            await self._services.store.create(head)
            await set_options(state, setup.options)
            return state

        return self._start(head.id, opening)

    def get(self, session_id: str) -> Session:
        """The session that a request names: an open one, or a stored one that is reopened by its first work.

        A session that was closed on this connection counts as unknown until it is loaded again.
        """
        if session_id in self._closed and session_id not in self._sessions:
            raise unknown_session(session_id)
        return self._sessions.get(session_id) or self._start(session_id, self._stored(session_id, None))

    def find(self, session_id: str) -> Session | None:
        """The session if it is open, or being opened."""
        return self._sessions.get(session_id)

    def reopen(self, session_id: str, asked: Setup, setup: Callable[[], Awaitable[Setup]]) -> tuple[Session, bool]:
        """The session for a load or a resume, and whether it is open just as `asked`; `setup` checks and gives that.

        An open one that has another setup is ended and opened anew. Raises `RpcError` (-32602) if a turn would not
        survive that.
        """
        session = self._sessions.get(session_id)
        if session is not None and session.state is not None and asked.changes(session.state):
            if session.busy:
                raise other_setup(session_id, "A turn runs in it: cancel it, or wait for its end.")
            self._end(session_id)
            session = None
        if session is not None:
            return session, session.state is not None
        return self._start(session_id, self._stored(session_id, setup)), False

    async def options(self, session_id: str | None, setup: Setup) -> SessionState:
        """The state that a session would begin with, or a stored one go on with, without opening anything."""
        stored = await self._services.store.read(session_id) if session_id else None
        if session_id and stored is None:
            raise unknown_session(session_id)
        nothing_runs = anyio.create_task_group()  # never entered
        state = await self._opening.state(stored.head if stored else self._head(setup), (), nothing_runs)
        if stored is not None:
            self._opening.restore(state, stored, ())
        return state

    def delete(self, session_id: str) -> Callable[[], Awaitable[None]]:
        """End a session and forget it for good; the result does what takes time. An unknown one is gone already."""
        self._end(session_id)
        self._closed.add(session_id)  # until it is gone: a prompt right behind must not open it again

        async def finish() -> None:
            await self._ended(session_id)  # what it still writes must not come after
            await self._services.store.delete(session_id)
            self._closed.discard(session_id)

        return finish

    def close(self, session_id: str) -> Callable[[], Awaitable[None]]:
        """Cancel what the session does and forget it at once; the result ends its processes and waits for its end.

        That may raise `RpcError` for a session that does not exist.
        """
        session = self._end(session_id)
        was_closed = session_id in self._closed
        self._closed.add(session_id)

        async def finish() -> None:
            if session is not None:
                await session.closed()
                await self._ended(session_id)
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
        everyone = [*self._sessions.values(), *(each for ending in self._ending.values() for each in ending)]
        for session in everyone:
            session.end()
        for session in everyone:
            await session.closed()

    def _end(self, id: str) -> Session | None:
        """End an open session and forget it at once; it stays among those whose end is waited for."""
        session = self._sessions.pop(id, None)
        if session is not None:
            session.end()
            self._ending.setdefault(id, []).append(session)
        return session

    async def _ended(self, id: str) -> None:
        """Wait until those before are gone that had this id."""
        for session in self._ending.get(id, [])[:]:
            await session.closed()
            rest = [each for each in self._ending.get(id, []) if each is not session]
            if rest:
                self._ending[id] = rest
            else:
                self._ending.pop(id, None)

    def _start(self, id: str, opening: Callable[[TaskGroup], Awaitable[SessionState]]) -> Session:
        async def opened(tasks: TaskGroup) -> SessionState:
            await self._ended(id)  # the last turn of the one before is still being written down
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

    def _head(self, setup: Setup) -> SessionHead:
        now = self._services.clock()
        prompt = setup.prompt.json() if setup.prompt else None
        return SessionHead(self._services.new_id("ses"), setup.roots[0], setup.roots, now, now, system_prompt=prompt)

    def _stored(
        self, session_id: str, given: Callable[[], Awaitable[Setup]] | None
    ) -> Callable[[TaskGroup], Awaitable[SessionState]]:
        async def opening(tasks: TaskGroup) -> SessionState:
            stored = await self._services.store.read(session_id)
            if stored is None:
                raise unknown_session(session_id)
            setup = Setup(stored.head.roots) if given is None else await given()
            head = _moved(stored.head, setup)
            state = await self._opening.state(head, setup.mcp_servers or (), tasks)
            check_options(state, setup.options)
            if head != stored.head:
                await self._services.store.move(head)
            await self._settle(state, stored)
            await set_options(state, setup.options)
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


def _moved(head: SessionHead, setup: Setup) -> SessionHead:
    """A stored session as it is opened now. Raises `RpcError` (-32602) for more roots around another directory."""
    if len(setup.roots) > 1 and setup.roots[0] != head.cwd:
        text = f"additionalDirectories need the session's own cwd, which is {str(head.cwd)[:500]}."
        raise RpcError(INVALID_PARAMS, text, {"expected": {"cwd": str(head.cwd)}})
    prompt = setup.prompt.json() if setup.prompt else head.system_prompt
    return replace(head, cwd=setup.roots[0], roots=setup.roots, system_prompt=prompt)


def other_setup(session_id: str, why: str) -> RpcError:
    """-32602: the session is open with other directories, servers or another system prompt."""
    text = f"This session cannot be opened in another way now. {why}"
    return RpcError(INVALID_PARAMS, text, {"sessionId": session_id[:1000]})


def unknown_session(session_id: str) -> RpcError:
    """-32002, with the id that was asked for."""
    text = f"Session not found: {session_id[:100]!r}. session/list names the sessions that exist."
    return RpcError(RESOURCE_NOT_FOUND, text, {"sessionId": session_id[:1000]})
