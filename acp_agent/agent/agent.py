"""ACP methods, one each. What a method decides in wire order it decides before its first await."""

from __future__ import annotations

import base64
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acp_agent import schema
from acp_agent.agent.checks import check_blocks, directory, refuse_more_directories
from acp_agent.agent.handshake import Handshake
from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS, Method
from acp_agent.client.connected import ConnectedClient
from acp_agent.log import Log
from acp_agent.rpc.connection import Connection, Reply, Work, method_not_found
from acp_agent.rpc.messages import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, RpcError
from acp_agent.schema import Wire
from acp_agent.session import options
from acp_agent.session.manager import SessionManager
from acp_agent.session.replay import replay
from acp_agent.session.state import SessionState
from acp_agent.session.store import SessionHead, SessionStore, StoreError

PAGE = 50


class Agent:
    """Serves one connection. `connect` must be called before the connection runs."""

    def __init__(
        self,
        handshake: Handshake,
        sessions: SessionManager,
        store: SessionStore,
        log: Log,
        on_end: Callable[[], None],
    ) -> None:
        self._handshake = handshake
        self._sessions = sessions
        self._store = store
        self._log = log
        self._on_end = on_end
        self._connection: Connection | None = None
        self._client: ConnectedClient | None = None

    def connect(self, connection: Connection) -> None:
        """Take the connection over which clients are called."""
        self._connection = connection

    # The reader's side: find the method, check the params, claim what must be claimed in wire order.

    def on_request(self, method: str, params: Any) -> Work:
        """See `Handler`."""
        row = REQUESTS.get(method)
        if self._handshake.params is None and method != "initialize":
            raise RpcError(INVALID_REQUEST, "The first request must be initialize.", {"method": method[:200]})
        if row is None:
            raise method_not_found(method)
        if method == "initialize":
            return self.initialize(params)
        work: Work = getattr(self, row.handler)(_parse(row, params))
        return Work(_store_errors_told(work.run), work.cancel)

    def on_notification(self, method: str, params: Any) -> None:
        """See `Handler`. Unknown notifications are ignored, and so is everything before `initialize`."""
        row = NOTIFICATIONS.get(method)
        if row is not None and self._handshake.params is not None:
            getattr(self, row.handler)(_parse(row, params))

    def on_end(self) -> None:
        """See `Handler`: nobody waits for the running turns any more."""
        self._on_end()
        self._sessions.cancel_all()

    @property
    def client(self) -> ConnectedClient:
        """The client, as it described itself in `initialize`."""
        assert self._connection is not None
        assert self._handshake.params is not None
        if self._client is None:
            self._client = ConnectedClient(self._connection, self._handshake.params, self._log)
            # Here and not in `initialize`, which may have been answered before there was a log.
            self._log("client.known", client=self._client.name, capabilities=self._client.capabilities.wire())
        return self._client

    # Methods.

    def initialize(self, params: Any) -> Work:
        """`initialize`: may be repeated; the last description of the client holds."""
        result = self._handshake.answer(params)
        self._client = None
        return _done(result)

    def new_session(self, params: schema.NewSessionRequest) -> Work:
        """`session/new`: the choices, and afterwards what was wrong with the configuration."""
        refuse_more_directories(params)

        async def run() -> Reply:
            session = self._sessions.create(await directory(params.cwd), params.mcp_servers)
            state = await session.claim(session.opened).result()
            return Reply({"sessionId": session.id, **self._choices(state)}, lambda: self._after_opening(state))

        return Work(run)

    def load_session(self, params: schema.LoadSessionRequest) -> Work:
        """`session/load`: the whole conversation as updates, then the response."""
        return self._reopen(params.session_id, params, self._replay)

    def resume_session(self, params: schema.ResumeSessionRequest) -> Work:
        """`session/resume`: the session goes on, and nothing is shown again."""
        return self._reopen(params.session_id, params, None)

    def list_sessions(self, params: schema.ListSessionsRequest) -> Work:
        """`session/list`: the newest first, in pages."""
        after = _cursor(params.cursor) if params.cursor else None

        async def run() -> dict[str, Any]:
            cwd = str(Path(params.cwd)) if params.cwd else None
            heads = list(await self._store.page(cwd, after, PAGE + 1))
            page = [_session_info(head).wire() for head in heads[:PAGE]]
            if len(heads) <= PAGE:
                return {"sessions": page}
            return {"sessions": page, "nextCursor": _cursor_behind(heads[PAGE - 1])}

        return Work(run)

    def close_session(self, params: schema.CloseSessionRequest) -> Work:
        """`session/close`: its turns end as cancelled, its processes are gone, it can be loaded again."""
        closing = self._sessions.close(params.session_id)

        async def run() -> dict[str, Any]:
            await closing()
            return {}

        return Work(run)

    def prompt(self, params: schema.PromptRequest) -> Work:
        """`session/prompt`: a turn, behind the turns that wait already."""
        check_blocks(params)
        ticket = self._sessions.get(params.session_id).prompt(params.prompt, self.client)
        self._log("prompt.received", session=params.session_id, blocks=[block.type for block in params.prompt])

        async def run() -> dict[str, Any]:
            try:
                reason: str = await ticket.result()
            except RpcError:
                if not ticket.cancelled:
                    raise
                reason = "cancelled"
            return {"stopReason": reason}

        return Work(run, ticket.cancel)

    def cancel(self, params: schema.CancelNotification) -> Work:
        """`session/cancel`: ends the running turn and those that wait. Without one, nothing happens."""
        session = self._sessions.find(params.session_id)
        if session is not None:
            session.cancel()
        return _done({})

    def set_mode(self, params: schema.SetSessionModeRequest) -> Work:
        """`session/set_mode`: holds from the next tool call and model call."""

        async def change(state: SessionState) -> dict[str, Any]:
            await options.set_mode(state, params.mode_id)
            return {}

        return self._with_state(params.session_id, change)

    def set_model(self, params: schema.SetSessionModelRequest) -> Work:
        """`session/set_model`: the older way to choose a model."""

        async def change(state: SessionState) -> dict[str, Any]:
            await options.set_model(state, params.model_id)
            return {}

        return self._with_state(params.session_id, change)

    def set_config_option(self, params: schema.SetSessionConfigOptionRequest) -> Work:
        """`session/set_config_option`: a mode or a model; gives the complete list of options."""

        async def change(state: SessionState) -> dict[str, Any]:
            match params.config_id, params.value:
                case "mode", str(value):
                    await options.set_mode(state, value)
                case "model", str(value):
                    await options.set_model(state, value)
                case "mode" | "model", _:
                    raise RpcError(INVALID_PARAMS, "value must be a string.", {"configId": params.config_id})
                case _:
                    text = f"Unknown option {params.config_id[:100]!r}."
                    raise RpcError(INVALID_PARAMS, text, {"expected": ["model", "mode"]})
            return {"configOptions": [option.wire() for option in options.config_options(state)]}

        return self._with_state(params.session_id, change)

    # What several methods share.

    def _reopen(
        self,
        session_id: str,
        params: schema.LoadSessionRequest | schema.ResumeSessionRequest,
        show: Callable[[SessionState], Awaitable[None]] | None,
    ) -> Work:
        refuse_more_directories(params)
        session = self._sessions.reopen(session_id, lambda: directory(params.cwd), params.mcp_servers)

        async def shown() -> Reply:
            state = await session.opened()
            await directory(params.cwd)  # a session that was open already keeps its own, and bad params are an error
            if show is not None:
                await show(state)
            return Reply(self._choices(state), lambda: self._after_opening(state))

        if session.state is not None:  # a turn may run in it, and wait for a person: show what is there so far
            return Work(shown)
        ticket = session.claim(shown)
        return Work(ticket.result, ticket.cancel)

    async def _replay(self, state: SessionState) -> None:
        stored = await self._store.read(state.id)
        for update in replay([event for _, event in stored.record] if stored else []):
            await self.client.update(state.id, update)

    def _with_state(self, session_id: str, change: Callable[[SessionState], Awaitable[dict[str, Any]]]) -> Work:
        """Do something to an open session at once, also in mid-turn; a stored one is opened for it."""
        ready = self._sessions.get(session_id).ready()

        async def run() -> dict[str, Any]:
            return await change(await ready())

        return Work(run)

    def _choices(self, state: SessionState) -> dict[str, Any]:
        choices: dict[str, Any] = {
            "modes": options.mode_state(state).wire(),
            "configOptions": [option.wire() for option in options.config_options(state)],
        }
        if self.client.takes_models:
            choices["models"] = options.model_state(state).wire()
        return choices

    async def _after_opening(self, state: SessionState) -> None:
        notes, state.notes = state.notes, []
        if notes and not await self.client.notice(state.id, "Configuration", "\n".join(notes)):
            state.notes = notes + state.notes  # the next prompt tells them
        await state.warm()


