"""Every ACP method that this agent answers: one row each. What is advertised follows from the rows.

Standard library only, and names instead of types, so that `initialize` can be answered before anything else is loaded.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Method(NamedTuple):
    """`params` names a type in `acp_agent.schema`, `handler` a method of `Agent`.

    `capability` is the path in `agentCapabilities` that advertises the method; empty for what every agent has.
    """

    params: str
    handler: str
    capability: str = ""


REQUESTS: dict[str, Method] = {
    "initialize": Method("InitializeRequest", "initialize"),
    "session/new": Method("NewSessionRequest", "new_session"),
    "session/load": Method("LoadSessionRequest", "load_session", "loadSession"),
    "session/resume": Method("ResumeSessionRequest", "resume_session", "sessionCapabilities.resume"),
    "session/list": Method("ListSessionsRequest", "list_sessions", "sessionCapabilities.list"),
    "session/close": Method("CloseSessionRequest", "close_session", "sessionCapabilities.close"),
    "session/prompt": Method("PromptRequest", "prompt"),
    "session/cancel": Method("CancelNotification", "cancel"),
    "session/set_mode": Method("SetSessionModeRequest", "set_mode"),
    "session/set_model": Method("SetSessionModelRequest", "set_model"),
    "session/set_config_option": Method("SetSessionConfigOptionRequest", "set_config_option"),
}
"""`session/cancel` is a notification; some clients send it as a request, and are answered."""

NOTIFICATIONS: dict[str, Method] = {
    "session/cancel": Method("CancelNotification", "cancel"),
}

_PROMPT_CAPABILITIES = {"image": True, "embeddedContext": True}


def agent_capabilities() -> dict[str, Any]:
    """`agentCapabilities` of the initialize response."""
    capabilities: dict[str, Any] = {"promptCapabilities": dict(_PROMPT_CAPABILITIES)}
    for method in REQUESTS.values():
        if not method.capability:
            continue
        *parents, last = method.capability.split(".")
        place = capabilities
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = True if last == "loadSession" else {}
    return capabilities
