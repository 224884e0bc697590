"""Example messages for the API pages, out of the golden transcripts: for each method the shortest that is valid."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from acp_agent.cli.api_meanings import EXAMPLES
from acp_agent.schema.base import Wire
from acp_agent.schema.messages import message_types
from acp_agent.schema.slash_commands import AvailableCommand

_OUR_COMMANDS = [AvailableCommand(name="help", description="List the commands").wire()]


class Example(NamedTuple):
    """A message, and the answer if it is a request; `transcript` is where it stands."""

    transcript: str
    message: dict[str, Any]
    answer: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """One line for each message."""
        lines = [self.message] if self.answer is None else [self.message, self.answer]
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


class Examples:
    """What the transcripts of a folder show.

    `calls`, `updates` and `meta` have the shortest example of each method, update and key of `_meta`; `seen` says how
    often each transcript has a method.
    """

    def __init__(self, folder: Path) -> None:
        self.calls: dict[str, Example] = {}
        self.updates: dict[str, Example] = {}
        self.meta: dict[str, Example] = {}
        self.seen: dict[str, Counter[str]] = {}
        for path in sorted(folder.glob("*.jsonl")):
            for message, answer in _exchanges(_conversation(path)):
                self._take(Example(path.stem, message, answer))

    def _take(self, example: Example) -> None:
        method = example.message["method"]
        self.seen.setdefault(method, Counter())[example.transcript] += 1
        for message in (example.message, example.answer):
            for key in _meta_keys(message):
                _keep_shorter(self.meta, key, Example(example.transcript, message or {}))
        if not _is_valid(example):
            return
        if method == "session/update":
            _keep_shorter(self.updates, example.message["params"]["update"]["sessionUpdate"], example)
        if EXAMPLES.get(method, example.transcript) == example.transcript:
            _keep_shorter(self.calls, method, example)

    def transcripts(self, method: str, most: int) -> list[str]:
        """The transcripts that show a method best: of the example, named after it, or with many of its calls."""
        found = self.seen.get(method, Counter())
        words = set(method.replace("/", "_").split("_")) - {"session"}
        first = self.calls[method].transcript if method in self.calls else ""

        def rank(name: str) -> tuple[bool, int, int]:
            return name != first, -len(words & set(name.split("_"))), -found[name]

        return sorted(sorted(sorted(found), key=rank)[:most])


def _keep_shorter(kept: dict[str, Example], key: str, example: Example) -> None:
    if key not in kept or len(example.text) < len(kept[key].text):
        kept[key] = example


def _conversation(path: Path) -> list[tuple[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    said = [entry for line in lines for entry in json.loads(line).items()]
    return [(speaker, _with_commands(message)) for speaker, message in said if isinstance(message, dict)]


def _with_commands(message: dict[str, Any]) -> dict[str, Any]:
    """The message with a command in the place of the placeholder for all of ours."""
    update = message.get("params", {}).get("update", {}) if isinstance(message.get("params"), dict) else {}
    commands = update.get("availableCommands")
    if commands is not None:
        others = commands[1:] if isinstance(commands, list) else []
        update["availableCommands"] = [*_OUR_COMMANDS, *others]
    return message


def _exchanges(said: list[tuple[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Every call of a known method, with its answer from the other side."""
    for at, (speaker, message) in enumerate(said):
        if message.get("method") not in message_types:
            continue
        if "id" not in message:
            yield message, None
            continue
        for other, answer in said[at:]:
            if other not in (speaker, "model", "disk") and "method" not in answer and answer.get("id") == message["id"]:
                yield message, answer
                break


def _is_valid(example: Example) -> bool:
    """Whether message and answer are what the types say, and no error; nor a session that is meant not to exist."""
    if "ses_none" in example.text:
        return False
    types = message_types[example.message["method"]]
    if example.answer is None:
        return types.result is None and _fits(types.params, example.message.get("params"))
    if types.result is None or "result" not in example.answer:
        return False
    return _fits(types.params, example.message.get("params")) and _fits(types.result, example.answer["result"])


def _fits(type_: type[Wire], value: Any) -> bool:
    try:
        type_.parse(value)
    except ValidationError:
        return False
    return True


def _meta_keys(node: Any) -> Iterator[str]:
    """The keys of every `_meta` in a message."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_meta" and isinstance(value, dict):
                yield from value
            yield from _meta_keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from _meta_keys(value)
