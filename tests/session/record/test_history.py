"""From the record to the model and to the client."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from acp_agent.llm.messages import AssistantMessage, Image, Step, Text, Thinking, ToolCall, ToolOutcome, UserMessage
from acp_agent.schema import (
    AgentMessageChunk,
    AgentPlanUpdate,
    AgentThoughtChunk,
    BlobResourceContents,
    EmbeddedResource,
    ImageContent,
    PlanEntry,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolCallStart,
    UserMessageChunk,
)
from acp_agent.session.record import events
from acp_agent.session.record.history import INTERRUPTED, history, holding, unfinished, user_message
from acp_agent.session.record.replay import replay


def _said(text: str) -> events.UserMessage:
    return events.UserMessage(message_id="u", blocks=(TextContent(text=text),))


def _called(*ids: str, text: str = "") -> events.AssistantMessage:
    parts = (Text(text=text), *(ToolCall(id=id, name="bash", arguments="{}") for id in ids))
    return events.AssistantMessage(message_id="a", message=AssistantMessage(content=parts))


def _ended(id: str, output: str = "done") -> events.ToolCallFinal:
    return events.ToolCallFinal(
        call_id=id, name="bash", kind="execute", title="ls", status="completed", output=output, started=1, ended=2
    )


def test_outcomes_stand_in_the_order_of_the_calls_whatever_order_they_ended_in() -> None:
    [_, step] = history([_said("go"), _called("one", "two"), _ended("two", "2"), _ended("one", "1")])
    assert isinstance(step, Step)
    assert [outcome.output for outcome in step.outcomes] == ["1", "2"]


def test_a_call_without_a_record_counts_as_interrupted() -> None:
    record = [_said("go"), _called("one", "two"), _ended("one")]
    step = history(record)[-1]
    assert isinstance(step, Step)
    assert step.outcomes[1] == ToolOutcome(call_id="two", name="bash", output=INTERRUPTED, is_error=True)
    assert [(call.id, call.name) for call in unfinished(record)] == [("two", "bash")]


def test_a_step_without_an_outcome_for_each_call_cannot_be_made() -> None:
    with pytest.raises(ValidationError):
        Step(message=_called("one").message)


_events = st.lists(
    st.sampled_from([_said("a"), _called("one"), _called("two", "three"), _called(text="x"), _ended("one")])
    | st.sampled_from([_ended("three"), events.Compaction(summary="so far"), events.ModeChanged(mode="plan")])
)


@given(_events)
def test_every_record_gives_a_valid_history(record: list[events.Event]) -> None:
    for entry in history(record):
        assert isinstance(entry, UserMessage | Step)  # a Step checks itself


def test_text_of_our_own_is_shown_and_never_sent() -> None:
    note = events.AssistantMessage(
        message_id="n", message=AssistantMessage(content=(Text(text="failed"),)), for_model=False
    )
    assert history([_said("go"), note]) == [UserMessage(content=(Text(text="go"),))]
    assert list(replay([note])) == [AgentMessageChunk(content=TextContent(text="failed"), message_id="n")]


def test_a_rewind_takes_back_what_came_after_its_event() -> None:
    record = [("1", _said("a")), ("2", _called()), ("3", _said("b")), ("4", events.Rewind(to="2")), ("5", _said("c"))]
    assert [id for id, _ in holding(record)] == ["1", "2", "5"]
    assert holding([*record, ("6", events.Rewind(to=""))]) == []


def test_a_compaction_stands_for_what_was_before() -> None:
    made = history([_said("a"), _called("one"), _ended("one"), events.Compaction(summary="so far"), _said("b")])
    assert made == [UserMessage(content=(Text(text="so far"),)), UserMessage(content=(Text(text="b"),))]


def test_every_kind_of_block_reaches_the_model_as_something_it_can_read() -> None:
    message = user_message(
        [
            TextContent(text="look"),
            ImageContent(data="QQ==", mime_type="image/png"),
            ResourceLink(uri="file:///w/a%20b.py", name="a b.py"),
            EmbeddedResource(resource=TextResourceContents(uri="file:///w/c.py", text="print()")),
            EmbeddedResource(resource=BlobResourceContents(uri="x://y", blob="QQ==", mime_type="image/png")),
            EmbeddedResource(resource=BlobResourceContents(uri="x://z", blob="QQ==", mime_type="font/ttf")),
        ]
    )
    assert message.content == (
        Text(text="look"),
        Image(data="QQ==", mime_type="image/png"),
        Text(text="[Attached by reference: a b.py at /w/a b.py]"),
        Text(text="[Attached: /w/c.py]\n1: print()\n[End of /w/c.py]"),
        Image(data="QQ==", mime_type="image/png"),
        Text(text="[Attached: x://z, font/ttf, binary, 1 bytes, not shown]"),
    )


def test_a_replay_shows_everything_that_was_shown() -> None:
    thinking = AssistantMessage(content=(Thinking(text="hm"), Text(text="yes")))
    entries = (PlanEntry(content="a", priority="high", status="pending"),)
    record: list[events.Event] = [
        _said("go"),
        events.AssistantMessage(message_id="m", message=thinking),
        events.PlanChanged(entries=entries),
        _ended("one"),
        events.ModeChanged(mode="plan"),
    ]
    assert list(replay(record)) == [
        UserMessageChunk(content=TextContent(text="go"), message_id="u"),
        AgentThoughtChunk(content=TextContent(text="hm"), message_id="m-thought"),
        AgentMessageChunk(content=TextContent(text="yes"), message_id="m"),
        AgentPlanUpdate(entries=list(entries)),
        ToolCallStart(
            tool_call_id="one", title="ls", name="bash", kind="execute", status="completed", content=[], locations=[]
        ),
    ]
