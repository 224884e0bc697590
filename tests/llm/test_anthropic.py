from __future__ import annotations

import itertools
from typing import Any

import pytest

from acp_agent.llm.anthropic import AnthropicMessages, messages
from acp_agent.llm.messages import Image, Step, Text, Thinking, ToolCall, Usage, UserMessage
from acp_agent.llm.provider import StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from tests.fakes.vendor import Answer, Call, Raw, Vendor, document, named_sse
from tests.fakes.vendor_rules import anthropic_fault
from tests.llm.requests import BASH, PIXEL, READ, SOUND, answer, error_of, message, read_all, request, said, step

pytestmark = pytest.mark.anyio

MARK = {"type": "ephemeral"}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def end(reason: str | None = "end_turn", usage: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]


async def test_an_answer_is_streamed_and_merged(vendor: Vendor, anthropic: AnthropicMessages):
    usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 1000, "output": 50}
    calls = [Call("read", ['{"path"', ':"a"}']), Call("bash", "")]
    vendor.replies.append(Answer(["Hel", "lo"], ["h", "m"], calls, usage))
    *events, final = await read_all(anthropic, request(tools=(READ, BASH)))
    assert events == [
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        TextDelta("Hel"),
        TextDelta("lo"),
        ToolCallDelta("c1", "read", ""),
        ToolCallDelta("c1", "", '{"path"'),
        ToolCallDelta("c1", "", ':"a"}'),
        ToolCallDelta("c2", "bash", ""),
    ]
    assert (final.message, final.usage, final.stop_reason) == (  # type: ignore[union-attr]
        message(
            Thinking(text="hm", signature="signed"),
            Text(text="Hello"),
            ToolCall(id="c1", name="read", arguments='{"path":"a"}'),
            ToolCall(id="c2", name="bash", arguments="{}"),
        ),
        Usage(input=1110, output=50, cache_read=100, cache_write=1000),
        "tool_calls",
    )


async def test_the_request_is_as_the_vendor_wants_it(vendor: Vendor, anthropic: AnthropicMessages):
    vendor.replies.append(Answer("ok"))
    thinking = {"thinking": {"type": "enabled", "budgetTokens": 4000}, "system": "mine"}
    await answer(anthropic, request(tools=(READ, BASH), reminder="Plan only.", temperature=1.0, options=thinking))
    assert vendor.requests[0].path == "/v1/messages"
    assert vendor.requests[0].headers["authorization"] == "Bearer the-secret-key"
    assert vendor.requests[0].headers["x-team"] == "blue-team-header"
    assert vendor.requests[0].body == {
        "model": "small",
        "max_tokens": 8192,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi", "cache_control": MARK},
                    {"type": "text", "text": "Plan only."},
                ],
            }
        ],
        "tools": [
            {"name": "bash", "description": "Run a command", "input_schema": BASH.parameters},
            {"name": "read", "description": "Read a file", "input_schema": READ.parameters},
        ],
        "temperature": 1.0,
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "stream": True,
    }


def test_the_limit_is_the_requests_or_the_models_or_the_usual_one():
    provider = AnthropicMessages("a", "https://x.example", "k", max_output={"big": 64_000})
    limits = [
        provider.body(request(model=name, max_tokens=most))["max_tokens"]
        for name, most in (("big", 5), ("big", None), ("small", None))
    ]
    assert limits == [5, 64_000, 8192]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_a_base_url_may_end_in_its_version(vendor: Vendor, suffix: str):
    provider = AnthropicMessages("a", f"{vendor.url}/gate{suffix}", "k")
    vendor.replies.append(Answer("ok"))
    await answer(provider)
    await provider.aclose()
    assert vendor.requests[0].path == "/gate/v1/messages"


