from __future__ import annotations

import itertools
from typing import Any

import pytest

from acp_agent.llm.messages import Audio, Image, Text, Thinking, ToolCall, ToolOutcome, Usage, UserMessage
from acp_agent.llm.openai_chat import OpenAIChat, messages, usage
from acp_agent.llm.provider import ProviderError, TextDelta, ThinkingDelta, ToolCallDelta
from tests.fakes.vendor import Answer, Call, Raw, Vendor, document, sse
from tests.fakes.vendor_rules import openai_fault
from tests.llm.requests import BASH, PIXEL, READ, SOUND, answer, message, read_all, request, said, step

pytestmark = pytest.mark.anyio


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}]}


def calls(*deltas: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(deltas)})


def piece(
    arguments: str, *, index: int | None = None, id: str | None = None, name: str | None = None
) -> dict[str, Any]:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    optional = {"index": index, "id": id}
    return {"function": function, **{key: value for key, value in optional.items() if value is not None}}


async def test_an_answer_is_streamed_and_merged(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(
        Answer(
            ["Hel", "lo"],
            ["h", "m"],
            [Call("read", ['{"path"', ':"a"}']), Call("bash")],
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 80},
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
        )
    )
    events = await read_all(openai, request(tools=(READ, BASH)))
    assert events[:-1] == [
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        TextDelta("Hel"),
        TextDelta("lo"),
        ToolCallDelta("c1", "read", ""),
        ToolCallDelta("c1", "", '{"path"'),
        ToolCallDelta("c1", "", ':"a"}'),
        ToolCallDelta("c2", "bash", ""),
        ToolCallDelta("c2", "", "{}"),
    ]
    final = events[-1]
    assert (final.message, final.usage, final.stop_reason) == (  # type: ignore[union-attr]
        message(
            Thinking(text="hm"),
            Text(text="Hello"),
            ToolCall(id="c1", name="read", arguments='{"path":"a"}'),
            ToolCall(id="c2", name="bash", arguments="{}"),
        ),
        Usage(input=100, output=20, cache_read=80, thinking=7),
        "tool_calls",
    )


async def test_the_request_is_as_the_vendor_wants_it(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Answer("ok"))
    await answer(
        openai,
        request(
            tools=(READ, BASH),
            reminder="Plan only.",
            max_tokens=50,
            temperature=0.5,
            options={"reasoningEffort": "high", "stream_options": None, "messages": []},
        ),
    )
    assert vendor.requests[0].path == "/v1/chat/completions"
    assert vendor.requests[0].headers["authorization"] == "Bearer the-secret-key"
    assert vendor.requests[0].headers["x-team"] == "blue-team-header"
    assert vendor.requests[0].body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "Plan only."}]},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "bash", "description": "Run a command", "parameters": BASH.parameters},
            },
            {
                "type": "function",
                "function": {"name": "read", "description": "Read a file", "parameters": READ.parameters},
            },
        ],
        "stream": True,
        "max_tokens": 50,
        "temperature": 0.5,
        "reasoning_effort": "high",
    }


async def test_tokens_are_asked_for(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Answer("ok"))
    await answer(openai)
    assert vendor.requests[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("finish", "with_call", "stop"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_calls"),
        ("tool_calls", True, "tool_calls"),
        ("tool_calls", False, "end_turn"),
        ("length", False, "max_tokens"),
        ("content_filter", False, "refusal"),
        ("weird", False, "end_turn"),
    ],
)
async def test_the_reason_for_the_end_is_understood(
    vendor: Vendor, openai: OpenAIChat, finish: str, with_call: bool, stop: str
):
    vendor.replies.append(Answer("ok", calls=[Call("read")] if with_call else [], finish=finish))
    final = await answer(openai)
    assert final.stop_reason == stop
    assert len(final.message.tool_calls) == with_call


async def test_a_call_that_the_limit_cut_off_is_dropped(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Answer("ok", calls=[Call("read", '{"pa')], finish="length"))
    assert (await answer(openai)).message == message(Text(text="ok"))


