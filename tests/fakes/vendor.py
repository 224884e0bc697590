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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from tests.fakes.vendor_replies import (
    RESET,
    Answer,
    Call,
    Failure,
    Raw,
    Reply,
    Reset,
    WireApi,
    document,
    named_sse,
    sse,
)
from tests.fakes.vendor_rules import anthropic_fault, openai_fault

__all__ = [
    "RESET",
    "Answer",
    "Call",
    "Failure",
    "Raw",
    "Received",
    "Vendor",
    "document",
    "named_sse",
    "sse",
    "vendor_server",
]


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
