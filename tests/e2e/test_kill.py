"""kill -9 in mid-turn: the next process shows all that was told, and goes on with a valid history."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.lines import Message, eventually
from tests.e2e.process import AgentProcess, vendor_config
from tests.e2e.states import chunk, in_the_middle
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call, Raw

pytestmark = pytest.mark.e2e

LOST_AT_MOST = 0.25
"""Seconds of streamed text that a kill may cost."""


@dataclass
class Killed:
    """What two processes told of the same sessions: the first until it was killed, the second when it loaded them."""

    project: Path
    told: dict[str, list[Message]]
    shown_again: dict[str, list[Message]]
    ids: dict[str, str]
    agent: AgentProcess


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, package_vendor: Vendor) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    home, project = folder / "home", folder / "project"
    home.mkdir()
    project.mkdir()
    (project / "a.txt").write_text("one\n")
    vendor = package_vendor
    vendor.replies.clear()
    first = AgentProcess(home, vendor_config(vendor))
    try:
        ids = _work(first, vendor, project)
        first.kill()
        first.join()
        told = {name: everything_told(first, id) for name, id in ids.items()}
    finally:
        first.close()
    agent = AgentProcess(home, vendor_config(vendor))
    agent.initialize()
    shown_again = {name: agent.load(id, project) for name, id in ids.items()}
    yield Killed(project, told, shown_again, ids, agent)
    agent.close()


def _work(agent: AgentProcess, vendor: Vendor, project: Path) -> dict[str, str]:
    agent.initialize()
    done = agent.new(project)
    plan = [{"content": "Look", "status": "in_progress", "priority": "high"}]
    calls = [
        bash("echo hello"),
        bash("exit 3"),
        _call("read", filePath="a.txt"),
        _call("edit", filePath="a.txt", oldString="one", newString="two"),
        _call("todowrite", todos=plan),
    ]
    vendor.replies += [Answer("First. ", thinking="Hm. ", calls=calls), Answer(["All ", "done."])]
    assert agent.prompt(done, "work") == "end_turn"
    growing = agent.new(project)
    more = Event()
    vendor.replies.append(Raw([chunk("Old. "), more, chunk("New. "), Event()]))
    agent.ask(growing, "tell")
    agent.see_text(growing, "Old. ")
    seen = time.monotonic()
    middle = in_the_middle(agent, vendor, project)
    eventually(lambda: time.monotonic() > seen + 2 * LOST_AT_MOST, "the time in which text may be lost")
    more.set()
    agent.see_text(growing, "New. ")
    return {"done": done, "growing": growing, "bash": middle.bash, "asked": middle.asked}


def _call(name: str, **arguments: Any) -> Call:
    return Call(name, json.dumps(arguments))


def everything_told(agent: AgentProcess, session: str) -> list[Message]:
    """The updates, and what a permission request said of its call."""
    found = []
    for line in agent.lines:
        params = line.message.get("params", {})
        if params.get("sessionId") == session:
            found.append(params.get("update") or {"sessionUpdate": "tool_call_update", **params["toolCall"]})
    return found


def canonical(updates: list[Message]) -> list[Any]:
    """A conversation however it was cut: texts joined, of a call and of the plan the latest state, where they began."""
    found: dict[str, Any] = {}
    for update in updates:
        match update["sessionUpdate"]:
            case "agent_message_chunk" | "agent_thought_chunk" as kind:
                key = f"{kind} {update['messageId']}"
                found[key] = found.get(key, "") + update["content"]["text"]
            case "tool_call" | "tool_call_update":
                shown = {name: value for name, value in update.items() if name != "sessionUpdate" and value is not None}
                found[update["toolCallId"]] = {**found.get(update["toolCallId"], {}), **shown}
            case "plan":
                found["plan"] = update["entries"]
            case "usage_update":
                found["usage"] = update["used"], update["size"]
    return sorted(found.items())


def test_a_finished_turn_is_shown_as_it_was_told(killed: Killed) -> None:
    assert canonical(killed.shown_again["done"]) == canonical(killed.told["done"])


def test_the_replay_begins_with_the_prompt(killed: Killed) -> None:
    for name, text in {"done": "work", "growing": "tell", "bash": "run", "asked": "push"}.items():
        first = killed.shown_again[name][0]
        assert (first["sessionUpdate"], first["content"]) == ("user_message_chunk", {"type": "text", "text": text})


def test_streamed_text_is_there_but_for_the_last_quarter_of_a_second(killed: Killed) -> None:
    ((_, text),) = canonical(killed.shown_again["growing"])
    assert text in ("Old. ", "Old. New. ")


@pytest.mark.parametrize("name", ["bash", "asked"])
def test_an_open_call_is_shown_as_failed_with_what_was_told_of_it(killed: Killed, name: str) -> None:
    told, shown = dict(canonical(killed.told[name])), dict(canonical(killed.shown_again[name]))
    (call_id,) = [key for key in told if key.startswith("call_")]
    call, before = shown.pop(call_id), told.pop(call_id)
    assert shown == told
    assert before["status"] != "failed"
    assert call["status"] == "failed"
    assert {key: call.get(key) for key in ("title", "kind", "name")} == {
        key: before.get(key) for key in ("title", "kind", "name")
    }
    assert before.get("rawInput") in (None, call["rawInput"])


@pytest.mark.parametrize("name", ["done", "growing", "bash", "asked"])
def test_the_next_prompt_works_with_a_valid_history(killed: Killed, vendor: Vendor, name: str) -> None:
    vendor.replies.append(Answer("Going on."))

    assert killed.agent.prompt(killed.ids[name], "go on") == "end_turn"

    messages = vendor.requests[-1].body["messages"]
    assert messages[-1]["role"] == "user"
    results = [message for message in messages if message["role"] == "tool"]
    assert len(results) == {"done": 5, "growing": 0, "bash": 1, "asked": 1}[name]


def test_a_second_load_shows_the_same_again(killed: Killed) -> None:
    for name, id in killed.ids.items():
        once, twice = killed.agent.load(id, killed.project), killed.agent.load(id, killed.project)
        assert once == twice, name


def test_a_kill_right_after_the_prompt_was_answered_loses_nothing(
    spawn: Any, vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    agent = spawn(vendor_config(vendor))
    session = agent.new(project)
    vendor.replies.append(Answer("Last words."))
    assert agent.prompt(session, "quick") == "end_turn"
    agent.kill()

    again = spawn(vendor_config(vendor))

    assert canonical(again.load(session, project)) == canonical(agent.updates(session))
