"""What the types read, what they drop, and what they refuse."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from acp_agent.schema import (
    ClientCapabilities,
    CreateElicitationRequest,
    CreateElicitationResponse,
    ElicitationSchema,
    FileSystemCapabilities,
    InitializeRequest,
    McpServerStdio,
    NewSessionRequest,
    PromptRequest,
    RequestPermissionResponse,
    SetSessionConfigOptionRequest,
    TerminalContent,
    TextContent,
    ToolCallProgress,
    UsageUpdate,
    explain,
)
from acp_agent.schema.base import is_checked
from tests.schema.wire_types import TYPES, fields_by_wire_name, minimal

SMALLEST = {name: minimal(model) for name, model in TYPES.items()}

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70_000) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "_meta"]), inner),
    max_leaves=4,
)


def test_python_names_are_not_read_from_the_wire() -> None:
    with pytest.raises(ValidationError, match="sessionId"):
        PromptRequest.parse({"session_id": "s", "prompt": []})


def test_unknown_fields_are_ignored_and_malformed_capabilities_are_absent() -> None:
    read = InitializeRequest.parse(
        {
            "protocolVersion": 2,
            "info": {"name": "x", "version": "1"},
            "clientInfo": {"name": "x"},
            "clientCapabilities": {
                "fs": {"readTextFile": 1, "writeTextFile": True},
                "terminal": "yes",
                "elicitation": [],
                "_meta": 5,
            },
        }
    )

    assert read == InitializeRequest(
        protocol_version=2, client_capabilities=ClientCapabilities(fs=FileSystemCapabilities(write_text_file=True))
    )


@pytest.mark.parametrize("version", [None, True, "1", 1.5, -1, 65536])
def test_a_version_that_is_no_unsigned_16_bit_integer_is_an_error(version: Any) -> None:
    with pytest.raises(ValidationError):
        InitializeRequest.parse({"protocolVersion": version})


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "text", "text": 5}, "prompt.1.text.text: Input should be a valid string"),
        ({"type": "image", "data": "d"}, "prompt.1.image.mimeType: Field required"),
        ({"text": "x"}, "prompt.1: Unable to extract tag using discriminator 'type'"),
        (
            {"type": "video"},
            "prompt.1: Input tag 'video' found using 'type' does not match any of the expected tags: "
            "'text', 'image', 'audio', 'resource_link', 'resource'",
        ),
    ],
)
def test_a_malformed_block_of_a_prompt_is_an_error_that_says_where(block: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PromptRequest.parse({"sessionId": "s", "prompt": [{"type": "text", "text": "x"}, block]})
    assert explain(caught.value) == problem


def test_a_malformed_detail_of_a_block_is_dropped_and_the_block_kept() -> None:
    read = PromptRequest.parse(
        {"sessionId": "s", "prompt": [{"type": "text", "text": "x", "annotations": {"priority": "!"}, "_meta": []}]}
    )
    assert [block.wire() for block in read.prompt] == [{"type": "text", "text": "x", "annotations": {}}]


def test_a_session_is_read_without_servers_and_with_null_for_lists() -> None:
    read = NewSessionRequest.parse({"cwd": "/w", "mcpServers": None, "additionalDirectories": None})
    assert read == NewSessionRequest.parse({"cwd": "/w"}) == NewSessionRequest(cwd="/w")


def test_a_server_that_says_stdio_or_nothing_is_one_to_start() -> None:
    server: dict[str, Any] = {"name": "a", "command": "/c", "args": None, "env": []}
    read = NewSessionRequest.parse({"cwd": "/w", "mcpServers": [server, server | {"type": "stdio"}]})
    assert read.mcp_servers == [McpServerStdio(name="a", command="/c")] * 2


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ({"type": "ws", "name": "a"}, "mcpServers.0: type should be 'stdio', 'http' or 'sse'"),
        ({"type": ["http"], "name": "a"}, "mcpServers.0: type should be 'stdio', 'http' or 'sse'"),
        ({"name": "a"}, "mcpServers.0.stdio.command: Field required"),
        (
            {"type": "http", "name": "a", "url": "u", "headers": 1},
            "mcpServers.0.http.headers: Input should be a valid list",
        ),
        (7, "mcpServers.0.stdio: Input should be a valid dictionary or instance of McpServerStdio"),
    ],
)
def test_a_malformed_server_is_an_error(server: Any, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NewSessionRequest.parse({"cwd": "/w", "mcpServers": [server]})
    assert explain(caught.value) == problem


@pytest.mark.parametrize("prompt", ["be brief", {"mode": "append"}, {"mode": "append", "content": [{"type": "?"}]}])
def test_a_malformed_system_prompt_is_an_error(prompt: Any) -> None:
    with pytest.raises(ValidationError):
        NewSessionRequest.parse({"cwd": "/w", "systemPrompt": prompt})


def test_malformed_contents_of_a_tool_call_are_dropped_one_by_one() -> None:
    read = ToolCallProgress.parse(
        {"toolCallId": "t", "kind": "cook", "content": [{"type": "?"}, {"type": "terminal", "terminalId": "1"}]}
    )
    assert read == ToolCallProgress(tool_call_id="t", content=[TerminalContent(terminal_id="1")])


@pytest.mark.parametrize(
    ("value", "kind", "right"),
    [("v", None, True), ("v", "id", True), (True, "boolean", True), ("v", "boolean", False), (True, None, False)],
)
def test_the_value_of_an_option_must_fit_its_type(value: Any, kind: str | None, right: bool) -> None:
    params = {"sessionId": "s", "configId": "c", "value": value} | ({"type": kind} if kind else {})
    if right:
        assert SetSessionConfigOptionRequest.parse(params).wire() == params
    else:
        with pytest.raises(ValidationError, match="value must be a boolean for type 'boolean', and a string otherwise"):
            SetSessionConfigOptionRequest.parse(params)


@pytest.mark.parametrize(
    "outcome", [None, {}, {"outcome": "selected"}, {"outcome": "maybe", "optionId": "o"}, "selected"]
)
def test_an_outcome_that_is_not_understood_is_no_approval(outcome: Any) -> None:
    with pytest.raises(ValidationError):
        RequestPermissionResponse.parse({"outcome": outcome})


def test_the_answers_of_a_form_keep_their_json_types() -> None:
    content = {"a": 1, "b": 1.5, "c": True, "d": ["x"], "e": "1"}
    read = CreateElicitationResponse.parse({"action": "accept", "content": content}).content
    assert read is not None
    assert {key: (type(value), value) for key, value in read.items()} == {
        key: (type(value), value) for key, value in content.items()
    }


@pytest.mark.parametrize("fields", [{}, {"session_id": "s"}, {"requested_schema": ElicitationSchema()}])
def test_a_question_without_its_form_or_its_owner_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreateElicitationRequest(message="m", mode="form", **fields)


def test_numbers_that_count_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        UsageUpdate(used=-1, size=5)


def test_values_are_immutable() -> None:
    with pytest.raises(ValidationError):
        TextContent(text="x").text = "y"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize("name", TYPES)
def test_a_required_field_that_is_missing_is_an_error(name: str) -> None:
    model = TYPES[name]
    for wire_name, field in fields_by_wire_name(model).items():
        if model.model_fields[field].is_required():
            without = {key: value for key, value in SMALLEST[name].items() if key != wire_name}
            with pytest.raises(ValidationError):
                model.parse(without)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_malformed_optional_field_never_fails_a_message(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TYPES)))
    model = TYPES[name]
    optional = [
        wire_name
        for wire_name, field in fields_by_wire_name(model).items()
        if not model.model_fields[field].is_required() and not is_checked(model.model_fields[field])
    ]
    extra = data.draw(st.dictionaries(st.sampled_from([*optional, "unknownField"]), ANY_JSON, max_size=4))

    read = model.parse(SMALLEST[name] | extra)

    assert read.wire().items() >= {key: value for key, value in SMALLEST[name].items() if key not in extra}.items()
    assert model.parse(json.loads(json.dumps(read.wire()))) == read


@settings(max_examples=200, deadline=None)
@given(st.data(), ANY_JSON)
def test_any_json_is_read_or_refused_and_nothing_else(data: st.DataObject, value: Any) -> None:
    name = data.draw(st.sampled_from(sorted(TYPES)))
    field = data.draw(st.sampled_from(sorted(fields_by_wire_name(TYPES[name]))))
    with contextlib.suppress(ValidationError):
        TYPES[name].parse(SMALLEST[name] | {field: value})
