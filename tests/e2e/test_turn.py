"""A prompt turn over stdio, raw: text, tools, permissions, the queue."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.lines import Message
from tests.e2e.process import AgentProcess
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call

pytestmark = pytest.mark.e2e


def bash(line: str, **more: Any) -> Call:
    return Call("bash", json.dumps({"command": line, "description": "a test", **more}))


def choose(option: str) -> Any:
    return lambda _params: {"outcome": {"outcome": "selected", "optionId": option}}


def tool_results(vendor: Vendor) -> list[str]:
    """What the model is told in its latest request, one text a call, in order."""
    messages = vendor.requests[-1].body["messages"]
    last = max(at for at, message in enumerate(messages) if message["role"] == "assistant")
    found = []
    for message in messages[last + 1 :]:
        content = message["content"]
        found.append(content if isinstance(content, str) else "".join(part["text"] for part in content))
    return found


def call_updates(agent: AgentProcess, session: str) -> list[Message]:
    return agent.updates(session, "tool_call", "tool_call_update")


def test_text_is_streamed_as_it_comes_and_the_response_follows_it(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    rest = Event()
    vendor.replies.append(Answer(["Hello ", "there"], pause=rest))
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.see_text(session, "Hello there")
    assert not agent.is_answered(prompt)

    rest.set()

    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}
    told = [line for line in agent.lines if line.message.get("params", {}).get("sessionId") == session]
    assert agent.lines.index(agent.answered(prompt)) > agent.lines.index(told[-1])
    assert [update["sessionUpdate"] for update in agent.updates(session)] == [
        "agent_message_chunk",
        "agent_message_chunk",
        "usage_update",
    ]


def test_a_tool_turn_changes_the_file_and_shows_its_diff(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    file = project / "greeting.txt"
    file.write_bytes(b"hello\r\nworld\r\n")
    edit = {"filePath": "greeting.txt", "oldString": "world", "newString": "there"}
    vendor.replies += [
        Answer("Let me look. ", calls=[Call("read", json.dumps({"filePath": "greeting.txt"}))]),
        Answer(calls=[Call("edit", json.dumps(edit))]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert file.read_bytes() == b"hello\r\nthere\r\n"
    diff = {"type": "diff", "path": str(file), "oldText": "hello\r\nworld\r\n", "newText": "hello\r\nthere\r\n"}
    final = call_updates(agent, session)[-1]
    assert (final["status"], final["content"]) == ("completed", [diff])
    assert final["locations"] == [{"path": str(file), "line": 2}]
    states = [(update["sessionUpdate"], update.get("status")) for update in call_updates(agent, session)]
    assert (
        states == [("tool_call", "pending"), *[("tool_call_update", each) for each in ("in_progress", "completed")]] * 2
    )
    assert agent.said(session) == "Let me look. Done."


def test_calls_of_one_answer_run_side_by_side_and_their_results_stand_in_the_order_of_the_calls(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    os.mkfifo(project / "gate")
    vendor.replies += [Answer(calls=[bash("read x < gate; echo first $x"), bash("echo second")]), Answer("All done.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.until(
        lambda: [
            update["toolCallId"] for update in call_updates(agent, session) if update.get("status") == "completed"
        ],
        "the end of the second call",
    )
    (project / "gate").write_text("call\n")

    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}

    first, second = tool_results(vendor)
    assert "first call" in first
    assert "second" in second
    shown = [update["toolCallId"] for update in agent.updates(session, "tool_call")]
    ended = [update["toolCallId"] for update in call_updates(agent, session) if update.get("status") == "completed"]
    assert ended == list(reversed(shown))


def test_a_call_that_must_be_asked_about_runs_only_when_it_was_allowed(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo yes > ran")]), Answer("It ran.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    request = agent.see_request(session, "session/request_permission")
    assert not (project / "ran").exists()
    assert [option["optionId"] for option in request["params"]["options"]] == [
        "allow_once",
        "allow_always",
        "reject_once",
    ]

    agent.send({"jsonrpc": "2.0", "id": request["id"], "result": choose("allow_once")(None)})

    assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}
    assert (project / "ran").read_text() == "yes\n"


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": {"outcome": "selected", "optionId": "reject_once"}},
        {"outcome": {"outcome": "cancelled"}},
        {"outcome": {"outcome": "selected", "optionId": "allow_everything"}},
        {"outcome": "allowed"},
        [],
    ],
    ids=["rejected", "dismissed", "not offered", "malformed", "a list"],
)
def test_whatever_is_no_offered_option_refuses_the_call_and_the_model_is_told(
    agent: AgentProcess, vendor: Vendor, project: Path, answer: Any
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo yes > ran")]), Answer("Then not.")]
    agent.answers["session/request_permission"] = lambda _params: answer
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert not (project / "ran").exists()
    assert "not run" in tool_results(vendor)[0]
    assert call_updates(agent, session)[-1]["status"] == "failed"


def test_allow_always_holds_for_the_session_and_not_for_another(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [
        Answer(calls=[bash("echo 1 >> ran")]),
        Answer(calls=[bash("echo 2 >> ran")]),
        Answer("Both."),
        Answer(calls=[bash("echo 3 >> ran")]),
        Answer("Asked again."),
    ]
    agent.answers["session/request_permission"] = choose("allow_always")
    session, other = agent.new(project), agent.new(project)

    assert agent.prompt(session) == "end_turn"
    agent.answers["session/request_permission"] = choose("reject_once")
    assert agent.prompt(other) == "end_turn"

    assert (project / "ran").read_text() == "1\n2\n"
    assert len(agent.messages(session, "session/request_permission")) == 1
    assert len(agent.messages(other, "session/request_permission")) == 1


def test_a_second_prompt_to_a_busy_session_waits_its_turn(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    rest = Event()
    vendor.replies += [Answer("First. ", pause=rest), Answer("Second.")]
    session = agent.new(project)
    first = agent.ask(session, "one")
    agent.see_text(session, "First. ")
    second = agent.ask(session, "two")
    rest.set()

    responses = [agent.response(id)["result"] for id in (first, second)]

    assert responses == [{"stopReason": "end_turn"}] * 2
    assert agent.said(session) == "First. Second."
    assert agent.lines.index(agent.answered(first)) < agent.lines.index(agent.answered(second))
    roles = [message["role"] for message in vendor.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_the_seventeenth_waiting_prompt_is_refused_and_a_cancel_ends_all_the_others(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    vendor.replies += [Answer("First.", pause=Event()), Answer("Next.")]
    session = agent.new(project)
    running = agent.ask(session)
    agent.see_text(session, "First.")
    waiting = [agent.ask(session, str(number)) for number in range(16)]

    assert agent.response(agent.ask(session, "one too many"))["error"]["code"] == -32600
    agent.cancel(session)

    assert [agent.response(id).get("result") for id in (running, *waiting)] == [{"stopReason": "cancelled"}] * 17
    assert agent.prompt(session) == "end_turn"
    assert len(vendor.requests) == 2


def test_an_unknown_tool_and_bad_arguments_are_told_to_the_model(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    vendor.replies += [
        Answer(
            calls=[Call("teleport"), Call("read", "{}"), Call("read", '{"filePath": "gone.txt"}'), Call("read", "{")]
        ),
        Answer("I see."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    results = tool_results(vendor)
    assert "bash" in results[0]
    assert "filePath" in results[1]
    assert "gone.txt" in results[2]
    ends = [update["status"] for update in call_updates(agent, session) if update.get("status") != "pending"]
    assert "completed" not in ends
    assert ends.count("failed") == 4
