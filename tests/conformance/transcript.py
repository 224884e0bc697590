"""Judging order: questions to the raw lines of a conversation, in the order in which the agent wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.e2e.process import AgentProcess
from tests.harness import RawClient

Message = dict[str, Any]

STOP_REASONS = {"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"}
ENDS = {"completed", "failed"}

BETWEEN_TURNS = {
    "available_commands_update",
    "config_option_update",
    "current_mode_update",
    "notice",
    "session_info_update",
    "usage_update",
}
"""Updates that tell of the session rather than of a turn: they may come when no prompt runs."""

EVERYTHING: Message = {
    "fs": {"readTextFile": True, "writeTextFile": True},
    "terminal": True,
    "auth": {"terminal": True},
    "elicitation": {"form": {}, "url": {}},
    "session": {"configOptions": {"boolean": {}}, "notices": {}, "compaction": {}},
}
"""Client capabilities: all that the stable schema knows."""


def written(client: RawClient | AgentProcess) -> list[Message]:
    """What the agent wrote so far, decoded, in order."""
    if isinstance(client, RawClient):
        return [message for who, message in client.lines if who == "agent"]
    return [line.message for line in client.lines]


def is_response(line: Message, id: Any) -> bool:
    """Whether this answers the request with this very id: the number 1 is not the text 1."""
    return "method" not in line and type(line.get("id")) is type(id) and line.get("id") == id


def place_of_response(lines: Sequence[Message], id: Any) -> int:
    """Where the one response to a request stands; fails if there is none, or a second one."""
    places = [place for place, line in enumerate(lines) if is_response(line, id)]
    assert len(places) == 1, f"{len(places)} responses to {id!r}"
    return places[0]


def updates_of(lines: Sequence[Message], session: str, *kinds: str) -> Iterator[tuple[int, Message]]:
    """The updates of a session with their places, of these kinds or of all."""
    for place, line in enumerate(lines):
        if line.get("method") == "session/update" and line["params"]["sessionId"] == session:
            update = line["params"]["update"]
            if not kinds or update["sessionUpdate"] in kinds:
                yield place, update


def assert_nothing_of_the_turn_follows(lines: Sequence[Message], session: str, place: int) -> None:
    """Behind this place stands nothing for the session but what may come between turns."""
    late = [update for at, update in updates_of(lines, session) if at > place]
    assert {update["sessionUpdate"] for update in late} <= BETWEEN_TURNS, late


def assert_calls_go_their_way(lines: Sequence[Message], session: str, before: int | None = None) -> None:
    """Every tool call is reported once, then updated, and has come to an end before that place."""
    statuses: dict[str, list[str]] = {}
    for _, update in updates_of(lines[:before], session, "tool_call", "tool_call_update"):
        id = update["toolCallId"]
        if update["sessionUpdate"] == "tool_call":
            assert id not in statuses, f"{id} was reported twice"
            statuses[id] = [update.get("status", "pending")]
        else:
            assert id in statuses, f"{id} was updated before it was reported"
            assert statuses[id][-1] not in ENDS, f"{id} was updated after its end"
            statuses[id].append(update.get("status") or statuses[id][-1])
    for id, seen in statuses.items():
        order = [status for at, status in enumerate(seen) if at == 0 or seen[at - 1] != status]
        rank = ["pending", "in_progress", "completed", "failed"]
        assert order == sorted(order, key=rank.index), f"{id}: {order}"
        assert order[-1] in ENDS, f"{id} has no end: {order}"


def text_of(lines: Sequence[Message], session: str, kind: str = "agent_message_chunk") -> str:
    """The text of a kind of chunk, put together."""
    return "".join(update["content"].get("text", "") for _, update in updates_of(lines, session, kind))


async def settle(client: RawClient) -> None:
    """Let the agent say whatever it still has to say: some questions, one after the other, each of them answered."""
    for _ in range(5):
        await client.call("session/list", {})
