"""ACP methods, one each; those that open and end sessions are in `lifecycle.py`.

What a method decides in wire order it decides before its first await.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Any

from pydantic import ValidationError

from acp_agent import schema
from acp_agent.agent.checks import check_blocks, trace_of
from acp_agent.agent.handshake import AUTH_METHODS, Handshake
from acp_agent.agent.lifecycle import SessionMethods
from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS, Method
from acp_agent.client.connected import ConnectedClient
from acp_agent.log import Log
from acp_agent.rpc.connection import Connection, Work, method_not_found
from acp_agent.rpc.messages import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, RpcError
from acp_agent.schema import ContentBlock, Wire
from acp_agent.session import options
from acp_agent.session.manager import SessionManager, unknown_session
from acp_agent.session.record.store import SessionGone, SessionStore, StoreError
from acp_agent.session.state import SessionState


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
        self._log = log
        self._on_end = on_end
        self._connection: Connection | None = None
        self._client: ConnectedClient | None = None
        self.session = SessionMethods(sessions, store, lambda: self.client)

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
        work: Work = attrgetter(row.handler)(self)(_parse(row, params))
        return Work(_store_errors_told(work.run), work.cancel)

    def on_notification(self, method: str, params: Any) -> None:
        """See `Handler`. Unknown notifications are ignored, and so is everything before `initialize`."""
        row = NOTIFICATIONS.get(method)
        if row is not None and self._handshake.params is not None:
            attrgetter(row.handler)(self)(_parse(row, params))

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
        if self._client is not None and self._handshake.params is not None:
            self._client.described(self._handshake.params)
        return _done(result)

    def authenticate(self, params: schema.AuthenticateRequest) -> Work:
        """`authenticate`: at once, since keys come from the configuration. Raises `RpcError` for an unknown method."""
        known = [method["id"] for method in AUTH_METHODS]
        if params.method_id not in known:
            text = f"Unknown authentication method {params.method_id[:100]!r}."
            raise RpcError(INVALID_PARAMS, text, {"methodId": params.method_id[:100], "expected": known})
        return _done({})

    def prompt(self, params: schema.PromptRequest) -> Work:
        """`session/prompt`: a turn, behind the turns that wait already."""
        check_blocks(params)
        ticket = self._sessions.get(params.session_id).prompt(params.prompt, self.client, trace_of(params.meta))
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

    def steer(self, params: schema.SteeringRequest) -> Work:
        """`_session/steering`: into the running turn; without one a turn begins, or the client is to begin it.

        A slash command is no message for a model: it waits for its turn like any prompt.
        """
        check_blocks(params)
        if self._steered(params.session_id, params.prompt):
            return _done({"outcome": "injected"})
        if params.only_running:
            busy = self._is_busy(params.session_id)
            return self._with_state(params.session_id, _as_a_prompt("command" if busy else "noRunningTurn"))
        session = self._sessions.get(params.session_id)
        ready = session.ready()
        session.prompt(params.prompt, self.client)
        self._log("prompt.received", session=params.session_id, blocks=[block.type for block in params.prompt])

        async def run() -> dict[str, Any]:
            await ready()
            return {"outcome": "startedNewTurn"}

        return Work(run)

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
            await options.set_option(state, params.config_id, params.value)
            return {"configOptions": [option.wire() for option in options.config_options(state)]}

        return self._with_state(params.session_id, change)

    # What several methods share.

    def _steered(self, session_id: str, blocks: Sequence[ContentBlock]) -> bool:
        session = self._sessions.find(session_id)
        return session is not None and session.steer(blocks)

    def _is_busy(self, session_id: str) -> bool:
        session = self._sessions.find(session_id)
        return session is not None and session.busy

    def _with_state(self, session_id: str, change: Callable[[SessionState], Awaitable[dict[str, Any]]]) -> Work:
        """Do something to an open session at once, also in mid-turn; a stored one is opened for it."""
        ready = self._sessions.get(session_id).ready()

        async def run() -> dict[str, Any]:
            state = await ready()
            state.attach(self.client)
            return await change(state)

        return Work(run)


def _as_a_prompt(reason: str) -> Callable[[SessionState], Awaitable[dict[str, Any]]]:
    async def answer(_state: SessionState) -> dict[str, Any]:
        return {"outcome": "promptRequired", "reason": reason}

    return answer


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
        except SessionGone as error:
            raise unknown_session(error.session) from error
        except StoreError as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from error

    return told


def _done(result: dict[str, Any]) -> Work:
    async def run() -> dict[str, Any]:
        return result

    return Work(run)
