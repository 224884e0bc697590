"""The messages between a client that somebody else wrote and the agent, in the order of the lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.schema.wire_lines import assert_agent_line_is_valid

Message = dict[str, Any]


class Wire:
    """`messages` holds who spoke, `client` or `agent`, and the message. More may be added at any time."""

    def __init__(self, messages: Sequence[tuple[str, Message]] = ()) -> None:
        self.messages: list[tuple[str, Message]] = []
        self._pending: dict[Any, str] = {}
        for who, message in messages:
            self.add(who, message)

    def add(self, who: str, message: Message) -> None:
        """Take the next message."""
        if who == "client" and "id" in message and "method" in message:
            self._pending[message["id"]] = message["method"]
        self.messages.append((who, message))

    def check(self) -> None:
        """The agent wrote only what it may write, and answered every request of the client once."""
        answered: list[Any] = []
        for who, message in self.messages:
            if who == "agent":
                assert_agent_line_is_valid(message, self._pending)
                if "method" not in message:
                    answered.append(message["id"])
        assert sorted(map(str, answered)) == sorted(map(str, self._pending)), "a request is answered, and once"

    def kinds(self, start: int = 0) -> list[str]:
        """The agent's messages in short: the kind of an update with its status, a method, or `answer`."""
        found = []
        for who, message in self.messages[start:]:
            if who != "agent":
                continue
            update = message.get("params", {}).get("update", {})
            kind = update.get("sessionUpdate") or message.get("method") or "answer"
            found.append(f"{kind} {update['status']}" if update.get("status") else kind)
        return found

    def sent(self, method: str) -> list[Any]:
        """The params of the client's requests and notifications of a method."""
        return [message.get("params") for who, message in self.messages if who == "client" and _is(message, method)]

    def asked(self, method: str) -> list[Any]:
        """The params of the agent's requests of a method."""
        return [message["params"] for who, message in self.messages if who == "agent" and _is(message, method)]

    def answers(self, method: str) -> list[Message]:
        """The agent's whole responses to a method, in the order of the requests."""
        ids = [id for id, asked in self._pending.items() if asked == method]
        found = {message["id"]: message for who, message in self.messages if who == "agent" and "method" not in message}
        return [found[id] for id in ids if id in found]

    def results(self, method: str) -> list[Any]:
        """The results of a method's requests; an error among them fails the test."""
        return [message["result"] for message in self.answers(method)]

    def updates(self, *kinds: str, session: str | None = None) -> list[Message]:
        """The updates of these kinds, or all, of a session, or of all."""
        return [
            params["update"]
            for params in self.asked("session/update")
            if (not kinds or params["update"]["sessionUpdate"] in kinds) and session in (None, params["sessionId"])
        ]

    def said(self) -> str:
        """The text that the agent said."""
        return "".join(update["content"]["text"] for update in self.updates("agent_message_chunk"))

    def shown(self, update: str, method: str) -> bool:
        """Whether an update of a kind came behind the request of a method and before its response: a replay."""
        begin = next(at for at, (who, message) in enumerate(self.messages) if who == "client" and _is(message, method))
        id = self.messages[begin][1]["id"]
        end = next(
            at
            for at, (who, message) in enumerate(self.messages)
            if who == "agent" and at > begin and "method" not in message and message["id"] == id
        )
        return any(update in json.dumps(message) for who, message in self.messages[begin:end] if who == "agent")


def _is(message: Message, method: str) -> bool:
    return message.get("method") == method
