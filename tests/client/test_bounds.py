"""What goes to a client: no line above 8 MiB, and merged updates that say the same as the many did."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from acp_agent.client.bounds import MAX_LINE_BYTES, bounded, bounded_tool_call, merge
from acp_agent.rpc.messages import encode
from acp_agent.rpc.outbox import Outbox
from acp_agent.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AgentThoughtChunk,
    DiffContent,
    ImageContent,
    PlanEntry,
    TextContent,
    ToolCallProgress,
    ToolContent,
    UserMessageChunk,
)

MIB = 1024 * 1024


def _line(update: dict[str, Any]) -> int:
    message = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "ses_" + "x" * 20}}
    return len(encode({**message, "params": {**message["params"], "update": update}}))  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["a" * 20 * MIB, "é" * 3 * MIB, "🙂" * 2 * MIB, "\x00" * 3 * MIB, "\n" * 9 * MIB])
@pytest.mark.parametrize("kind", [AgentMessageChunk, AgentThoughtChunk, UserMessageChunk])
def test_a_long_text_goes_in_pieces_that_are_the_text(kind: Any, text: str) -> None:
    pieces = list(bounded(kind(content=TextContent(text=text), message_id="m")))
    assert "".join(wire["content"]["text"] for wire, _ in pieces) == text
    assert all(_line(wire) <= MAX_LINE_BYTES for wire, _ in pieces)
    assert {wire["messageId"] for wire, _ in pieces} == {"m"}


def test_a_short_text_is_one_update_as_it_stands() -> None:
    chunk = AgentMessageChunk(content=TextContent(text="Hello."), message_id="m")
    assert [wire for wire, _ in bounded(chunk)] == [chunk.wire()]


def test_content_that_no_line_can_hold_is_named_instead_of_sent() -> None:
    image = ImageContent(data="A" * (9 * MIB), mime_type="image/png")
    ((wire, size),) = bounded(UserMessageChunk(content=image, message_id="m"))
    assert wire["content"] == {"type": "text", "text": "[left out: too large to show]"}
    assert size < 1000


def test_a_large_call_loses_its_raw_output_then_its_raw_input_and_its_content_last() -> None:
    large = "x" * (5 * MIB)
    small = [ToolContent(content=TextContent(text="small"))]

    def shown(**fields: Any) -> dict[str, Any]:
        update = ToolCallProgress(tool_call_id="c", title="t", status="completed", **fields)
        ((wire, size),) = bounded(update)
        assert _line(wire) <= MAX_LINE_BYTES
        assert size >= len(encode(wire)) // 2
        return wire

    left_out = "[left out: too large to show]"
    one = shown(raw_input=large, raw_output=large, content=small)
    assert (one["rawInput"], one["rawOutput"], one["content"]) == (large, left_out, [small[0].wire()])
    two = shown(raw_input=large * 2, raw_output="r", content=small)
    assert (two["rawInput"], two["rawOutput"]) == (left_out, left_out)
    three = shown(content=[DiffContent(path="/a", old_text=large, new_text=large)])
    assert three["content"] == [{"type": "content", "content": {"type": "text", "text": left_out}}]
    assert (three["title"], three["status"]) == ("t", "completed")


def test_a_question_about_a_large_call_fits_a_line() -> None:
    wire, size = bounded_tool_call({"toolCallId": "c", "title": "t", "rawInput": {"content": "x" * (9 * MIB)}})
    assert wire["rawInput"] == "[left out: too large to show]"
    assert size < 1000


def test_a_plan_is_never_left_out() -> None:
    plan = AgentPlanUpdate(entries=[PlanEntry(content="x", priority="low", status="pending")])
    assert [wire for wire, _ in bounded(plan)] == [plan.wire()]


# Merging.


def _text(text: str, message: str = "m", kind: str = "agent_message_chunk", session: str = "s") -> dict[str, Any]:
    content = {"type": "text", "text": text}
    return {"sessionId": session, "update": {"sessionUpdate": kind, "messageId": message, "content": content}}


def _call(call: str = "c", session: str = "s", kind: str = "tool_call_update", **fields: Any) -> dict[str, Any]:
    return {"sessionId": session, "update": {"sessionUpdate": kind, "toolCallId": call, **fields}}


def _image() -> dict[str, Any]:
    content = {"type": "image", "data": "AA==", "mimeType": "image/png"}
    update = {"sessionUpdate": "agent_message_chunk", "messageId": "m", "content": content}
    return {"sessionId": "s", "update": update}


def test_text_of_one_message_is_joined() -> None:
    assert merge("session/update", _text("a"), _text("b")) == _text("ab")
    thought = "agent_thought_chunk"
    assert merge("session/update", _text("a", kind=thought), _text("b", kind=thought)) == _text("ab", kind=thought)


def test_a_later_state_of_a_call_stands_for_both_and_keeps_what_it_does_not_say() -> None:
    earlier = _call(status="in_progress", content=["a"], rawInput={"x": 1})
    later = _call(status="completed", content=["b"])
    assert merge("session/update", earlier, later) == _call(status="completed", content=["b"], rawInput={"x": 1})


def _printed(data: str, terminal: str = "c", **fields: Any) -> dict[str, Any]:
    return _call(_meta={"terminal_output": {"terminal_id": terminal, "data": data}, **fields.pop("meta", {})}, **fields)


def test_what_a_terminal_printed_is_joined_and_its_beginning_and_end_stay() -> None:
    info, exit_ = {"terminal_info": {"terminal_id": "c"}}, {"terminal_exit": {"terminal_id": "c", "exit_code": 0}}
    begun = _printed("one ", meta=info, content=[{"type": "terminal", "terminalId": "c"}])
    ended = _printed("two", meta=exit_, status="completed")
    output = {"terminal_output": {"terminal_id": "c", "data": "one two"}}
    assert merge("session/update", begun, ended) == _call(
        status="completed", content=[{"type": "terminal", "terminalId": "c"}], _meta={**info, **exit_, **output}
    )


@pytest.mark.parametrize("other", [_call(status="completed"), _call(status="completed", _meta={"k": 1})])
def test_output_that_has_a_neighbour_without_any_is_kept(other: dict[str, Any]) -> None:
    for pair in ((_printed("x"), other), (other, _printed("x"))):
        merged = merge("session/update", *pair)
        assert merged is not None
        assert merged["update"]["_meta"]["terminal_output"] == {"terminal_id": "c", "data": "x"}
        assert merged["update"]["status"] == "completed"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (_printed("a"), _printed("b", terminal="d")),
        (_text("a"), _text("b", message="n")),
        (_text("a"), _text("b", session="t")),
        (_text("a"), _text("b", kind="agent_thought_chunk")),
        (_text("a"), _text("b", kind="user_message_chunk")),
        (_text("a", kind="user_message_chunk"), _text("b", kind="user_message_chunk")),
        (_text("a"), _image()),
        (_image(), _image()),
        (_text("a"), _call()),
        (_call("c"), _call("d")),
        (_call("c"), _call("c", session="t")),
        (_call("c", kind="tool_call"), _call("c")),
        (_call("c", kind="tool_call"), _call("c", kind="tool_call")),
    ],
)
def test_everything_else_stays_apart(earlier: Any, later: Any) -> None:
    assert merge("session/update", earlier, later) is None


def test_other_notifications_stay_apart() -> None:
    assert merge("$/cancel_request", {"requestId": "a"}, {"requestId": "b"}) is None


_UPDATES = st.lists(
    st.one_of(
        st.builds(
            _text,
            st.text(max_size=5),
            message=st.sampled_from("mn"),
            kind=st.sampled_from(["agent_message_chunk", "agent_thought_chunk"]),
            session=st.sampled_from("st"),
        ),
        st.builds(_call, st.sampled_from("cd"), session=st.sampled_from("st"), status=st.sampled_from("123")),
        st.builds(_printed, st.text(max_size=3), terminal=st.sampled_from("cd"), session=st.sampled_from("st")),
    ),
    max_size=60,
)


def _seen(updates: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client that joins chunks and keeps the last state of a call sees in the end, in order of appearance."""
    seen: dict[str, Any] = {}
    for params in updates:
        update = params["update"]
        if "content" in update and "messageId" in update:
            key = f"{params['sessionId']} {update['sessionUpdate']} {update['messageId']}"
            seen[key] = seen.get(key, "") + update["content"]["text"]
        else:
            key = f"{params['sessionId']} {update['toolCallId']}"
            plain = {name: value for name, value in update.items() if name != "_meta"}
            seen[key] = {**seen.get(key, {}), **plain}
            printed = (update.get("_meta") or {}).get("terminal_output")
            if printed is not None:
                key = f"{params['sessionId']} printed {printed['terminal_id']}"
                seen[key] = seen.get(key, "") + printed["data"]
    return seen


