"""Every ACP method that this agent answers: one row each. What is advertised follows from the rows.

Standard library only, and names instead of types, so that `initialize` can be answered before anything else is loaded.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Method(NamedTuple):
    """`params` names a type in `acp_agent.schema`, `handler` a method of `Agent` or of its `session` methods.

    `capability` is the path in `agentCapabilities` that advertises the method; empty for what every agent has.
    `unstable` ones are not advertised to clients that hold us to the stable schema.
    """

    params: str
    handler: str
    capability: str = ""
    unstable: bool = False


REQUESTS: dict[str, Method] = {
    "initialize": Method("InitializeRequest", "initialize"),
    "authenticate": Method("AuthenticateRequest", "authenticate"),
    "session/new": Method("NewSessionRequest", "session.new"),
    "session/load": Method("LoadSessionRequest", "session.load", "loadSession"),
    "session/resume": Method("ResumeSessionRequest", "session.resume", "sessionCapabilities.resume"),
    "session/list": Method("ListSessionsRequest", "session.list_", "sessionCapabilities.list"),
    "session/close": Method("CloseSessionRequest", "session.close", "sessionCapabilities.close"),
    "session/delete": Method("DeleteSessionRequest", "session.delete", "sessionCapabilities.delete"),
    "session/status": Method("SessionStatusRequest", "session.status", "sessionCapabilities.status", unstable=True),
    "session/options": Method("SessionOptionsRequest", "session.options", "sessionCapabilities.options", unstable=True),
    "session/set_title": Method(
        "SetSessionTitleRequest", "session.set_title", "sessionCapabilities.title", unstable=True
    ),
    "session/prompt": Method("PromptRequest", "prompt"),
    "session/cancel": Method("CancelNotification", "cancel"),
    "session/set_mode": Method("SetSessionModeRequest", "set_mode"),
    "session/set_model": Method("SetSessionModelRequest", "set_model"),
    "session/set_config_option": Method("SetSessionConfigOptionRequest", "set_config_option"),
    "_session/steering": Method("SteeringRequest", "steer"),
}
"""`session/cancel` is a notification; some clients send it as a request, and are answered."""

NOTIFICATIONS: dict[str, Method] = {
    "session/cancel": Method("CancelNotification", "cancel"),
}

_PROMPT_CAPABILITIES = {"image": True, "audio": True, "embeddedContext": True}
_MCP_CAPABILITIES = {"http": True, "sse": True}
_SESSION_CAPABILITIES: dict[str, Any] = {"additionalDirectories": {}, "systemPrompt": {"mode": {"override": {}}}}


def agent_capabilities(*, strict: bool = False) -> dict[str, Any]:
    """`agentCapabilities` of the initialize response; with `strict` nothing that the stable schema does not have."""
    capabilities: dict[str, Any] = {
        "promptCapabilities": dict(_PROMPT_CAPABILITIES),
        "mcpCapabilities": dict(_MCP_CAPABILITIES),
        "sessionCapabilities": dict(_SESSION_CAPABILITIES),
    }
    for method in REQUESTS.values():
        if not method.capability or (strict and method.unstable):
            continue
        *parents, last = method.capability.split(".")
        place = capabilities
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = True if last == "loadSession" else {}
    return capabilities
