"""A vendor on this machine: plays chat completions and messages over HTTP, by script, and keeps what it was asked.

    with vendor_server() as vendor:
        vendor.replies += [Answer("Hello"), Failure(429, headers={"retry-after": "2"})]
        ... talk to vendor.openai_url or vendor.anthropic_url, from here or from a child process ...
        assert vendor.requests[0].body["model"] == "small"

Each request takes the next reply; one that the real vendor would refuse is answered 400 and takes none.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias

from tests.fakes.vendor_rules import anthropic_fault, openai_fault

WireApi: TypeAlias = Literal["openai_chat", "anthropic"]


class Reset:
    """A piece of a reply: cut the connection, without a goodbye."""


RESET = Reset()

# Bytes are sent at once; an event is waited for, as long as the client stays.
Piece: TypeAlias = bytes | threading.Event | Reset


@dataclass
class Raw:
    """A reply byte by byte. `framing`: with `close` the body ends with the connection."""

    pieces: Sequence[Piece]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    framing: Literal["chunked", "close"] = "chunked"


@dataclass
class Call:
    """A tool call of an answer, its arguments in the pieces in which they are sent."""

    name: str
    arguments: str | Sequence[str] = "{}"
    id: str | None = "call_vendor"

    @property
    def pieces(self) -> Sequence[str]:
        return [self.arguments] if isinstance(self.arguments, str) else self.arguments


_USAGE = {"input": 10, "output": 5}


@dataclass
class Answer:
    """A model's answer, played in the wire format of the path that was asked.

    `finish` is the vendor's word for the end, by default the fitting one. After the text comes `pause`, then, if `reset`
    is set, the connection is cut; otherwise the calls follow and the end. `split` sends pieces of that many bytes.
    `usage` is the vendor's own object; None leaves it out.
    """

    text: str | Sequence[str] = ()
    thinking: str | Sequence[str] = ()
    calls: Sequence[Call] = ()
    usage: Mapping[str, Any] | None = field(default_factory=lambda: dict(_USAGE))
    finish: str | None = None
    done: bool = True
    pause: threading.Event | None = None
    reset: bool = False
    split: int | None = None

    def raw(self, api: WireApi) -> Raw:
        """The reply in that wire format."""
        pieces = list(_chat_pieces(self) if api == "openai_chat" else _message_pieces(self))
        if self.split is None:
            return Raw(pieces)
        small: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                small += [piece[at : at + self.split] for at in range(0, len(piece), self.split)]
            else:
                small.append(piece)
        return Raw(small)


@dataclass
class Failure:
    """An HTTP error. A body that is no string is sent as JSON."""

    status: int
    body: Any = field(default_factory=lambda: {"error": {"message": "scripted failure", "type": "server_error"}})
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> Raw:
        """The reply."""
        is_text = isinstance(self.body, str)
        body = self.body.encode() if is_text else json.dumps(self.body).encode()
        kind = "text/html" if is_text else "application/json"
        return Raw([body], self.status, {"content-type": kind, **self.headers})


def document(body: Any, status: int = 200) -> Failure:
    """A reply of one JSON document."""
    return Failure(status, body)


def sse(*events: Any, done: bool = False) -> bytes:
    """Events as chat completions send them: JSON behind `data:`."""
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"] if done else lines).encode()


def named_sse(*events: Mapping[str, Any]) -> bytes:
    """Events as messages send them: the type is the event's name too."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


@dataclass
class Received:
    """A request as it came; header names in lower case.

    `finished` is set when the reply was sent to its end, `closed` when the client closed the connection before that.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    connection: int
    fault: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)


Reply: TypeAlias = Answer | Raw | Failure
Scripted: TypeAlias = Reply | Callable[[Received], Reply]


class Vendor:
    """The running server. `replies` may be added to at any time; a function among them is asked for the reply.

    `otherwise` answers when there are none left; without it the answer is a 400.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.openai_url = f"{self.url}/v1"
        self.anthropic_url = self.url
        self.replies: list[Scripted] = []
        self.otherwise: Scripted | None = None
        self.requests: list[Received] = []
        self.stopping = threading.Event()
        self.crashes: list[BaseException] = []
        self._changed = threading.Condition()

    def wait_for_requests(self, number: int, timeout: float = 5) -> None:
        """Block until so many requests have come. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= number, timeout):
                raise TimeoutError(f"{len(self.requests)} requests instead of {number}")

    def received(self, request: Received) -> Reply:
        """Keep the request and choose its reply."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            if request.fault is not None:
                return Failure(400, {"error": {"message": request.fault, "type": "invalid_request_error"}})
            reply = self.replies.pop(0) if self.replies else self.otherwise
        if reply is None:
            return Failure(400, {"error": {"message": "no further reply", "type": "invalid_request_error"}})
        return reply if isinstance(reply, Answer | Raw | Failure) else reply(request)


