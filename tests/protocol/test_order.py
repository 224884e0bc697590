"""What may stand in another order in a transcript, and what may not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.protocol.transcripts import FOLDER, Names, canonical

SESSIONS = {"3": "<session 1>", "4": "<session 2>"}


def update(session: int, kind: str, **fields: Any) -> Any:
    params = {"sessionId": f"<session {session}>", "update": {"sessionUpdate": kind, **fields}}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


def chunk(session: int, text: str) -> Any:
    return update(session, "agent_message_chunk", content={"type": "text", "text": text})


def ended(call: int, **fields: Any) -> Any:
    return update(1, "tool_call_update", toolCallId=f"<call {call}>", status="completed", **fields)


def printed(call: int, data: str) -> Any:
    meta = {"terminal_output": {"terminal_id": f"<call {call}>", "data": data}}
    return update(1, "tool_call_update", toolCallId=f"<call {call}>", status="in_progress", _meta=meta)


def answer(id: Any) -> Any:
    return {"jsonrpc": "2.0", "id": id, "result": {"stopReason": "end_turn"}}


def same(one: list[Any], other: list[Any]) -> bool:
    return canonical(one, SESSIONS) == canonical(other, SESSIONS)


FIRST = [chunk(1, "a"), chunk(1, "b"), answer(3)]
SECOND = [chunk(2, "a"), chunk(2, "b"), answer(4)]


def test_two_sessions_may_mingle_in_every_way() -> None:
    shuffled = random.Random(1)
    for _ in range(50):
        sides = [FIRST] * len(FIRST) + [SECOND] * len(SECOND)
        shuffled.shuffle(sides)
        left = {id(FIRST): iter(FIRST), id(SECOND): iter(SECOND)}
        assert same([next(left[id(side)]) for side in sides], [*FIRST, *SECOND])


@pytest.mark.parametrize("swapped", [[1, 0, 2], [0, 2, 1]], ids=["two chunks", "the answer before its last update"])
def test_within_a_session_the_order_counts(swapped: list[int]) -> None:
    assert not same([FIRST[index] for index in swapped], FIRST)


def test_the_ends_of_two_calls_may_change_places_and_what_is_between_them_stays() -> None:
    assert same([ended(1), ended(2)], [ended(2), ended(1)])
    assert not same([ended(1), chunk(1, "a"), ended(2)], [ended(2), chunk(1, "a"), ended(1)])


def test_answers_may_change_places() -> None:
    assert same([answer(5), answer("5")], [answer("5"), answer(5)])
    assert not same([answer(5), answer(6)], [answer(5), answer(5)])


def test_output_counts_once_however_often_it_is_shown() -> None:
    exited = {"terminal_exit": {"terminal_id": "<call 1>", "exit_code": 0, "signal": None}}
    whole = {"terminal_output": {"terminal_id": "<call 1>", "data": "one\ntwo\n"}, **exited}
    at_once = [ended(1, _meta=whole)]
    assert same([printed(1, "one\n"), printed(1, "two\n"), ended(1, _meta=exited)], at_once)
    rest = {"terminal_output": {"terminal_id": "<call 1>", "data": "two\n"}, **exited}
    assert same([printed(1, "one\n"), ended(1, _meta=rest)], at_once)
    assert not same([printed(1, "one\n"), ended(1, _meta=exited)], at_once)


def test_ids_are_counted_in_each_session() -> None:
    names = Names(FOLDER)
    for number in (1, 2):
        names.placed({"jsonrpc": "2.0", "id": number, "result": {"sessionId": f"ses_{number}"}})

    def told(session: int, message: int) -> str:
        params = {"sessionId": f"ses_{session}", "update": {"messageId": f"msg_{message}"}}
        place: str = names.placed({"method": "session/update", "params": params})["params"]["update"]["messageId"]
        return place

    assert [told(2, 7), told(1, 8), told(2, 9), told(2, 7)] == [
        "<message 1 of session 2>", "<message 1>", "<message 2 of session 2>", "<message 1 of session 2>"
    ]  # fmt: skip
