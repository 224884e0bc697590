"""A model server for measuring: OpenAI-compatible, answers at once, and writes the time of sending into each chunk.

`python benchmarks/server.py` prints its port. The last user message says what to do: `chunks N PAUSE` streams N
chunks with PAUSE seconds between them; `tools N NAME JSON` calls a tool N times, then ends (CALL in the JSON is the
number of the call). Each request's arrival and each answer's end are noted and given by GET /times.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMES: list[tuple[str, int]] = []


class Handler(BaseHTTPRequestHandler):
    """One request of the agent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = json.dumps(TIMES).encode()
        TIMES.clear()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        TIMES.append(("request", time.monotonic_ns()))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._answer(body["messages"])
        self._event(None, "[DONE]")
        self.wfile.write(b"0\r\n\r\n")
        TIMES.append(("answered", time.monotonic_ns()))

    def _answer(self, messages: list[dict[str, Any]]) -> None:
        asked = [message for message in messages if message["role"] == "user"][-1]
        text = asked["content"] if isinstance(asked["content"], str) else asked["content"][0]["text"]
        what, count, *rest = text.split(" ", 3)
        done = sum(message["role"] == "tool" for message in messages[messages.index(asked) :])
        if what == "tools" and done < int(count):
            name, arguments = rest
            call = {
                "index": 0,
                "id": f"c{done}",
                "function": {"name": name, "arguments": arguments.replace("CALL", str(done + 1))},
            }
            self._event({"tool_calls": [call]})
            self._event({}, finish="tool_calls")
            return
        if what == "chunks":
            pause = float(rest[0])
            for _ in range(int(count)):
                self._event({"content": f"{time.monotonic_ns()} "})
                if pause:
                    time.sleep(pause)
        else:
            self._event({"content": "done"})
        self._event({}, finish="stop")

    def _event(self, delta: dict[str, Any] | None, raw: str = "", finish: str | None = None) -> None:
        data = raw or json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        event = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
