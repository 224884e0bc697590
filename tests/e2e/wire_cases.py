"""Reads the hostile lines that lie beside the repository, turns each into bytes, and judges what came back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.lines import Line, LineClient, Message

FILE = Path(__file__).parents[2].parent / "shared" / "reference" / "faults" / "wire_cases.jsonl"


@dataclass(frozen=True)
class Case:
    """One case. `expect` and `acceptable` are the outcomes that are right."""

    id: str
    why: str
    phase: str
    level: str
    outcomes: tuple[Message, ...]
    wire: Message = field(default_factory=dict)
    scenario: str | None = None


def cases() -> list[Case]:
    """The cases, none where the file is missing."""
    return list(_read(FILE)) if FILE.exists() else []


def _read(file: Path) -> Iterator[Case]:
    for text in file.read_text(encoding="utf-8").splitlines():
        raw = json.loads(text)
        generated = raw.get("gen", {})
        scenario = generated.get("name") if generated.get("kind") == "scenario" else None
        outcomes = (raw["expect"], *raw.get("acceptable", ()))
        wire = {key: raw[key] for key in ("send", "send_b64", "gen") if key in raw}
        yield Case(raw["id"], raw["why"], raw["phase"], raw["level"], outcomes, wire, scenario)


def prompt_line(session: str, blocks: str, id: Any) -> bytes:
    """A prompt whose content blocks are given as JSON text."""
    return (
        f'{{"jsonrpc":"2.0","id":{json.dumps(id)},"method":"session/prompt",'
        f'"params":{{"sessionId":{json.dumps(session)},"prompt":{blocks}}}}}\n'
    ).encode()


def payload(case: Case, cwd: Path, session: str) -> list[bytes]:
    """What the case writes, in the pieces in which it is written."""
    match case.wire:
        case {"send": str(text)}:
            text = text.replace("__CWD__", json.dumps(str(cwd))[1:-1]).replace("__SID__", session)
            return [text.encode() + b"\n"]
        case {"send_b64": str(text)}:
            return [base64.b64decode(text)]
        case {"gen": {"kind": "dribble", "send": str(text)}}:
            return [bytes([byte]) for byte in text.encode() + b"\n"]
        case {"gen": {"kind": "prompt_text", "bytes": int(size), "id": id}}:
            return [prompt_line(session, f'[{{"type":"text","text":"{"x" * size}"}}]', id)]
        case {"gen": {"kind": "prompt_raw", "json_text": str(text), "id": id}}:
            return [prompt_line(session, f'[{{"type":"text","text":{text}}}]', id)]
        case {"gen": {"kind": "prompt_blocks", "blocks": blocks, "id": id}}:
            return [prompt_line(session, json.dumps(blocks), id)]
        case {"gen": {"kind": "nested", "open": str(begin), "close": str(end), "n": int(count)}}:
            return [f"{begin * count}{end * count}\n".encode()]
        case {"gen": {"kind": "long_method", "n": int(size), "id": id}}:
            return [json.dumps({"jsonrpc": "2.0", "id": id, "method": "m" * size}).encode() + b"\n"]
        case other:
            raise AssertionError(f"{case.id}: unknown kind of case {other}")


def run(case: Case, client: LineClient, data: list[bytes], probe: Callable[[], Any]) -> None:
    """Write the case, wait for its answers, and judge them; `probe` makes a request that must be answered as ever."""
    ids = {outcome["id"] for outcome in case.outcomes if outcome.get("id") is not None}
    ids |= {case.wire["gen"]["id"]} if "id" in case.wire.get("gen", {}) else set()
    for id in ids:
        client.owe(_method(data), id)
    mark = len(client.lines)
    for piece in data:
        client.write(piece)
    if {"reply": "none"} in case.outcomes:
        probe()
    else:
        client.until(lambda: _answers(client.lines[mark:], ids), f"an answer to {case.id}")
    answers = _answers(client.lines[mark:], ids)
    assert any(_fits(outcome, answers) for outcome in case.outcomes), (
        f"{case.why}: {[line.raw[:300] for line in answers]}"
    )
    for id in ids:
        client.forget(id)
    if not data[-1].endswith(b"\n"):
        client.write(b"\n")  # the line that the case left unfinished is not the next request's beginning
    probe()


def _method(data: list[bytes]) -> str:
    try:
        method = json.loads(b"".join(data))["method"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "_unknown"
    return method if isinstance(method, str) else "_unknown"


def _answers(lines: list[Line], ids: set[Any]) -> list[Line]:
    """The responses to the case: those with its id, and errors without one."""
    found = []
    for line in lines:
        message = line.message
        if "method" not in message and (message["id"] is None or _is_one_of(message["id"], ids)):
            found.append(line)
    return found


def _is_one_of(id: Any, ids: set[Any]) -> bool:
    return any(type(id) is type(one) and id == one for one in ids)


def _fits(outcome: Message, answers: list[Line]) -> bool:
    messages = [line.message for line in answers]
    if outcome == {"reply": "none"}:
        return not messages
    if len(messages) != 1:
        return False
    (message,) = messages
    match outcome:
        case {"reply": "any" | "result-or-error"}:
            return True
        case {"reply": "any-error"}:
            return "error" in message
        case {"error": code, "id": id}:
            right = type(message["id"]) is type(id) and message["id"] == id
            return right and "error" in message and code in ("any", message["error"]["code"])
        case {"result": wanted, "id": id}:
            right = type(message["id"]) is type(id) and message["id"] == id and "result" in message
            return right and (wanted is True or wanted.items() <= message["result"].items())
    raise AssertionError(f"unknown outcome {outcome}")
