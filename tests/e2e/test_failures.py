"""A model call that fails: one visible sentence and an error, never a silent end; and the next prompt works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import KEY, AgentProcess
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import RESET, Answer, Failure, Raw, Reply

pytestmark = pytest.mark.e2e

AT_ONCE = {"retry-after": "0"}
HTML = "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"

FAILURES: dict[str, Callable[[], list[Reply]]] = {
    "401": lambda: [Failure(401, {"error": {"message": f"Incorrect API key provided: {KEY}", "type": "auth"}})],
    "500 three times": lambda: [Failure(500, headers=AT_ONCE)] * 3,
    "html three times": lambda: [Failure(502, HTML, headers=AT_ONCE)] * 3,
    "html with status 200": lambda: [Raw([HTML.encode()], headers={"content-type": "text/html"})],
    "reset in mid-stream": lambda: [Answer("Half", reset=True)],
    "an end without a finish": lambda: [Raw([*Answer("Half").raw("openai_chat").pieces[:2]])],
    "400": lambda: [Failure(400, {"error": {"message": "no such parameter", "type": "invalid_request_error"}})],
    "reset before the first byte, three times": lambda: [Raw([RESET])] * 3,
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failed_model_call_is_a_visible_sentence_and_an_error_and_the_next_prompt_works(
    agent: AgentProcess, vendor: Vendor, project: Path, what: str
) -> None:
    vendor.replies += [*FAILURES[what](), Answer("Better.")]
    session = agent.new(project)

    response = agent.response(agent.ask(session))

    assert "error" in response, response
    error = response["error"]
    assert error["code"] == -32603
    last = agent.updates(session)[-1]
    assert last["sessionUpdate"] == "agent_message_chunk"
    sentence = last["content"]["text"].strip()
    assert sentence.endswith((".", "!", "?"))
    assert "\n" not in sentence
    assert "fake" in sentence
    assert "<h1>" not in sentence
    assert sentence.rstrip(".") == error["message"].rstrip(".")
    assert agent.prompt(session, "again") == "end_turn"
    assert agent.said(session).endswith("Better.")
    assert vendor.replies == []


def test_a_failure_that_goes_away_is_not_seen(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    vendor.replies += [Failure(503, headers=AT_ONCE), Failure(429, headers=AT_ONCE), Answer("Third time.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert agent.said(session) == "Third time."


def test_an_empty_answer_is_asked_for_once_more(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    vendor.replies += [Answer(), Answer("Here I am.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert agent.said(session) == "Here I am."


def test_two_empty_answers_are_told(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    vendor.replies += [Answer(), Answer(), Answer("Back.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert "empty" in agent.said(session)
    assert agent.prompt(session) == "end_turn"
    assert agent.said(session).endswith("Back.")


def test_a_missing_key_is_a_visible_message_and_no_demand_to_authenticate(agent: AgentProcess, project: Path) -> None:
    session = agent.new(project)
    agent.call("session/set_model", {"sessionId": session, "modelId": "anthropic/claude-sonnet-4-5"})

    error = agent.response(agent.ask(session))["error"]

    assert error["code"] not in (-32000, 0)
    assert "ANTHROPIC_API_KEY" in agent.said(session)


def test_without_any_model_the_message_says_what_to_set(spawn: Spawn, project: Path) -> None:
    agent = spawn()
    session = agent.new(project)

    error = agent.response(agent.ask(session))["error"]

    assert error["code"] not in (-32000, 0)
    said = agent.said(session)
    assert "ANTHROPIC_API_KEY" in said
    assert '"model": "provider/model"' in said


def test_with_two_keys_and_no_model_the_candidates_are_named_and_nobody_is_asked(spawn: Spawn, project: Path) -> None:
    agent = spawn(environment={"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY})
    session = agent.new(project)

    error = agent.response(agent.ask(session))["error"]

    assert error["code"] not in (-32000, 0)
    said = agent.said(session)
    assert '"anthropic/' in said
    assert '"openai/' in said