def _parse(row: Method, params: Any) -> Wire:
    type_: type[Wire] = getattr(schema, row.params)
    try:
        return type_.parse({} if params is None else params)
    except ValidationError as error:
        text = schema.explain(error)
        expected = [
            {"path": ".".join(str(part) for part in problem["loc"]), "expected": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)[:10]
        ]
        raise RpcError(INVALID_PARAMS, f"Invalid params: {text[:500]}", {"errors": expected}) from None


def _store_errors_told(run: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    async def told() -> Any:
        try:
            return await run()
        except StoreError as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from error

    return told


def _done(result: dict[str, Any]) -> Work:
    async def run() -> dict[str, Any]:
        return result

    return Work(run)


def _session_info(head: SessionHead) -> schema.SessionInfo:
    updated = datetime.fromtimestamp(head.updated, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return schema.SessionInfo(session_id=head.id, cwd=str(head.cwd), title=head.title, updated_at=updated)


def _cursor_behind(head: SessionHead) -> str:
    return base64.urlsafe_b64encode(f"{head.updated!r} {head.id}".encode()).decode()


def _cursor(text: str) -> tuple[float, str]:
    try:
        updated, id = base64.urlsafe_b64decode(text.encode()).decode().split(" ", 1)
        after = float(updated)
        if not math.isfinite(after):
            raise ValueError("not a time")
        return after, id
    except ValueError:
        raise RpcError(INVALID_PARAMS, "The cursor is not one of this agent's.", {"cursor": text[:200]}) from None
