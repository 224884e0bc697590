"""Our types against the specification's own schema: the same fields, required alike, lenient alike."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

import acp_agent.schema
from acp_agent.schema import message_types
from acp_agent.schema.export import schema_of
from tests.schema.upstream import (
    available,
    constants,
    definitions,
    method_types,
    needs_upstream,
    objects,
    unstable_definitions,
)
from tests.schema.wire_types import TYPES, fields_by_wire_name, minimal

pytestmark = needs_upstream

# Types that the stable schema of the SDK 2.4.0 (2026-11-02) does not have.
OURS_ALONE = {
    # common fields of several requests or responses
    "SessionSetup",
    "SessionSetupResponse",
    # the removed model selection
    "ModelInfo",
    "SessionModelState",
    "SetSessionModelRequest",
    "SetSessionModelResponse",
    # stable since 1.30 of the schema, which is newer than the copy
    "SessionSystemPromptCapabilities",
    "SessionSystemPromptModeCapabilities",
    "SessionSystemPromptOverrideCapabilities",
    "SystemPrompt",
    # unstable, but read by clients
    "Usage",
    # unstable methods, and one of our own
    "SessionOptionsCapabilities",
    "SessionOptionsRequest",
    "SessionOptionsResponse",
    "SessionStatusCapabilities",
    "SessionStatusRequest",
    "SessionStatusResponse",
    "SessionTitleCapabilities",
    "SetSessionTitleRequest",
    "SetSessionTitleResponse",
    "SteeringRequest",
    "SteeringResponse",
}

# Methods that the stable schema does not have.
METHODS_OF_OURS_ALONE = {
    "session/set_model",
    "session/set_title",
    "session/status",
    "session/options",
    "_session/steering",
}

# The same for fields.
FIELDS_OF_OURS_ALONE = {
    ("NewSessionRequest", "systemPrompt"),
    ("LoadSessionRequest", "systemPrompt"),
    ("ResumeSessionRequest", "systemPrompt"),
    ("NewSessionRequest", "configOptions"),
    ("LoadSessionRequest", "configOptions"),
    ("ResumeSessionRequest", "configOptions"),
    ("SessionCapabilities", "systemPrompt"),
    ("SessionCapabilities", "title"),
    ("SessionCapabilities", "status"),
    ("SessionCapabilities", "options"),
    ("NewSessionResponse", "models"),
    ("LoadSessionResponse", "models"),
    ("LoadSessionResponse", "sessionId"),
    ("ResumeSessionResponse", "sessionId"),
    ("ResumeSessionResponse", "models"),
    ("PromptResponse", "usage"),
}

# Required there, and given a default here because clients leave it out.
OPTIONAL_HERE = {
    ("NewSessionRequest", "mcpServers"),
    ("LoadSessionRequest", "mcpServers"),
    ("McpServerStdio", "args"),
    ("McpServerStdio", "env"),
    ("McpServerHttp", "headers"),
    ("McpServerSse", "headers"),
}

# Optional there; here a constant that is always written.
REQUIRED_HERE = {("ElicitationSchema", "type")}

# The specification lets these fall back to a default too, though they are required or are written by us only.
STRICTER_HERE = {("ElicitationSchema", "type")}

_OBJECTS = objects() if available() else {}
_WRONG = object()  # not a JSON value, so wrong for every type but Any


def test_the_specification_has_no_type_that_is_missing_here() -> None:
    assert set(_OBJECTS) - set(TYPES) == set()


def test_every_type_that_is_only_here_is_listed_with_its_reason() -> None:
    assert set(TYPES) - set(_OBJECTS) == OURS_ALONE


def test_fields_are_those_of_the_specification() -> None:
    missing = set()
    beyond = set()
    for name, theirs in _OBJECTS.items():
        ours = set(fields_by_wire_name(TYPES[name])) - {"_meta"}
        expected = set(theirs["properties"]) - {"_meta"}
        missing |= {(name, field) for field in expected - ours}
        beyond |= {(name, field) for field in ours - expected}
    assert missing == set()
    assert beyond == FIELDS_OF_OURS_ALONE


def test_required_fields_are_those_of_the_specification() -> None:
    optional_here = set()
    required_here = set()
    for name, theirs in _OBJECTS.items():
        ours = set(schema_of(TYPES[name]).get("required", []))
        optional_here |= {(name, field) for field in theirs["required"] - ours}
        required_here |= {(name, field) for field in ours - theirs["required"]}
    assert optional_here == OPTIONAL_HERE
    assert required_here == REQUIRED_HERE


@pytest.mark.parametrize(
    "name",
    [
        "CompactionStatus",
        "NoticeSeverity",
        "PermissionOptionKind",
        "PlanEntryPriority",
        "PlanEntryStatus",
        "Role",
        "SessionConfigOptionCategory",
        "StopReason",
        "StringFormat",
        "ToolCallStatus",
        "ToolKind",
    ],
)
def test_enumerations_have_the_values_of_the_specification(name: str) -> None:
    assert _literals(getattr(acp_agent.schema, name)) == constants(name)


def _literals(alias: Any) -> set[str]:
    found: set[str] = set()
    for argument in get_args(alias):
        found |= {argument} if isinstance(argument, str) else _literals(argument)
    return found


def test_optional_fields_are_lenient_exactly_where_the_specification_says_so() -> None:
    differing = set()
    for name, theirs in _OBJECTS.items():
        for field, schema in theirs["properties"].items():
            if field not in theirs["required"] and field not in ("rawInput", "rawOutput"):
                lenient = "x-deserialize-default-on-error" in schema
                if lenient != _parses(name, {field: _WRONG}):
                    differing.add((name, field))
    assert differing == STRICTER_HERE


def test_lists_drop_malformed_items_exactly_where_the_specification_says_so() -> None:
    differing = set()
    for name, theirs in _OBJECTS.items():
        for field, schema in theirs["properties"].items():
            if "items" in schema:
                drops = "x-deserialize-skip-invalid-items" in schema
                if drops != (_parsed(name, field, [_WRONG]) == []):
                    differing.add((name, field))
    assert differing == set()


def test_lists_read_null_as_empty_where_the_specification_says_so() -> None:
    checked = 0
    for name, theirs in _OBJECTS.items():
        for field, schema in theirs["properties"].items():
            if "x-deserialize-default-on-null" in schema:
                assert not _parsed(name, field, None)
                assert not _parses(name, {field: _WRONG})
                checked += 1
    assert checked > 8


def _parses(name: str, fields: dict[str, Any]) -> bool:
    try:
        TYPES[name].parse(minimal(TYPES[name]) | fields)
    except ValidationError:
        return False
    return True


def _parsed(name: str, field: str, value: Any) -> Any:
    try:
        parsed = TYPES[name].parse(minimal(TYPES[name]) | {field: value})
    except ValidationError as error:
        return error
    return getattr(parsed, fields_by_wire_name(TYPES[name])[field])


def test_every_stable_method_is_in_the_table_with_its_types() -> None:
    ours: dict[tuple[str, str], str] = {}
    for method, types in message_types.items():
        ours[method, types.kind] = types.params.__name__
        if types.result is not None:
            ours[method, "response"] = types.result.__name__
    assert {key: name for key, name in ours.items() if key[0] not in METHODS_OF_OURS_ALONE} == method_types()


def test_every_method_is_received_by_the_side_that_the_specification_names() -> None:
    sides = {schema["x-method"]: schema["x-side"] for schema in definitions().values() if "x-method" in schema}
    ours = {method: types.direction for method, types in message_types.items() if method not in METHODS_OF_OURS_ALONE}
    assert ours == {method: "both" if side == "protocol" else side for method, side in sides.items()}


@pytest.mark.parametrize(
    "name",
    ["SessionStatusRequest", "SessionStatusResponse", "SetSessionTitleRequest", "SetSessionTitleResponse"],
)
def test_unstable_types_have_the_fields_of_the_unstable_schema(name: str) -> None:
    theirs = unstable_definitions()[name]
    assert set(fields_by_wire_name(TYPES[name])) == set(theirs["properties"])
    assert schema_of(TYPES[name]).get("required", []) == theirs["required"]
