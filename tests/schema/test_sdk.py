"""Our types against those of the official Python SDK (a development dependency)."""

from __future__ import annotations

import acp.schema
from pydantic import BaseModel, RootModel

from tests.schema.wire_types import TYPES, fields_by_wire_name

# The SDK generates several classes where one is enough here, and names some of them otherwise.
NAMES = {
    "AcceptElicitationResponse": "CreateElicitationResponse",
    "AllowedOutcome": "SelectedPermissionOutcome",
    "AudioContentBlock": "AudioContent",
    "CancelElicitationResponse": "CreateElicitationResponse",
    "Content": "ToolContent",
    "ContentToolCallContent": "ToolContent",
    "CreateFormRequestElicitationRequest": "CreateElicitationRequest",
    "CreateFormSessionElicitationRequest": "CreateElicitationRequest",
    "CreateOtherElicitationRequest": "CreateElicitationRequest",
    "CreateUrlRequestElicitationRequest": "CreateElicitationRequest",
    "CreateUrlSessionElicitationRequest": "CreateElicitationRequest",
    "DeclineElicitationResponse": "CreateElicitationResponse",
    "DeniedOutcome": "CancelledPermissionOutcome",
    "Diff": "DiffContent",
    "ElicitationAcceptAction": "CreateElicitationResponse",
    "ElicitationBooleanPropertySchema": "BooleanPropertySchema",
    "ElicitationFormRequestMode": "CreateElicitationRequest",
    "ElicitationFormSessionMode": "CreateElicitationRequest",
    "ElicitationIntegerPropertySchema": "IntegerPropertySchema",
    "ElicitationMultiSelectPropertySchema": "MultiSelectPropertySchema",
    "ElicitationNumberPropertySchema": "NumberPropertySchema",
    "ElicitationRequestScope": "CreateElicitationRequest",
    "ElicitationSessionScope": "CreateElicitationRequest",
    "ElicitationStringPropertySchema": "StringPropertySchema",
    "ElicitationUrlRequestMode": "CreateElicitationRequest",
    "ElicitationUrlSessionMode": "CreateElicitationRequest",
    "EmbeddedResourceContentBlock": "EmbeddedResource",
    "FileEditToolCallContent": "DiffContent",
    "HttpMcpServer": "McpServerHttp",
    "ImageContentBlock": "ImageContent",
    "OtherElicitationResponse": "CreateElicitationResponse",
    "Plan": "AgentPlanUpdate",
    "ResourceContentBlock": "ResourceLink",
    "SessionConfigOptionBoolean": "SessionConfigBoolean",
    "SessionConfigOptionSelect": "SessionConfigSelect",
    "SetSessionConfigOptionBooleanRequest": "SetSessionConfigOptionRequest",
    "SetSessionConfigOptionSelectRequest": "SetSessionConfigOptionRequest",
    "SseMcpServer": "McpServerSse",
    "Terminal": "TerminalContent",
    "TerminalAuthMethod": "AuthMethodTerminal",
    "TerminalToolCallContent": "TerminalContent",
    "TextContentBlock": "TextContent",
    "ToolCall": "ToolCallStart",
    "_AvailableCommandsUpdate": "AvailableCommandsUpdate",
    "_ConfigOptionUpdate": "ConfigOptionUpdate",
    "_CurrentModeUpdate": "CurrentModeUpdate",
    "_SessionInfoUpdate": "SessionInfoUpdate",
    "_StringMultiSelectItems": "StringMultiSelectItems",
    "_UsageUpdate": "UsageUpdate",
}

# As of SDK 0.12.1 (2026-08), none of this is in the stable specification: JSON-RPC envelopes, next-edit suggestions and
# open documents (removed since), environment variables as authentication (removed since), and unstable methods.
# fmt: off
NOT_SPOKEN = {
    "AgentErrorMessage", "AgentNotification", "AgentPlanContentUpdate", "AgentPlanRemovedUpdate", "AgentRequest",
    "AgentResponseMessage", "ClientErrorMessage", "ClientNesCapabilities", "ClientNotification", "ClientRequest",
    "ClientResponseMessage", "Error", "AcceptNesNotification", "CloseNesRequest", "CloseNesResponse",
    "RejectNesNotification", "StartNesRequest", "StartNesResponse", "SuggestNesRequest", "SuggestNesResponse",
    "Position", "Range", "TextDocumentContentChangeEvent", "WorkspaceFolder", "AuthEnvVar", "AuthMethodEnvVar",
    "EnvVarAuthMethod", "AcpMcpServer", "ConnectMcpRequest", "ConnectMcpResponse", "DisconnectMcpRequest",
    "DisconnectMcpResponse", "McpServerAcp", "MessageMcpNotification", "MessageMcpRequest",
    "DisableProviderRequest", "DisableProviderResponse", "ListProvidersRequest", "ListProvidersResponse",
    "ProviderCurrentConfig", "ProviderInfo", "ProvidersCapabilities", "SetProviderRequest", "SetProviderResponse",
    "ElicitationOtherPropertySchema", "OtherMultiSelectItems", "ForkSessionRequest", "ForkSessionResponse",
    "SessionForkCapabilities", "PlanCapabilities", "PlanFile", "PlanItems", "PlanMarkdown", "PlanRemoved",
    "PlanUpdate", "PlanUpdateFile", "PlanUpdateItems", "PlanUpdateMarkdown",
}
# fmt: on
FIELDS_NOT_SPOKEN = {
    ("AgentCapabilities", "nes"),
    ("AgentCapabilities", "positionEncoding"),
    ("AgentCapabilities", "providers"),
    ("ClientCapabilities", "nes"),
    ("ClientCapabilities", "plan"),
    ("ClientCapabilities", "positionEncodings"),
    ("McpCapabilities", "acp"),
    ("SessionCapabilities", "fork"),
}

