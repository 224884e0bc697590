"""Golden conversations: reading and writing the files, and making what differs from run to run the same.

protocol/README.md describes the format.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from acp_agent.session.commands import COMMANDS

FOLDER = Path(__file__).parents[2] / "protocol" / "transcripts"

Speaker = Literal["client", "disk", "agent", "model"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transcript after the first. What the client says as a text stands for a line that is not JSON."""

    speaker: Speaker
    said: Any


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole file. `leaves` are the files that must stand in the working directory afterwards, with their text."""

    about: str
    files: dict[str, str]
    config: dict[str, Any]
    leaves: dict[str, str]
    entries: tuple[Entry, ...]

    @property
    def steps(self) -> list[Any]:
        """What the model says, in order."""
        return [entry.said for entry in self.entries if entry.speaker == "model"]

    def blocks(self) -> Iterator[tuple[list[Entry], list[Any]]]:
        """What the client says and does in one go, and what the agent says then; the model is left out."""
        client: list[Entry] = []
        agent: list[Any] = []
        for entry in self.entries:
            if entry.speaker == "agent":
                agent.append(entry.said)
            elif entry.speaker != "model":
                if agent:
                    yield client, agent
                    client, agent = [], []
                client.append(entry)
        yield client, agent

    def with_answers(self, answers: list[list[Any]]) -> Transcript:
        """The same conversation with other words of the agent: one list for each block."""
        return Transcript(self.about, self.files, self.config, self.leaves, tuple(self._entries(answers)))

    def _entries(self, answers: list[list[Any]]) -> Iterator[Entry]:
        steps = list(self.steps)
        calls_to_come = 0
        for (client, _), agent in zip(self.blocks(), answers, strict=True):
            yield from client
            for said in agent:
                is_call = said.get("params", {}).get("update", {}).get("sessionUpdate") == "tool_call"
                if is_call and calls_to_come:
                    calls_to_come -= 1
                elif steps and _shows(steps[0], said):
                    step = steps.pop(0)
                    calls_to_come = len(step.get("tool_calls", ())) - is_call
                    yield Entry("model", step)
                yield Entry("agent", said)
        yield from (Entry("model", step) for step in steps)

    @classmethod
    def read(cls, path: Path) -> Transcript:
        """Read a file. Raises what is wrong with it."""
        first, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]
        setup = first.get("setup", {})
        assert set(first) <= {"about", "setup", "leaves"}, path
        assert set(setup) <= {"files", "config"}, path
        entries = [Entry(speaker, said) for line in lines for speaker, said in line.items()]
        assert all(entry.speaker in ("client", "disk", "agent", "model") for entry in entries), path
        return cls(
            first["about"], setup.get("files", {}), setup.get("config", {}), first.get("leaves", {}), tuple(entries)
        )

    def write(self, path: Path) -> None:
        """Write it back as `read` reads it."""
        setup = {name: value for name, value in (("files", self.files), ("config", self.config)) if value}
        first = {"about": self.about, **({"setup": setup} if setup else {})}
        if self.leaves:
            first["leaves"] = self.leaves
        lines = [first, *({entry.speaker: entry.said} for entry in self.entries)]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8", newline="\n")


def _shows(step: Any, said: Any) -> bool:
    """Whether the agent begins to show this step of the model with this line."""
    update = said.get("params", {}).get("update", {})
    text = step.get("thinking") or step.get("text")
    match update.get("sessionUpdate"):
        case "agent_thought_chunk" | "agent_message_chunk" if text:
            return bool(text.startswith(update["content"]["text"]))
        case "agent_message_chunk" if "error" in step:
            return step["error"]["message"] in update["content"]["text"]
        case "tool_call" if not text and step.get("tool_calls"):
            return bool(update["name"] == step["tool_calls"][0]["name"])
        case _:
            return False


_PLACES_BY_KEY = {
    "updatedAt": "<time>",
    "version": "<version>",
    "durationSeconds": "<seconds>",
}
_OUR_COMMANDS = {command.name for command in COMMANDS}
_DURATION = re.compile(r"\bafter \d+\.\d s\b")


class Names:
    """Real values and the placeholders that stand for them, both ways.

    Ids get their number when the agent first tells them. What the client sends may name each that was told.
    """

    def __init__(self, cwd: Path) -> None:
        self._places = {str(cwd): "<cwd>", sys.executable: "<python>"}
        self._counts: dict[str, int] = {}

    def real(self, said: Any) -> Any:
        """What a transcript says, with the values of this run."""
        if isinstance(said, str):
            for value, place in self._places.items():
                said = said.replace(place, value)
            return said
        return self._walk(said, self.real)

    def placed(self, said: Any) -> Any:
        """What the agent said in this run, with placeholders."""
        self._learn(said)
        return self._place(said)

    def _place(self, said: Any) -> Any:
        if isinstance(said, str):
            for value, place in self._places.items():
                said = said.replace(value, place)
            return _DURATION.sub("after <seconds> s", said)
        if isinstance(said, dict):
            said = {key: _PLACES_BY_KEY.get(key, value) for key, value in said.items()}
            if "availableCommands" in said:
                # The same long list in every transcript would hide what each is about.
                others = [each for each in said["availableCommands"] if each["name"] not in _OUR_COMMANDS]
                said["availableCommands"] = ["<commands>", *others] if others else "<commands>"
        return self._walk(said, self._place)

    def _walk(self, said: Any, change: Any) -> Any:
        if isinstance(said, dict):
            return {key: change(value) for key, value in said.items()}
        return [change(value) for value in said] if isinstance(said, list) else said

    def _learn(self, said: dict[str, Any]) -> None:
        result = said.get("result")
        if isinstance(result, dict):
            if "sessionId" in result:
                self._name("session", result["sessionId"])
            if "nextCursor" in result:
                self._name("cursor", result["nextCursor"])
        params = said.get("params", {})
        if said.get("method") == "terminal/create":
            self._name("script", params["args"][0])
        update = params.get("update", {})
        # Counted in each session by itself, since several may speak at once.
        session = self._places.get(params.get("sessionId"), "").strip("<>")
        where = "" if session in ("", "session 1") else f" of {session}"
        if "messageId" in update:
            self._name("message", update["messageId"].removesuffix("-thought"), where)
        if "toolCallId" in update:
            self._name("call", update["toolCallId"], where)

    def _name(self, kind: str, value: str, where: str = "") -> None:
        if value not in self._places:
            self._counts[kind + where] = self._counts.get(kind + where, 0) + 1
            # Longer values first: msg_1 is a part of msg_10.
            self._places[value] = f"<{kind} {self._counts[kind + where]}{where}>"
            self._places = dict(sorted(self._places.items(), key=lambda item: -len(item[0])))


def is_live_output(message: Any) -> bool:
    """Whether it shows the output of a tool that still runs: how often that comes is a matter of time."""
    update = _update(message)
    if update.get("sessionUpdate") != "tool_call_update" or update.get("status") != "in_progress":
        return False
    meta = update.get("_meta", {})
    is_text = any(item["type"] == "content" for item in update.get("content", ()))
    return "terminal_info" not in meta and ("terminal_output" in meta or is_text)


def _without_live_output(said: Sequence[Any]) -> list[Any]:
    """The rest. What live output told a terminal the next update of its call tells, since nothing is sent twice."""
    kept: list[Any] = []
    told: dict[str, str] = {}
    for message in said:
        call = _update(message).get("toolCallId", "")
        output = _update(message).get("_meta", {}).get("terminal_output", {})
        if is_live_output(message):
            told[call] = told.get(call, "") + output.get("data", "")
            continue
        if told.get(call):
            message = json.loads(json.dumps(message))
            meta = _update(message).setdefault("_meta", {})
            meta["terminal_output"] = {"terminal_id": call, "data": told.pop(call) + output.get("data", "")}
        kept.append(message)
    return kept


def _update(message: Any) -> Any:
    return message.get("params", {}).get("update", {})


def session_of(message: Any) -> str | None:
    """The session that a message of either side names."""
    for part in (message.get("params"), message.get("result")):
        if isinstance(part, dict) and isinstance(part.get("sessionId"), str):
            return str(part["sessionId"])
    return None


def canonical(said: Sequence[Any], sessions: Mapping[str, str]) -> list[Any]:
    """One of the orders that mean the same, without live output."""
    return ordered(_without_live_output(said), sessions)


def ordered(said: Sequence[Any], sessions: Mapping[str, str]) -> list[Any]:
    """One of the orders that mean the same; `sessions` says to which session the answer to a request belongs.

    Neighbouring updates of different tool calls may stand in either order, since the tools run side by side; so may
    neighbouring answers to different requests, and whatever belongs to different sessions. Everything else stands as it
    was said: of two messages that may not change places, the earlier one comes first.
    """
    strands = [_Strand(message, sessions) for message in said]
    left = list(range(len(said)))
    result: list[Any] = []
    while left:
        free = [one for at, one in enumerate(left) if all(strands[one].may_pass(strands[each]) for each in left[:at])]
        first = min(free, key=lambda one: (strands[one].key, one))
        left.remove(first)
        result.append(said[first])
    return result


class _Strand:
    """To what a message belongs. `key` orders messages that may change places."""

    def __init__(self, message: Any, sessions: Mapping[str, str]) -> None:
        update = _update(message)
        is_answer = "method" not in message and message.get("id") is not None
        self.answer = json.dumps(message["id"]) if is_answer else ""
        self.call = str(update["toolCallId"]) if update.get("sessionUpdate") == "tool_call_update" else ""
        self.session = session_of(message) or sessions.get(self.answer, "")
        self.key = self.session, self.call, self.answer

    def may_pass(self, other: _Strand) -> bool:
        """Whether the two mean the same in either order."""
        calls = bool(self.call and other.call) and self.call != other.call
        answers = bool(self.answer and other.answer) and self.answer != other.answer
        sessions = bool(self.session and other.session) and self.session != other.session
        return calls or answers or sessions