A, B = '{"a":1}', '{"b":2}'


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [
                calls(piece("", index=0, id="x", name="one")),
                calls(piece(A, index=0)),
                calls(piece("", index=1, id="x", name="two")),
                calls(piece(B, index=1)),
            ],
            id="the same id twice",
        ),
        pytest.param(
            [
                calls(piece(A[:3], index=0, name="one"), piece(B[:3], index=1, name="two")),
                calls(piece(B[3:], index=1), piece(A[3:], index=0)),
            ],
            id="interleaved, without ids",
        ),
        pytest.param([calls(piece(A, id="x", name="one"), piece(B, id="y", name="two"))], id="no index"),
        pytest.param([calls(piece(A, name="one"), piece(B, name="two"))], id="neither index nor id"),
        pytest.param([calls(piece(A, name="one", id="x"), piece(B, name="two", id="x"))], id="no index, the same id"),
        pytest.param(
            [calls(piece(A, index=0, id="x", name="one")), calls(piece(B, index=0, id="y", name="two"))],
            id="every index nought",
        ),
        pytest.param(
            [
                calls(piece(A[:3], index=0, id="x", name="one")),
                calls(piece(A[3:], index=0, id="x", name="one")),
                calls(piece(B[:3], index=1, id="", name="two")),
                calls(piece(B[3:], index=1, id="", name="")),
            ],
            id="name and id repeated with each piece",
        ),
        pytest.param(
            [calls(piece(A[:3], id="x", name="one")), calls(piece(A[3:])), calls(piece(B, id="y", name="two"))],
            id="no index, in pieces",
        ),
        pytest.param(
            [calls(piece(A, index=5, id="z" * 1_000_000, name="one")), calls(piece(B, index=2, name="two"))],
            id="odd indexes, a monstrous id",
        ),
    ],
)
async def test_tool_calls_are_told_apart(vendor: Vendor, openai: OpenAIChat, chunks: list[dict[str, Any]]):
    vendor.replies.append(Raw([sse(*chunks, chunk(finish="tool_calls"), done=True)]))
    assert (await answer(openai)).message == message(
        ToolCall(id="c1", name="one", arguments=A), ToolCall(id="c2", name="two", arguments=B)
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"prompt_tokens": -1, "completion_tokens": None}, None),
        ({"prompt_tokens": "12", "completion_tokens": "3"}, Usage(input=12, output=3)),
        ({"prompt_tokens": 12, "completion_tokens": -3}, Usage(input=12)),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4},
            Usage(input=9, output=1, cache_read=4),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_tokens_details": None,
                "completion_tokens_details": [],
            },
            Usage(input=9, output=1),
        ),
    ],
)
def test_tokens_are_read_as_far_as_they_make_sense(given: object, expected: Usage | None):
    assert usage(given) == expected


async def test_usage_that_is_null_or_missing_is_none(vendor: Vendor, openai: OpenAIChat):
    vendor.replies += [
        Answer("a", usage=None),
        Raw([sse({**chunk({"content": "b"}, "stop"), "usage": None}, done=True)]),
    ]
    assert [(await answer(openai)).usage, (await answer(openai)).usage] == [None, None]


async def test_chunks_of_a_strange_shape_are_passed_over(vendor: Vendor, openai: OpenAIChat):
    strange = [{"choices": []}, {"choices": None}, {}, {"choices": [None]}, {"choices": [{"delta": None}]}]
    strange += [{"choices": [{"delta": {"content": 5, "tool_calls": [None, {"function": None, "index": "x"}]}}]}]
    strange += [{"choices": [{"delta": {"content": 5, "tool_calls": "x", "reasoning": {}}}]}]
    strange += [{"choices": [{"index": 1, "delta": {"content": "another choice"}}]}]
    vendor.replies.append(Raw([sse(*strange, chunk({"content": "ok"}, "stop"), done=True)]))
    assert (await answer(openai)).message == message(Text(text="ok"))


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm", "content": "ok"},
        {"reasoning": "hm", "content": "ok"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "ok"},
            ]
        },
    ],
)
async def test_reasoning_is_found_under_its_names(vendor: Vendor, openai: OpenAIChat, delta: dict[str, Any]):
    vendor.replies.append(Raw([sse(chunk(delta, "stop"), done=True)]))
    assert (await answer(openai)).message == message(Thinking(text="hm"), Text(text="ok"))


async def test_a_refusal_is_shown_and_named(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Raw([sse(chunk({"refusal": "I will not."}), chunk(finish="stop"), done=True)]))
    final = await answer(openai)
    assert (final.message, final.stop_reason) == (message(Text(text="I will not.")), "refusal")