# As of 2026-11: newer than the SDK's schema (1.19), unstable, our own, or the removed model selection.
NEWER_FIELDS = {
    ("ClientSessionCapabilities", "compaction"),
    ("ClientSessionCapabilities", "notices"),
    ("LoadSessionRequest", "configOptions"),
    ("LoadSessionRequest", "systemPrompt"),
    ("LoadSessionResponse", "models"),
    ("LoadSessionResponse", "sessionId"),
    ("ResumeSessionResponse", "sessionId"),
    ("NewSessionRequest", "configOptions"),
    ("NewSessionRequest", "systemPrompt"),
    ("NewSessionResponse", "models"),
    ("ResumeSessionRequest", "configOptions"),
    ("ResumeSessionRequest", "systemPrompt"),
    ("ResumeSessionResponse", "models"),
    ("SessionCapabilities", "options"),
    ("SessionCapabilities", "status"),
    ("SessionCapabilities", "systemPrompt"),
    ("SessionCapabilities", "title"),
    ("ToolCallProgress", "name"),
    ("ToolCallStart", "name"),
    ("ToolCallUpdate", "name"),
}
# fmt: off
NEWER_TYPES = {
    "CompactionCapabilities", "CompactionSummaryChunk", "CompactionUpdate", "NoticeCapabilities", "NoticeUpdate",
    "SessionSystemPromptCapabilities", "SessionSystemPromptModeCapabilities",
    "SessionSystemPromptOverrideCapabilities", "SystemPrompt", "ModelInfo", "SessionModelState",
    "SetSessionModelRequest", "SetSessionModelResponse", "SessionSetup", "SessionSetupResponse",
    "SessionOptionsCapabilities", "SessionOptionsRequest", "SessionOptionsResponse", "SessionStatusCapabilities",
    "SessionStatusRequest", "SessionStatusResponse", "SessionTitleCapabilities", "SetSessionTitleRequest",
    "SetSessionTitleResponse", "SteeringRequest", "SteeringResponse",
}
# fmt: on


def _sdk_types() -> dict[str, set[str]]:
    """Name and wire names of the fields of every class of the SDK, but next-edit suggestions and documents."""
    found = {}
    for name, model in vars(acp.schema).items():
        if not isinstance(model, type) or not issubclass(model, BaseModel) or issubclass(model, RootModel):
            continue
        if model.__module__ == acp.schema.__name__ and not name.startswith(("Nes", "Did", "BaseModel")):
            found[name] = {field.alias or key for key, field in model.model_fields.items()}
    return found


def _fields_by_our_name() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, fields in _sdk_types().items():
        if name not in NOT_SPOKEN:
            found.setdefault(NAMES.get(name, name), set()).update(fields)
    return found


def test_every_type_of_the_sdk_is_here_or_listed_as_not_spoken() -> None:
    assert set(_fields_by_our_name()) - set(TYPES) == set()
    assert set(TYPES) - set(_fields_by_our_name()) == NEWER_TYPES


def test_every_field_of_the_sdk_is_here_and_what_is_here_beyond_it_is_listed() -> None:
    missing = set()
    beyond = set()
    for name, theirs in _fields_by_our_name().items():
        ours = set(fields_by_wire_name(TYPES[name]))
        missing |= {(name, field) for field in theirs - ours}
        beyond |= {(name, field) for field in ours - theirs - {"_meta"}}
    assert missing == FIELDS_NOT_SPOKEN
    assert beyond == NEWER_FIELDS


def test_the_tables_of_names_are_not_stale() -> None:
    sdk = set(_sdk_types())
    assert NOT_SPOKEN - sdk == set()
    assert set(NAMES) - sdk == set()
    assert set(NAMES.values()) - set(TYPES) == set()
    assert NOT_SPOKEN & set(NAMES) == set()
