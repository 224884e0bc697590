from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest

from acp_agent.llm.assembly import Assembly, MessageTooLong, arguments_object, clean, count
from acp_agent.llm.messages import Text, Thinking, ToolCall
from acp_agent.llm.provider import StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from tests.llm.requests import message


def new(limit: int = 1_000_000) -> Assembly:
    numbers = itertools.count(1)
    return Assembly(lambda: f"c{next(numbers)}", limit)


def run(*events: Iterable[StreamEvent]) -> list[StreamEvent]:
    return [event for some in events for event in some]


def test_parts_stand_in_the_order_in_which_they_appeared():
    a = new()
    shown = run(a.thinking("hm"), a.text("one"), a.text(" two"), a.call(0, "read", '{"a"'), a.call(1, "bash", "{}"))
    shown += run(a.call(0, "", ":1}"), a.text("after"))
    assert shown == [
        ThinkingDelta("hm"),
        TextDelta("one"),
        TextDelta(" two"),
        ToolCallDelta("c1", "read", '{"a"'),
        ToolCallDelta("c2", "bash", "{}"),
        ToolCallDelta("c1", "", ":1}"),
        TextDelta("after"),
    ]
    assert a.message("tool_calls") == message(
        Thinking(text="hm"),
        Text(text="one two"),
        ToolCall(id="c1", name="read", arguments='{"a":1}'),
        ToolCall(id="c2", name="bash", arguments="{}"),
        Text(text="after"),
    )


def test_an_unfinished_call_is_not_in_the_snapshot_but_a_finished_one_is():
    a = new()
    run(a.text("so"), a.call(0, "read", "{}"), a.call(1, "bash", '{"command": "rm'))
    assert a.snapshot() == message(Text(text="so"), ToolCall(id="c1", name="read", arguments="{}"))
    run(a.call(1, "", ' -r x"}'))
    assert a.snapshot().tool_calls[1].arguments == '{"command": "rm -r x"}'


def test_a_call_without_arguments_is_unfinished_until_the_vendor_says_otherwise():
    a = new()
    run(a.call(0, "read", ""))
    assert a.snapshot() == message()
    a.close_call(0)
    assert a.snapshot() == message(ToolCall(id="c1", name="read", arguments="{}"))


def test_what_was_cut_off_has_no_partial_call_and_a_refusal_has_none():
    a = new()
    run(a.call(0, "read", "{}"), a.call(1, "bash", '{"comm'))
    assert a.message("max_tokens") == message(ToolCall(id="c1", name="read", arguments="{}"))
    assert a.message("refusal") == message()
    assert [call.arguments for call in a.message("tool_calls").tool_calls] == ["{}", '{"comm']


def test_nothing_of_a_call_is_shown_before_its_name():
    a = new()
    assert run(a.call(0, "", '{"a":'), a.call(0, "read", ""), a.call(0, "", "1}")) == [
        ToolCallDelta("c1", "read", '{"a":'),
        ToolCallDelta("c1", "", "1}"),
    ]


def test_reasoning_keeps_its_signature_and_its_blocks():
    a = new()
    run(a.thinking("one"))
    a.sign("sig")
    a.sign("nature")
    a.end_part()
    run(a.thinking("two"))
    a.redacted("secret")
    assert a.message("end_turn") == message(
        Thinking(text="one", signature="signature"),
        Thinking(text="two"),
        Thinking(text="", redacted="secret"),
    )


def test_all_text_can_be_encoded():
    a = new()
    shown = run(a.text("a\0b"), a.text("\ud83d"), a.text("\ude00!"), a.text("\udfff"))
    shown += run(a.call(0, "re\0", '{"a":"\ud83d'))
    shown += run(a.call(0, "", '\ude00"}'))
    assert a.message("end_turn") == message(
        Text(text="a\ufffdb😀!\ufffd"), ToolCall(id="c1", name="re\ufffd", arguments='{"a":"😀"}')
    )
    json.dumps([str(event) for event in shown], ensure_ascii=False).encode()


def test_a_huge_delta_is_passed_on_in_pieces_and_a_boundless_answer_is_refused():
    a = new(limit=400_010)
    pieces = run(a.text("x" * 200_000), a.call(0, "write", "y" * 200_000))
    assert [len(p.text) for p in pieces if isinstance(p, TextDelta)] == [65536, 65536, 65536, 3392]
    assert [(p.name, len(p.arguments)) for p in pieces if isinstance(p, ToolCallDelta)] == [
        ("write", 65536),
        ("", 65536),
        ("", 65536),
        ("", 3392),
    ]
    with pytest.raises(MessageTooLong):
        run(a.text("z" * 11))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (5, 5),
        ("7", 7),
        (3.0, 3),
        (0, 0),
        (-1, None),
        (None, None),
        ("many", None),
        (True, None),
        ([], None),
    ],
)
def test_a_count_of_tokens_is_read_or_ignored(value: object, number: int | None):
    assert count(value) == number


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"a":1}', {"a": 1}),
        ("", {}),
        ('"{\\"a\\":1}"', {"a": 1}),
        ('{"a"', {"invalid_arguments": '{"a"'}),
        ("[1]", {"invalid_arguments": "[1]"}),
        ("[" * 100_000, {"invalid_arguments": "[" * 100_000}),
    ],
)
def test_recorded_arguments_are_sent_as_an_object(arguments: str, sent: object):
    assert arguments_object(arguments) == sent


def test_clean_text_is_left_alone():
    assert clean("naïve 😀 \x1b[2J \u202e") == "naïve 😀 \x1b[2J \u202e"
