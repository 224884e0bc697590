"""A client that knows nothing of the protocol but lines: what was written, what came back, and when.

Reading runs in a thread that only stores, stamps and answers; every judgement is made on the test's own thread.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.schema.wire_lines import assert_agent_line_is_valid

Message = dict[str, Any]
Key = tuple[type, Any]

DEADLINE = 20.0
LONGEST_LINE = 8 * 1024 * 1024


class PeerError(Exception):
    """Raised by an answer function: the client answers the agent's request with this error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the agent's: the bytes without the newline, the message (None if it is none), and when it arrived."""

    at: float
    raw: bytes
    message: Any


def eventually(happened: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Look again until it happened, for what cannot be waited for; gives the true value."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while True:
        found = happened()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        pause.wait(0.002)


class LineClient:
    """The client's end of two pipes. `answers[method](params)` gives the result for a request of the agent's, or None
    for no answer, or raises `PeerError`."""

    def __init__(self, to_agent: int, from_agent: int) -> None:
        self._to_agent = to_agent
        self._from_agent = from_agent
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._may_read = threading.Event()
        self._may_read.set()
        self._numbers = itertools.count(1)
        self._pending: dict[Any, str] = {}
        self._owed: Counter[Key] = Counter()
        self._told: set[Key] = set()
        self._results: dict[Key, Line] = {}
        self._checked = 0
        self._shapes: set[str] = set()
        self._crash: BaseException | None = None
        self._rest = b""
        self.ended = threading.Event()
        self.lines: list[Line] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self._thread = threading.Thread(target=self._read, name="agent-stdout")
        self._thread.start()

    # Reading.

    def _read(self) -> None:
        try:
            while self._may_read.wait() and (data := os.read(self._from_agent, 1 << 20)):
                now = time.monotonic()
                *lines, self._rest = (self._rest + data).split(b"\n")
                for raw in lines:
                    self._arrived(Line(now, raw, _decoded(raw)))
        except BaseException as error:  # noqa: BLE001 - raised again on the test's thread
            self._crash = error
        finally:
            self.ended.set()
            with self._changed:
                self._changed.notify_all()

    def _arrived(self, line: Line) -> None:
        message = line.message
        with self._changed:
            self.lines.append(line)
            if isinstance(message, dict) and "method" not in message and "id" in message:
                self._results.setdefault((type(message["id"]), message["id"]), line)
            self._changed.notify_all()
        if isinstance(message, dict) and "method" in message and "id" in message:
            self._answer(message)

    def _answer(self, request: Message) -> None:
        make = self.answers.get(request["method"])
        if make is None:
            return
        try:
            result = make(request["params"])
        except PeerError as error:
            wire = {"code": error.code, "message": error.message}
            self.send({"jsonrpc": "2.0", "id": request["id"], "error": wire})
            return
        if result is not None:
            self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def stop_reading(self) -> None:
        """Leave what the agent writes in the pipe; one read that has begun already may still take something."""
        self._may_read.clear()

    def go_on_reading(self) -> None:
        """Take up reading again."""
        self._may_read.set()

    def join(self) -> None:
        """Wait until the agent's output ended and was read."""
        self.go_on_reading()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the agent's output has no end: something still holds it"

    # Writing.

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        with self._writing:
            view = memoryview(data)
            while view:
                view = view[os.write(self._to_agent, view) :]

    def send(self, *messages: Any) -> None:
        """Write messages, one line each, in one go."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def owe(self, method: str, id: Any) -> Any:
        """Note a request that somebody else writes: its answer may come, once."""
        with self._changed:
            self._pending[id] = method
            self._owed[type(id), id] += 1
            self._results.pop((type(id), id), None)
        return id

    def request(self, method: str, params: Any, id: Any = None) -> Message:
        """A request that is still to be sent."""
        id = self.owe(method, f"r{next(self._numbers)}" if id is None else id)
        return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}

    def forget(self, id: Any) -> None:
        """Stop waiting for an answer that need not come."""
        self.check(all_answered=False)
        self._owed.pop((type(id), id), None)

    def begin(self, method: str, params: Any, id: Any = None) -> Any:
        """Send a request; gives its id."""
        message = self.request(method, params, id)
        self.send(message)
        return message["id"]

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    # Waiting.

    def until(self, happened: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
        """Wait for lines until it happened; gives the true value."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := happened()):
                if self._crash is not None:
                    raise self._crash
                assert not self.ended.is_set(), f"the agent's output ended before {what}; last: {self.last()}"
                self._changed.wait(deadline - time.monotonic())
                assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s; last: {self.last()}"
            return found

    def last(self, count: int = 5) -> str:
        """The last lines, and whatever else helps, for messages."""
        return "\n".join(line.raw[:600].decode("utf-8", "replace") for line in self.lines[-count:])

    def answered(self, id: Any) -> Line:
        """Wait for the response to a request; gives its line."""
        key = (type(id), id)
        line: Line = self.until(lambda: self._results.get(key), f"an answer to {self._pending.get(id)} {id!r}")
        return line

    def is_answered(self, id: Any) -> bool:
        """Whether the response has come."""
        return (type(id), id) in self._results

    def response(self, id: Any) -> Message:
        """Wait for the response to a request."""
        message: Message = self.answered(id).message
        return message

    def call(self, method: str, params: Any) -> Any:
        """Make a request and give its result; an error fails the test."""
        response = self.response(self.begin(method, params))
        assert "result" in response, response
        return response["result"]

    def error(self, method: str, params: Any) -> Message:
        """Make a request that must fail, and give its error."""
        response = self.response(self.begin(method, params))
        assert "error" in response, response
        error: Message = response["error"]
        return error

    # Judging.

    def check(self, *, all_answered: bool = True) -> None:
        """Every line since the last check is one that the agent may write; every answer was owed, and comes once."""
        if self._crash is not None:
            raise self._crash
        with self._changed:
            lines, self._checked = self.lines[self._checked :], len(self.lines)
        for line in lines:
            self._check_line(line)
        if all_answered:
            owed = sorted(str(key[1]) for key, count in self._owed.items() if count > 0 and key not in self._told)
            self._told.update(key for key, count in self._owed.items() if count > 0)  # once, not in every later test
            assert not owed, f"never answered: {owed}"

    def check_end(self) -> None:
        """The output ended with a newline."""
        assert self._rest == b"", f"an unfinished last line: {self._rest[:300]!r}"

    def _check_line(self, line: Line) -> None:
        message = line.message
        assert isinstance(message, dict), f"not a JSON object: {line.raw[:300]!r}"
        assert line.raw.isascii(), f"not ASCII: {line.raw[:300]!r}"
        assert len(line.raw) < LONGEST_LINE, f"a line of {len(line.raw)} bytes"
        if "method" not in message and message.get("id") is not None:
            key = (type(message["id"]), message["id"])
            assert self._owed[key] > 0, f"an answer that nobody waits for: {line.raw[:300]!r}"
            self._owed[key] -= 1
        shape = _shape(message)
        if shape is None or shape not in self._shapes:
            assert_agent_line_is_valid(message, self._pending)
            if shape is not None:
                self._shapes.add(shape)


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _shape(message: Message) -> str | None:
    """For a chunk of text: everything about it but the text, so that of 50,000 alike only one is validated."""
    if message.get("method") != "session/update":
        return None
    update = message["params"].get("update", {})
    content = update.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        return None
    bare = {**message["params"], "update": {**update, "content": {**content, "text": ""}}}
    return json.dumps({**message, "params": bare})