@pytest.mark.parametrize(
    ("finish", "with_call", "stop"),
    [
        ("end_turn", False, "end_turn"),
        ("end_turn", True, "tool_calls"),
        ("tool_use", True, "tool_calls"),
        ("tool_use", False, "end_turn"),
        ("stop_sequence", False, "end_turn"),
        ("pause_turn", False, "end_turn"),
        ("max_tokens", False, "max_tokens"),
        ("model_context_window_exceeded", False, "max_tokens"),
        ("refusal", False, "refusal"),
        ("weird", False, "end_turn"),
    ],
)
async def test_the_reason_for_the_end_is_understood(
    vendor: Vendor, anthropic: AnthropicMessages, finish: str, with_call: bool, stop: str
):
    vendor.replies.append(Answer("ok", calls=[Call("read")] if with_call else [], finish=finish))
    final = await answer(anthropic)
    assert final.stop_reason == stop
    assert len(final.message.tool_calls) == with_call


async def test_blocks_are_kept_apart_and_reasoning_keeps_its_proofs(vendor: Vendor, anthropic: AnthropicMessages):
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
        *block(
            0,
            {"type": "thinking", "thinking": ""},
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "signature_delta", "signature": "s1"},
        ),
        *block(1, {"type": "thinking", "thinking": "b", "signature": "s2"}),
        *block(2, {"type": "redacted_thinking", "data": "hidden"}),
        *block(3, {"type": "text", "text": "x"}, {"type": "text_delta", "text": "y"}, {"type": "citations_delta"}),
        *block(4, {"type": "server_tool_use", "name": "web"}, {"type": "input_json_delta", "partial_json": "{}"}),
        *block(5, {"type": "tool_use", "name": "read", "input": {"path": "ü"}}),
        {"type": "ping"},
        {"type": "something_new", "index": []},
        *end("tool_use", {"output_tokens": 9}),
    ]
    vendor.replies.append(Raw([named_sse(*events)]))
    final = await answer(anthropic)
    assert final.message == message(
        Thinking(text="a", signature="s1"),
        Thinking(text="b", signature="s2"),
        Thinking(text="", redacted="hidden"),
        Text(text="xy"),
        ToolCall(id="c1", name="read", arguments='{"path": "ü"}'),
    )
    assert final.usage == Usage(input=3, output=9)


async def test_blocks_may_be_interleaved(vendor: Vendor, anthropic: AnthropicMessages):
    one, two = (
        block(
            at,
            {"type": "tool_use", "name": name, "input": {}},
            {"type": "input_json_delta", "partial_json": '{"n":'},
            {"type": "input_json_delta", "partial_json": f"{at}}}"},
        )
        for at, name in ((0, "one"), (1, "two"))
    )
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    vendor.replies.append(Raw([named_sse({"type": "message_start", "message": {}}, *mixed, *end("tool_use"))]))
    assert (await answer(anthropic)).message.tool_calls == (
        ToolCall(id="c1", name="one", arguments='{"n":0}'),
        ToolCall(id="c2", name="two", arguments='{"n":1}'),
    )


async def test_an_error_event_ends_the_stream_after_what_was_said(vendor: Vendor, anthropic: AnthropicMessages):
    said_so_far = block(0, {"type": "text", "text": "So"})
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    vendor.replies.append(Raw([named_sse({"type": "message_start", "message": {}}, *said_so_far, error)]))
    shown: list[StreamEvent] = []
    async with anthropic.stream(request()) as stream:
        error = await error_of(stream, shown)
        assert stream.snapshot() == message(Text(text="So"))
    assert shown == [TextDelta("So")]
    assert (error.kind, "Overloaded" in str(error)) == ("overloaded", True)


async def test_a_document_instead_of_a_stream_is_accepted(vendor: Vendor, anthropic: AnthropicMessages):
    content = [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "x", "name": "read", "input": {"a": 1}}]
    tokens = {"input_tokens": 1, "output_tokens": 2}
    vendor.replies.append(document({"type": "message", "content": content, "stop_reason": "tool_use", "usage": tokens}))
    final = await answer(anthropic)
    assert final.message == message(Text(text="ok"), ToolCall(id="c1", name="read", arguments='{"a": 1}'))
    assert (final.usage, final.stop_reason) == (Usage(input=1, output=2), "tool_calls")


