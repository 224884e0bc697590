"""Cancelling a turn in each of its states: answered at once, nothing left running, and the session goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.lines import eventually
from tests.e2e.process import AgentProcess
from tests.e2e.test_turn import bash, call_updates
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call, Raw, Reply

pytestmark = pytest.mark.e2e

TIMES = 5
LIMIT = 1.0
SLEEPERS = (
    "setsid sleep 999 & (setsid bash -c 'sleep 999 & wait' &) ; (trap '' TERM; sleep 999 &) ; echo ready; sleep 999"
)
Measured = Callable[[str, float], float]


def in_stream(agent: AgentProcess, vendor: Vendor, session: str, number: int) -> None:
    agent.see_text(session, f"Working {number}. ")


def before_the_first_byte(agent: AgentProcess, vendor: Vendor, session: str, number: int) -> None:
    vendor.wait_for_requests(2 * number + 1)


def in_bash(agent: AgentProcess, vendor: Vendor, session: str, number: int) -> None:
    agent.see_output(session, "ready")
    eventually(lambda: len(agent.offspring("sleep")) == 4, "the start of four sleepers")


def while_asked(agent: AgentProcess, vendor: Vendor, session: str, number: int) -> None:
    agent.see_request(session, "session/request_permission", number + 1)


Reached = Callable[[AgentProcess, Vendor, str, int], None]
STATES: dict[str, tuple[Callable[[int], Reply], Reached]] = {
    "in stream": (lambda number: Answer(f"Working {number}. ", pause=Event()), in_stream),
    "before the first byte": (lambda number: Raw([Event()]), before_the_first_byte),
    "in bash with grandchildren": (lambda number: Answer(calls=[bash(SLEEPERS)]), in_bash),
    "while a permission is pending": (lambda number: Answer(calls=[bash("git push --force")]), while_asked),
}


@pytest.mark.parametrize("state", STATES)
def test_a_cancel_is_answered_at_once_and_the_next_prompt_works(
    agent: AgentProcess, vendor: Vendor, project: Path, measured: Measured, state: str
) -> None:
    reply, reached = STATES[state]
    session = agent.new(project)
    for number in range(TIMES):
        vendor.replies += [reply(number), Answer("Still here.")]
        prompt = agent.ask(session)
        reached(agent, vendor, session, number)

        begin = agent.cancel(session)

        answer = agent.answered(prompt)
        assert answer.message["result"] == {"stopReason": "cancelled"}
        assert measured(f"cancel {state}", answer.at - begin) < LIMIT
        eventually(lambda: not agent.offspring(), "the end of every process", 0.5)
        assert agent.prompt(session) == "end_turn"

    open_calls = {update["toolCallId"] for update in agent.updates(session, "tool_call")}
    ended = {update["toolCallId"] for update in call_updates(agent, session) if update.get("status") == "failed"}
    assert open_calls == ended


def test_the_model_hears_of_the_cancelled_call_and_of_the_text_that_was_shown(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    vendor.replies += [
        Answer("I will wait.", calls=[bash("echo ready; sleep 999")]),
        Answer("Half an answer", pause=Event()),
        Answer("Yes."),
    ]
    session = agent.new(project)
    prompt = agent.ask(session, "one")
    agent.see_output(session, "ready")
    agent.cancel(session)
    agent.response(prompt)
    prompt = agent.ask(session, "two")
    agent.see_text(session, "Half an answer")
    agent.cancel(session)
    agent.response(prompt)

    assert agent.prompt(session, "three") == "end_turn"

    messages = vendor.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "user",
        "assistant",
        "user",
    ]
    assert "cancelled" in json.dumps(messages[3])
    assert "Half an answer" in json.dumps(messages[5])


def test_a_cancel_while_arguments_are_still_being_written_closes_the_shown_call(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    whole = Answer(calls=[Call("write", ['{"filePath": "a.txt", ', '"content": "x"}'])]).raw("openai_chat")
    pieces = list(whole.pieces)
    vendor.replies += [Raw([*pieces[:3], Event()]), Answer("Next.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    agent.until(lambda: agent.updates(session, "tool_call"), "a shown call")

    agent.cancel(session)

    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}
    assert [update["status"] for update in call_updates(agent, session)] == ["pending", "failed"]
    assert agent.prompt(session) == "end_turn"
    assert not (project / "a.txt").exists()


def test_a_cancel_as_a_request_and_the_cancel_of_the_request_itself_are_the_same(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    session = agent.new(project)
    vendor.replies += [Answer("One.", pause=Event()), Answer("Two.", pause=Event()), Answer("Three.")]
    prompt = agent.ask(session)
    agent.see_text(session, "One.")
    assert agent.call("session/cancel", {"sessionId": session}) == {}
    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}

    prompt = agent.ask(session)
    agent.see_text(session, "Two.")
    agent.notify("$/cancel_request", {"requestId": prompt})
    assert agent.response(prompt)["result"] == {"stopReason": "cancelled"}

    assert agent.prompt(session) == "end_turn"


def test_a_late_answer_to_a_withdrawn_permission_request_runs_nothing(
    agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo > ran")]), Answer("Next.")]
    session = agent.new(project)
    prompt = agent.ask(session)
    request = agent.see_request(session, "session/request_permission")
    agent.cancel(session)
    agent.response(prompt)
    withdrawn = [line.message for line in agent.lines if line.message.get("method") == "$/cancel_request"]
    assert withdrawn[-1]["params"] == {"requestId": request["id"]}

    late = {"outcome": {"outcome": "selected", "optionId": "allow_once"}}
    agent.send({"jsonrpc": "2.0", "id": request["id"], "result": late})

    assert agent.prompt(session) == "end_turn"
    assert not (project / "ran").exists()