async def test_a_document_instead_of_a_stream_is_accepted(vendor: Vendor, openai: OpenAIChat):
    call = {"id": "x", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    whole = {"role": "assistant", "content": "ok", "tool_calls": [call]}
    tokens = {"prompt_tokens": 1, "completion_tokens": 2}
    vendor.replies.append(document({"choices": [{"message": whole, "finish_reason": "tool_calls"}], "usage": tokens}))
    final = await answer(openai)
    assert final.message == message(Text(text="ok"), ToolCall(id="c1", name="read", arguments="{}"))
    assert (final.usage, final.stop_reason) == (Usage(input=1, output=2), "tool_calls")


async def test_a_document_that_is_an_error_is_one(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(document({"error": {"message": "overloaded", "code": 503}}))
    with pytest.raises(ProviderError, match="overloaded") as caught:
        await answer(openai)
    assert (caught.value.kind, caught.value.status) == ("overloaded", 503)


async def test_done_without_a_reason_ends_the_answer(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Raw([sse(chunk({"content": "ok"}), done=True)]))
    assert (await answer(openai)).message == message(Text(text="ok"))


async def test_the_vendor_takes_pictures_and_sound(vendor: Vendor, openai: OpenAIChat):
    vendor.replies.append(Answer("I see and hear."))
    final = await answer(openai, request([UserMessage(content=(Text(text="look"), PIXEL, SOUND))]))
    assert final.message == message(Text(text="I see and hear."))
    assert [part["type"] for part in vendor.requests[0].body["messages"][1]["content"]] == [
        "text",
        "image_url",
        "input_audio",
    ]


def test_sound_is_sent_in_the_formats_that_the_vendor_takes():
    mp3, ogg = Audio(data="AAAA", mime_type="audio/mpeg"), Audio(data="AAAA", mime_type="audio/ogg")
    assert messages(request([UserMessage(content=(Text(text="hear"), SOUND, mp3, ogg))]))[1]["content"] == [
        {"type": "text", "text": "hear"},
        {"type": "input_audio", "input_audio": {"data": SOUND.data, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "text", "text": "[Here stood audio of type audio/ogg, which cannot be sent to this model.]"},
    ]


def test_an_image_that_would_be_refused_is_only_named():
    svg, none = Image(data="AAAA", mime_type="image/svg+xml"), Image(data="", mime_type="image/png")
    jpg = Image(data="AAAA", mime_type="image/JPG")
    assert messages(request([UserMessage(content=(svg, none, jpg))]))[1]["content"] == [
        {"type": "text", "text": "[Here stood an image of type image/svg+xml, which cannot be sent to this model.]"},
        {"type": "text", "text": "[Here stood an image of type image/png, which cannot be sent to this model.]"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
    ]


def test_a_history_is_mapped_so_that_every_vendor_takes_it():
    shot = step(
        ("c1", "{}"), ("c2", '{"broken'), text="Looking", thinking=Thinking(text="hm", signature="s"), output=""
    )
    outcomes = (shot.outcomes[0], shot.outcomes[1].model_copy(update={"images": (PIXEL,)}))
    history = (
        said("look"),
        shot.model_copy(update={"outcomes": outcomes}),
        step(),
        step(thinking=Thinking(text="only thoughts")),
        UserMessage(content=(Text(text=" "), Image(data="AA==", mime_type="image/png"), Text(text="bad \ud800"))),
        step(text="done"),
        UserMessage(content=()),
    )
    mapped = messages(request(history))
    assert mapped[1:] == [
        {"role": "user", "content": "look"},
        {
            "role": "assistant",
            "content": "Looking",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}},
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "read", "arguments": '{"invalid_arguments": "{\\"broken"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "(no output)"},
        {"role": "tool", "tool_call_id": "c2", "content": "(no output)"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Images from read:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "text", "text": "bad \ufffd"},
            ],
        },
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "(empty)"},
    ]
    assert openai_fault({"model": "m", "messages": mapped}) is None


def test_each_request_begins_with_the_messages_of_the_one_before():
    history: list[Any] = [said("first"), step(("c1", "{}")), step(text="ok"), said("second")]
    history += [step((f"d{number}", "{}")) for number in range(20)]
    seen = [messages(request(history[:end], reminder="Plan only.")) for end in range(4, len(history) + 1)]
    for shorter, longer in itertools.pairwise(seen):
        assert longer[: len(shorter)] == shorter


def test_mistral_gets_call_ids_of_nine_characters():
    provider = OpenAIChat("mistral", "https://api.mistral.ai/v1", "k")
    body = provider.body(request((said("a"), step(("call-1", "{}")))))
    asked, answered = body["messages"][-2]["tool_calls"][0]["id"], body["messages"][-1]["tool_call_id"]
    assert asked == answered
    assert len(asked) == 9
    assert asked.isalnum()


def test_openai_itself_gets_the_new_name_of_the_limit():
    body = OpenAIChat("openai", "https://api.openai.com/v1", "k").body(request(max_tokens=5))
    assert (body.get("max_completion_tokens"), body.get("max_tokens")) == (5, None)


async def test_a_tool_name_that_the_model_invented_does_not_spoil_the_history(vendor: Vendor, openai: OpenAIChat):
    odd = ToolCall(id="c1", name="read file\n!", arguments="{}")
    spoilt = step().model_copy(
        update={"message": message(odd), "outcomes": (ToolOutcome(call_id="c1", name=odd.name, output="unknown tool"),)}
    )
    vendor.replies.append(Answer("ok"))
    await answer(openai, request((said("a"), spoilt)))
    assert vendor.requests[0].body["messages"][2]["tool_calls"][0]["function"]["name"] == "read_file__"
