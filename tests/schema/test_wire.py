"""What the types write."""

from __future__ import annotations

import json

import pytest

from acp_agent.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AudioContent,
    AuthMethodAgent,
    AuthMethodTerminal,
    BlobResourceContents,
    CancelledPermissionOutcome,
    CancelRequestNotification,
    CreateElicitationRequest,
    DiffContent,
    ElicitationSchema,
    EmbeddedResource,
    EnvVariable,
    HttpHeader,
    InitializeResponse,
    McpServerHttp,
    McpServerSse,
    McpServerStdio,
    NewSessionRequest,
    PlanEntry,
    PromptRequest,
    RequestPermissionResponse,
    SelectedPermissionOutcome,
    SessionConfigSelect,
    SessionConfigSelectGroup,
    SessionConfigSelectOption,
    SessionNotification,
    StringPropertySchema,
    TerminalContent,
    TextContent,
    TextResourceContents,
    ToolCallLocation,
    ToolCallProgress,
    ToolCallStart,
    ToolContent,
    Wire,
)
from tests.schema.wire_types import TYPES, minimal

SMALLEST = {name: minimal(model) for name, model in TYPES.items()}


def test_a_message_chunk_is_written_with_its_discriminators_and_without_what_is_absent() -> None:
    chunk = AgentMessageChunk(content=TextContent(text="x"), message_id="m")

    assert SessionNotification(session_id="s", update=chunk).wire() == {
        "sessionId": "s",
        "update": {
            "sessionUpdate": "agent_message_chunk",
            "content": {"type": "text", "text": "x"},
            "messageId": "m",
        },
    }


def test_a_tool_call_is_written_with_every_kind_of_content() -> None:
    call = ToolCallStart(
        tool_call_id="t",
        title="Edit",
        kind="edit",
        content=(
            ToolContent(content=TextContent(text="x")),
            DiffContent(path="/a", old_text=None, new_text="n"),
            TerminalContent(terminal_id="1"),
        ),
        locations=[ToolCallLocation(path="/a", line=3)],
        raw_input={"path": "a", "limit": None},
        meta={"k": None},
    )

    assert call.wire() == {
        "sessionUpdate": "tool_call",
        "toolCallId": "t",
        "title": "Edit",
        "kind": "edit",
        "status": "pending",
        "content": [
            {"type": "content", "content": {"type": "text", "text": "x"}},
            {"type": "diff", "path": "/a", "newText": "n"},
            {"type": "terminal", "terminalId": "1"},
        ],
        "locations": [{"path": "/a", "line": 3}],
        "rawInput": {"path": "a", "limit": None},
        "_meta": {"k": None},
    }


def test_a_change_of_a_tool_call_is_written_with_nothing_that_did_not_change() -> None:
    assert ToolCallProgress(tool_call_id="t", status="completed").wire() == {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "t",
        "status": "completed",
    }


def test_capabilities_are_written_in_full_and_a_terminal_method_with_its_type() -> None:
    response = InitializeResponse(
        protocol_version=1, auth_methods=[AuthMethodTerminal(id="t", name="T"), AuthMethodAgent(id="a", name="A")]
    )

    assert response.wire() == {
        "protocolVersion": 1,
        "agentCapabilities": {
            "loadSession": False,
            "promptCapabilities": {"image": False, "audio": False, "embeddedContext": False},
            "mcpCapabilities": {"http": False, "sse": False},
            "sessionCapabilities": {},
            "auth": {},
        },
        "authMethods": [{"type": "terminal", "id": "t", "name": "T"}, {"id": "a", "name": "A"}],
    }


def test_the_required_id_of_a_cancelled_request_is_written_even_if_it_is_null() -> None:
    assert CancelRequestNotification(request_id=None).wire() == {"requestId": None}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_reads_what_it_writes(name: str) -> None:
    read = TYPES[name].parse(SMALLEST[name])
    written = read.wire()

    assert written.items() >= SMALLEST[name].items()
    assert TYPES[name].parse(json.loads(json.dumps(written))) == read


@pytest.mark.parametrize(
    "value",
    [
        PromptRequest(
            session_id="s",
            prompt=[
                TextContent(text="t"),
                AudioContent(data="d", mime_type="audio/wav"),
                EmbeddedResource(resource=TextResourceContents(uri="u", text="t")),
                EmbeddedResource(resource=BlobResourceContents(uri="u", blob="b")),
            ],
        ),
        NewSessionRequest(
            cwd="/w",
            mcp_servers=[
                McpServerStdio(name="a", command="/c", env=[EnvVariable(name="n", value="v")]),
                McpServerHttp(name="b", url="u", headers=[HttpHeader(name="n", value="v")]),
                McpServerSse(name="c", url="u"),
            ],
        ),
        AgentPlanUpdate(entries=[PlanEntry(content="c", priority="high", status="pending")]),
        SessionConfigSelect(
            id="model",
            name="Model",
            category="model",
            current_value="v",
            options=[
                SessionConfigSelectGroup(
                    group="g", name="G", options=[SessionConfigSelectOption(value="v", name="V", description="d")]
                )
            ],
        ),
        CreateElicitationRequest(
            message="m",
            mode="form",
            session_id="s",
            requested_schema=ElicitationSchema(properties={"a": StringPropertySchema(enum=["x"])}, required=["a"]),
        ),
        RequestPermissionResponse(outcome=SelectedPermissionOutcome(option_id="o")),
        RequestPermissionResponse(outcome=CancelledPermissionOutcome()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nested_values_survive_the_wire(value: Wire) -> None:
    assert type(value).parse(json.loads(json.dumps(value.wire()))) == value
