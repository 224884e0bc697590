"""The specification's own JSON Schema, where a copy of it lies beside the repository; and how its parts map to ours."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference" / "acp-schema"
_SCHEMA = FOLDER / "v1.schema.sdk-2.4.0.json"
_UNSTABLE = FOLDER / "v1.schema.unstable.sdk-2.4.0.json"


def available() -> bool:
    """Whether the copy is there."""
    return _SCHEMA.exists()


needs_upstream = pytest.mark.skipif(
    not available(), reason="the specification's schema is not beside the repository (../shared/reference)"
)

Schema = dict[str, Any]

# Members of the specification's unions, by the constant that tells them apart, and ours with the constant built in.
VARIANTS: dict[str, dict[str, str]] = {
    "ContentBlock": {
        "text": "TextContent",
        "image": "ImageContent",
        "audio": "AudioContent",
        "resource_link": "ResourceLink",
        "resource": "EmbeddedResource",
    },
    "ToolCallContent": {"content": "ToolContent", "diff": "DiffContent", "terminal": "TerminalContent"},
    "SessionUpdate": {
        "user_message_chunk": "UserMessageChunk",
        "agent_message_chunk": "AgentMessageChunk",
        "agent_thought_chunk": "AgentThoughtChunk",
        "tool_call": "ToolCallStart",
        "tool_call_update": "ToolCallProgress",
        "plan": "AgentPlanUpdate",
        "available_commands_update": "AvailableCommandsUpdate",
        "current_mode_update": "CurrentModeUpdate",
        "config_option_update": "ConfigOptionUpdate",
        "session_info_update": "SessionInfoUpdate",
        "usage_update": "UsageUpdate",
        "notice": "NoticeUpdate",
        "compaction_update": "CompactionUpdate",
        "compaction_summary_chunk": "CompactionSummaryChunk",
    },
    "RequestPermissionOutcome": {"selected": "SelectedPermissionOutcome", "cancelled": "CancelledPermissionOutcome"},
    "SessionConfigOption": {"select": "SessionConfigSelect", "boolean": "SessionConfigBoolean"},
    "AuthMethod": {"terminal": "AuthMethodTerminal"},
    "McpServer": {"http": "McpServerHttp", "sse": "McpServerSse"},
    "ElicitationPropertySchema": {
        "string": "StringPropertySchema",
        "number": "NumberPropertySchema",
        "integer": "IntegerPropertySchema",
        "boolean": "BooleanPropertySchema",
        "array": "MultiSelectPropertySchema",
    },
    "MultiSelectItems": {"string": "StringMultiSelectItems"},
}

# Parts that exist only inside those members or inside a message: compared there.
_PARTS = {
    "Content",
    "Diff",
    "Terminal",
    "ToolCall",
    "Plan",
    "Notice",
    "SessionConfigSelect",
    "SessionConfigBoolean",
    "ElicitationSessionScope",
    "ElicitationRequestScope",
    "ElicitationFormMode",
    "ElicitationUrlMode",
    "ElicitationAcceptAction",
}
# The JSON-RPC envelope, which is not ours to type.
_ENVELOPE = {
    "AgentRequest",
    "AgentResponse",
    "AgentNotification",
    "ClientRequest",
    "ClientResponse",
    "ClientNotification",
    "Error",
}
_IN_VARIANTS = {name for members in VARIANTS.values() for name in members.values()}


@cache
def definitions() -> dict[str, Schema]:
    """The stable definitions, by name."""
    found: dict[str, Schema] = json.loads(_SCHEMA.read_text(encoding="utf-8"))["$defs"]
    return found


def method_types() -> dict[tuple[str, str], str]:
    """(method, "request" | "response" | "notification") to the name of the definition."""
    found: dict[tuple[str, str], str] = {}
    for name, schema in definitions().items():
        if "x-method" in schema:
            kind = next(kind for kind in ("Request", "Response", "Notification") if name.endswith(kind))
            found[schema["x-method"], kind.lower()] = name
    return found


def objects() -> dict[str, Schema]:
    """Our type's name to the specification's object, with its properties and required fields put together."""
    found: dict[str, Schema] = {}
    for name, schema in definitions().items():
        if name not in _PARTS | _ENVELOPE | _IN_VARIANTS | set(VARIANTS) and _is_object(schema):
            found[name] = flat(schema)
    for union, members in VARIANTS.items():
        root = flat({key: value for key, value in definitions()[union].items() if key not in ("oneOf", "anyOf")})
        branches = [flat(branch) for branch in definitions()[union].get("oneOf") or definitions()[union]["anyOf"]]
        for constant, ours in members.items():
            branch = next(b for b in branches if _constant(b) == constant)
            found[ours] = _both(root, branch)
        unknown = {_constant(branch) for branch in branches} - set(members) - {None}
        assert not unknown, f"{union} has members that are not in the table: {unknown}"
    return found


def _is_object(schema: Schema) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def _constant(branch: Schema) -> str | None:
    return next((p["const"] for p in branch["properties"].values() if p.get("type") == "string" and "const" in p), None)


def flat(schema: Schema) -> Schema:
    """`properties` and `required` of an object, references and compositions resolved. Of alternatives every property
    counts, and as required what all of them require."""
    if "$ref" in schema:
        return flat(definitions()[schema["$ref"].rsplit("/", 1)[1]])
    result: Schema = {"properties": schema.get("properties", {}), "required": set(schema.get("required", []))}
    for part in schema.get("allOf", []):
        result = _both(result, flat(part))
    alternatives = [flat(part) for key in ("oneOf", "anyOf") for part in schema.get(key, [])]
    if alternatives:
        properties: Schema = {}
        for alternative in alternatives:
            properties |= alternative["properties"]
        required = set.intersection(*(alternative["required"] for alternative in alternatives))
        result = _both(result, {"properties": properties, "required": required})
    return result


def _both(one: Schema, other: Schema) -> Schema:
    return {
        "properties": one["properties"] | other["properties"],
        "required": one["required"] | other["required"],
    }


def constants(name: str) -> set[str]:
    """The values of an enumeration."""
    schema = definitions()[name]
    return {part["const"] for part in schema.get("oneOf") or schema["anyOf"] if "const" in part}


@cache
def unstable_definitions() -> dict[str, Schema]:
    """The types by name, unstable ones included."""
    found: dict[str, Schema] = json.loads(_UNSTABLE.read_text("utf-8"))["$defs"]
    return found