@given(updates=_UPDATES)
@settings(max_examples=300)
def test_merging_never_loses_or_reorders_anything(updates: list[dict[str, Any]]) -> None:
    outbox = Outbox(merge)
    for _ in range(65):  # so many that everything is merged that may be
        outbox.put({"jsonrpc": "2.0", "method": "other", "params": {}}, 1)
    for params in updates:
        outbox.put({"jsonrpc": "2.0", "method": "session/update", "params": params}, 10)
    merged = [item.message["params"] for item in outbox._items if item.message["method"] == "session/update"]
    assert _seen(merged) == _seen(updates)
    assert list(_seen(merged)) == list(_seen(updates))
    for first, second in pairwise(merged):
        assert merge("session/update", first, second) is None, "what could be joined was joined"


@example(texts=[400_000, 400_000], letter="🙂")
@given(texts=st.lists(st.integers(0, 700_000), min_size=2, max_size=6), letter=st.sampled_from("aé🙂\n"))
@settings(max_examples=20, deadline=None)
def test_merging_makes_no_line_too_long(texts: list[int], letter: str) -> None:
    outbox = Outbox(merge)
    for _ in range(65):
        outbox.put({"jsonrpc": "2.0", "method": "other", "params": {}}, 1)
    for count in texts:
        for wire, size in bounded(AgentMessageChunk(content=TextContent(text=letter * count), message_id="m")):
            outbox.put(
                {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": wire}}, size
            )
    lines = [item.message for item in outbox._items if item.message["method"] == "session/update"]
    assert sum(len(line["params"]["update"]["content"]["text"]) for line in lines) == sum(texts)
    assert all(len(encode(line)) <= MAX_LINE_BYTES for line in lines)
