"""The methods that open, show and end sessions. What is decided in wire order is decided before the first await."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from acp_agent import schema
from acp_agent.agent.checks import check_absolute, directory
from acp_agent.agent.pages import PAGE, cursor, cursor_behind, session_info
from acp_agent.agent.setup import asked_setup, client_prompt, setup_of
from acp_agent.client.connected import ConnectedClient
from acp_agent.rpc.connection import Reply, Work
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.session import options
from acp_agent.session.announce import announce
from acp_agent.session.conversation import show_conversation
from acp_agent.session.manager import SessionManager, other_setup, unknown_session
from acp_agent.session.opening import Setup
from acp_agent.session.record import events
from acp_agent.session.record.store import SessionStore
from acp_agent.session.session import Session
from acp_agent.session.state import SessionState
from acp_agent.session.titles import checked_title, set_title


class SessionMethods:
    """`session/new` and its kin, for one connection; `client` gives the client at its other end."""

    def __init__(self, sessions: SessionManager, store: SessionStore, client: Callable[[], ConnectedClient]) -> None:
        self._sessions = sessions
        self._store = store
        self._client = client

    def new(self, params: schema.NewSessionRequest) -> Work:
        """`session/new`: the choices, and afterwards the commands and what was wrong with the configuration."""
        prompt = client_prompt(params)

        async def run() -> Reply:
            session = self._sessions.create(await setup_of(params, prompt))
            state = await session.claim(session.opened).result()
            return Reply({"sessionId": session.id, **self._choices(state)}, lambda: self._announce(session, state))

        return Work(run)

    def load(self, params: schema.LoadSessionRequest) -> Work:
        """`session/load`: the whole conversation as updates, then the response."""
        return self._reopen(params, replayed=True)

    def resume(self, params: schema.ResumeSessionRequest) -> Work:
        """`session/resume`: the session goes on, and nothing is shown again."""
        return self._reopen(params)

    def list_(self, params: schema.ListSessionsRequest) -> Work:
        """`session/list`: the newest first, in pages."""
        after = cursor(params.cursor) if params.cursor else None
        if params.cwd:
            check_absolute(params.cwd, "cwd")

        async def run() -> dict[str, Any]:
            cwd = str(Path(params.cwd)) if params.cwd else None
            heads = list(await self._store.page(cwd, after, PAGE + 1))
            page = [session_info(head).wire() for head in heads[:PAGE]]
            if len(heads) <= PAGE:
                return {"sessions": page}
            return {"sessions": page, "nextCursor": cursor_behind(heads[PAGE - 1])}

        return Work(run)

    def close(self, params: schema.CloseSessionRequest) -> Work:
        """`session/close`: its turns end as cancelled, its processes are gone, it can be loaded again."""
        return _finishing(self._sessions.close(params.session_id))

    def delete(self, params: schema.DeleteSessionRequest) -> Work:
        """`session/delete`: ended like `session/close`, and gone for good."""
        return _finishing(self._sessions.delete(params.session_id))

    def status(self, params: schema.SessionStatusRequest) -> Work:
        """`session/status`: whether the session is in memory."""
        is_open = self._sessions.find(params.session_id) is not None

        async def run() -> dict[str, Any]:
            if not is_open and await self._store.read_head(params.session_id) is None:
                raise unknown_session(params.session_id)
            return {"status": "open" if is_open else "saved"}

        return Work(run)

    def options(self, params: schema.SessionOptionsRequest) -> Work:
        """`session/options`: what a session would begin with. Nothing is opened or stored."""

        async def run() -> dict[str, Any]:
            state = await self._would_be(params)
            modes = options.mode_state(state).wire()
            return {"configOptions": self._options(state), "modes": modes}

        return Work(run)

    def set_title(self, params: schema.SetSessionTitleRequest) -> Work:
        """`session/set_title`: of an open or a stored session; gives the title as it was stored."""
        title = checked_title(params.title)
        session = self._sessions.find(params.session_id)
        ready = session.ready() if session is not None else None

        async def run() -> dict[str, Any]:
            if ready is not None:
                return {"title": await set_title(await ready(), title)}
            if await self._store.read_head(params.session_id) is None:
                raise unknown_session(params.session_id)
            await self._store.append(params.session_id, [events.Title(title=title)], durable=True)
            return {"title": title}

        return Work(run)

    def _reopen(
        self, params: schema.LoadSessionRequest | schema.ResumeSessionRequest, *, replayed: bool = False
    ) -> Work:
        prompt = client_prompt(params)
        session, is_open = self._sessions.reopen(
            params.session_id, asked_setup(params, prompt), lambda: setup_of(params, prompt)
        )

        async def opened(state: SessionState) -> Reply:
            setup = await setup_of(params, prompt)
            if setup.changes(state):
                raise other_setup(session.id, "It is just being opened in another way.")
            options.check_options(state, setup.options)
            await options.set_options(state, setup.options)
            if replayed:
                await show_conversation(state, self._client())
            if not self._is_open(session):  # closed or deleted meanwhile
                raise unknown_session(session.id)
            choices = self._choices(state)
            if self._client().quirks.session_id_in_load:
                choices["sessionId"] = state.id
            return Reply(choices, lambda: self._announce(session, state))

        async def first() -> Reply:
            return await opened(await session.opened())

        async def again() -> Reply:
            assert session.state is not None
            if await self._store.read_head(session.id) is None:
                raise unknown_session(session.id)
            return await opened(session.state)

        if is_open:  # a turn may run in it, and wait for a person: show what is there so far
            return Work(again)
        ticket = session.claim(first)
        return Work(ticket.result, ticket.cancel)

    def _is_open(self, session: Session) -> bool:
        return self._sessions.find(session.id) is session

    async def _announce(self, session: Session, state: SessionState) -> None:
        if self._is_open(session):
            await announce(state, self._client())

    async def _would_be(self, params: schema.SessionOptionsRequest) -> SessionState:
        session = self._sessions.find(params.session_id) if params.session_id else None
        if session is not None and session.state is not None:
            return session.state
        if params.cwd is None and params.session_id is None:
            raise RpcError(INVALID_PARAMS, "cwd or sessionId is needed.", {"path": "cwd"})
        roots = (await directory(params.cwd, "cwd"),) if params.cwd is not None else ()
        return await self._sessions.options(params.session_id, Setup(roots))

    def _choices(self, state: SessionState) -> dict[str, Any]:
        choices: dict[str, Any] = {
            "modes": options.mode_state(state).wire(),
            "configOptions": self._options(state),
        }
        if not self._client().quirks.strict:
            choices["models"] = options.model_state(state).wire()
        return choices

    def _options(self, state: SessionState) -> list[dict[str, Any]]:
        return [option.wire() for option in options.config_options(state)]


def _finishing(finish: Callable[[], Awaitable[None]]) -> Work:
    async def run() -> dict[str, Any]:
        await finish()
        return {}

    return Work(run)