@contextmanager
def vendor_server() -> Iterator[Vendor]:
    """A vendor on a free port of 127.0.0.1, stopped at the end together with all its connections."""
    server = _Server(("127.0.0.1", 0), _Handler)
    vendor = server.vendor = Vendor(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="vendor")
    thread.start()
    try:
        yield vendor
    finally:
        vendor.stopping.set()
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()
    if vendor.crashes:
        raise vendor.crashes[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64
    vendor: Vendor

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sockets: set[socket.socket] = set()
        self._accepted = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self._sockets.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Wake all who read from a connection."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.vendor.crashes.append(error)

    def next_connection(self) -> int:
        self._accepted += 1
        return self._accepted


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._number = self.server.next_connection()
        self._reset = False
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(content) if content else None
        except ValueError:
            body = content
        api = _api(self.path)
        fault = None if api is None else openai_fault(body) if api == "openai_chat" else anthropic_fault(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, body, self._number, fault)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(self.connection, received, over), name="vendor-watcher")
        watcher.start()
        reply = self.server.vendor.received(received)
        if api is None and not isinstance(reply, Raw):
            reply = Failure(404, {"error": {"message": f"no such path {self.path}"}})
        raw = reply if isinstance(reply, Raw) else reply.raw() if isinstance(reply, Failure) else reply.raw(api)
        try:
            self._play(raw, received)
        except (OSError, _GoneError):
            self.close_connection = True
        finally:
            # A socket that somebody watches is not really closed by closing it.
            over.set()
            watcher.join()
            if not self.close_connection or raw.framing == "close":
                received.finished.set()

    def _play(self, raw: Raw, received: Received) -> None:
        pieces = iter(raw.pieces)
        first = next(pieces, b"")
        # What stands before the first bytes happens before the headers are sent.
        while not isinstance(first, bytes):
            self._wait_or_reset(first, received)
            first = next(pieces, b"")
        self.send_response(raw.status)
        for name, value in raw.headers.items():
            self.send_header(name, value)
        if raw.framing == "chunked":
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        self._send(first, raw)
        for piece in pieces:
            if isinstance(piece, bytes):
                self._send(piece, raw)
            else:
                self._wait_or_reset(piece, received)
        if raw.framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _send(self, piece: bytes, raw: Raw) -> None:
        if piece:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if raw.framing == "chunked" else piece)

    def _wait_or_reset(self, piece: threading.Event | Reset, received: Received) -> None:
        if isinstance(piece, Reset):
            self._reset = True
            raise _GoneError
        while not piece.wait(0.005):
            if received.closed.is_set() or self.server.vendor.stopping.is_set():
                raise _GoneError

    def finish(self) -> None:
        super().finish()
        if self._reset:
            # Lingering for no time at all makes the system send a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class _GoneError(Exception):
    """There is nobody to talk to any more."""


def _watch(connection: socket.socket, received: Received, over: threading.Event) -> None:
    """Notice that the client goes away during the reply, without taking a byte of its next request."""
    while not over.is_set():
        if select.select([connection], [], [], 0.005)[0]:
            try:
                gone = connection.recv(1, socket.MSG_PEEK) == b""
            except OSError:
                gone = True
            if gone:
                received.closed.set()
            return


def _api(path: str) -> WireApi | None:
    if path.endswith("/chat/completions"):
        return "openai_chat"
    return "anthropic" if path.endswith("/messages") else None


def _pieces(text: str | Sequence[str]) -> Sequence[str]:
    return ([text] if text else []) if isinstance(text, str) else text


def _chat_pieces(answer: Answer) -> Iterator[Piece]:
    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "fake", "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(answer.thinking):
        yield chunk({"reasoning_content": piece})
    for piece in _pieces(answer.text):
        yield chunk({"content": piece})
    if answer.pause is not None:
        yield answer.pause
    for index, call in enumerate(answer.calls):
        first = {"index": index, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [first if call.id is None else {**first, "id": f"{call.id}_{index}"}]})
        for piece in call.pieces:
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if answer.reset:
        yield RESET
    yield chunk({}, answer.finish or ("tool_calls" if answer.calls else "stop"))
    if answer.usage is not None:
        usage = dict(answer.usage)
        if "input" in usage:
            usage = {"prompt_tokens": usage["input"], "completion_tokens": usage.get("output", 0)}
        yield sse({"choices": [], "usage": usage})
    if answer.done:
        yield b"data: [DONE]\n\n"


def _message_pieces(answer: Answer) -> Iterator[Piece]:
    usage = dict(answer.usage or {})
    given = {"input_tokens": usage.pop("input")} if "input" in usage else usage
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "content": [], "usage": given}
    yield named_sse({"type": "message_start", "message": start}, {"type": "ping"})
    index = 0
    for kind, delta, field_name, pieces in (
        ("thinking", "thinking_delta", "thinking", _pieces(answer.thinking)),
        ("text", "text_delta", "text", _pieces(answer.text)),
    ):
        if not pieces:
            continue
        yield named_sse({"type": "content_block_start", "index": index, "content_block": {"type": kind, kind: ""}})
        for piece in pieces:
            inner = {"type": delta, field_name: piece}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if kind == "thinking":
            inner = {"type": "signature_delta", "signature": "signed"}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if kind == "text" and answer.pause is not None:
            yield answer.pause
        yield named_sse({"type": "content_block_stop", "index": index})
        index += 1
    if answer.pause is not None and not _pieces(answer.text):
        yield answer.pause
    for call in answer.calls:
        block = {"type": "tool_use", "id": f"{call.id}_{index}", "name": call.name, "input": {}}
        yield named_sse({"type": "content_block_start", "index": index, "content_block": block})
        for piece in call.pieces:
            inner = {"type": "input_json_delta", "partial_json": piece}
            yield named_sse({"type": "content_block_delta", "index": index, "delta": inner})
        if not (answer.reset and call is answer.calls[-1]):
            yield named_sse({"type": "content_block_stop", "index": index})
        index += 1
    if answer.reset:
        yield RESET
    reason = answer.finish or ("tool_use" if answer.calls else "end_turn")
    out = {"output_tokens": usage["output"]} if "output" in usage else None
    yield named_sse({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": out})
    if answer.done:
        yield named_sse({"type": "message_stop"})
