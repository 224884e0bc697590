"""`initialize`: the version, the capabilities, and who we are. Standard library only.

The same code answers before the event loop exists and after. The call may be repeated: some clients send it until it
is answered.
"""

from __future__ import annotations

from typing import Any

from acp_agent import __version__
from acp_agent.agent.methods import agent_capabilities
from acp_agent.client.quirks import quirks_of
from acp_agent.rpc.messages import INVALID_PARAMS, Request, RpcError, decode, encode, error_message, result_message

PROTOCOL_VERSION = 1

AUTH_METHODS = (
    {
        "id": "configuration",
        "name": "Configuration and environment",
        "description": "Uses the keys of opencode.json and of the environment; there is nothing to sign in to.",
    },
)
"""Registries want one method, and a client exists that calls the first one unasked."""


class Handshake:
    """What the client said of itself. `params` is None until `initialize` was answered."""

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None

    def answer(self, params: Any) -> dict[str, Any]:
        """The result of `initialize`. Raises `RpcError` (-32602) for params that name no version.

        A newer client gets our version, not an error, also when it sends the newer names of the parameters.
        """
        if not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, "initialize needs params.", {"protocolVersion": "an integer"})
        version = params.get("protocolVersion")
        if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) <= 5:
            version = int(version)
        if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version <= 65535:
            text = "protocolVersion must be an integer from 0 to 65535."
            raise RpcError(INVALID_PARAMS, text, {"expected": {"protocolVersion": PROTOCOL_VERSION}})
        self.params = {
            "protocolVersion": PROTOCOL_VERSION,
            "clientCapabilities": params.get("clientCapabilities") or params.get("capabilities"),
            "clientInfo": params.get("clientInfo") or params.get("info"),
        }
        return {
            "protocolVersion": PROTOCOL_VERSION,
            "agentCapabilities": agent_capabilities(strict=quirks_of(self._client_name()).strict),
            "authMethods": [dict(method) for method in AUTH_METHODS],
            "agentInfo": {"name": "acp-agent", "title": "ACP Agent", "version": __version__},
            "_meta": {"steering": {"supported": True}},
        }

    def _client_name(self) -> str:
        info = self.params.get("clientInfo") if self.params else None
        name = info.get("name") if isinstance(info, dict) else None
        return name if isinstance(name, str) else ""

    def early(self, line: bytes) -> bytes | None:
        """The answer to a line that is an `initialize` request, or None for every other line."""
        message = decode(line)
        if not isinstance(message, Request) or message.method != "initialize":
            return None
        try:
            return encode(result_message(message.id, self.answer(message.params)))
        except RpcError as error:
            return encode(error_message(message.id, error))