async def test_the_vendor_takes_pictures_and_a_note_of_sound(vendor: Vendor, anthropic: AnthropicMessages):
    vendor.replies.append(Answer("I see."))
    final = await answer(anthropic, request([UserMessage(content=(PIXEL, SOUND))]))
    assert final.message == message(Text(text="I see."))


def test_what_this_vendor_would_refuse_is_only_named():
    large = Image(data="AAAA" * (1280 * 1024 + 1), mime_type="image/png")
    svg = Image(data="AAAA", mime_type="image/svg+xml")
    (mapped,) = messages(request([UserMessage(content=(SOUND, large, svg, PIXEL))]))
    assert [block.get("text", "an image") for block in mapped["content"]] == [
        "[Here stood audio of type audio/x-wav, which cannot be sent to this model.]",
        "[Here stood an image of type image/png (5 MB), which cannot be sent to this model.]",
        "[Here stood an image of type image/svg+xml, which cannot be sent to this model.]",
        "an image",
    ]


def test_a_history_is_mapped_so_that_the_vendor_takes_it():
    thoughts = Thinking(text="hm", signature="s")
    looked = step(("c.1", "{}"), ("c2", '{"broken'), text="Looking", thinking=thoughts, output="")
    outcomes = (
        looked.outcomes[0].model_copy(update={"is_error": True}),
        looked.outcomes[1].model_copy(update={"output": "a picture", "images": (PIXEL,)}),
    )
    history: list[UserMessage | Step] = [
        step(text="from before"),
        said("look"),
        looked.model_copy(update={"outcomes": outcomes}),
        step(thinking=Thinking(text="only thoughts", signature="s")),
        said("and?"),
        Step(message=message(Thinking(text="", redacted="hidden"), Thinking(text="unsigned"), Text(text="done"))),
        UserMessage(content=(Text(text=" "), PIXEL, Text(text="bad \ud800"))),
    ]
    mapped = messages(request(history, reminder="Plan only."))
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    assert mapped == [
        {"role": "user", "content": [{"type": "text", "text": "(continued)"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "from before"}]},
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Looking"},
                {"type": "tool_use", "id": "c_1", "name": "read", "input": {}},
                {"type": "tool_use", "id": "c2", "name": "read", "input": {"invalid_arguments": '{"broken'}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c_1",
                    "content": [{"type": "text", "text": "(no output)"}],
                    "is_error": True,
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [{"type": "text", "text": "a picture"}, picture],
                },
                {"type": "text", "text": "and?"},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "redacted_thinking", "data": "hidden"}, {"type": "text", "text": "done"}],
        },
        {
            "role": "user",
            "content": [
                picture,
                {"type": "text", "text": "bad \ufffd", "cache_control": MARK},
                {"type": "text", "text": "Plan only."},
            ],
        },
    ]


def test_a_history_with_calls_and_a_request_without_tools_is_still_taken():
    provider = AnthropicMessages("a", "https://x.example", "k")
    body = provider.body(request((said("a"), step(("c1", "{}")))))
    assert body["tools"] == [{"name": "read", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}
    assert anthropic_fault(body) is None


def test_each_request_begins_with_the_messages_of_the_one_before():
    history: list[Any] = [said("first"), step(("c1", "{}")), step(text="ok"), said("second")]
    history += [step((f"d{number}", "{}")) for number in range(20)]
    seen = [unmarked(messages(request(history[:last], reminder="Plan only."))) for last in range(4, len(history) + 1)]
    for shorter, longer in itertools.pairwise(seen):
        assert longer[: len(shorter)] == shorter


def unmarked(mapped: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**one, "content": [{k: v for k, v in part.items() if k != "cache_control"} for part in one["content"]]}
        for one in mapped
    ]
