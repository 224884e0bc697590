"""What HTTP answers mean for a person who wants to know why a server cannot be joined."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

_LOGIN = (401, 403)


class HttpAnswers:
    """The answers of one server: `problem` says what was wrong with the first message or stream, if something was.

    Once `joined`, `on_lost` is called for an answer after which the connection is of no use: the server forgot the
    session, or (over SSE, where nobody else looks) a message was not taken.
    """

    def __init__(self, *, sse: bool, on_lost: Callable[[], None]) -> None:
        self._sse = sse
        self._on_lost = on_lost
        self.joined = False
        self.status: int | None = None
        self.problem: str | None = None
        self.forgotten = False

    def heard(self, method: str, status: int, content_type: str, location: str) -> None:
        """Take in an answer."""
        if self._sse and method == "POST":
            if status >= 300:
                self.problem = _problem(status, "", location)
                self._on_lost()
        elif method == ("GET" if self._sse else "POST"):
            self.status = status
            self.problem = _problem(status, content_type.partition(";")[0].strip().lower(), location)
            if status == 404 and self.joined:
                self.forgotten = True
                self._on_lost()

    @property
    def older(self) -> bool:
        """Whether the server may be one that only speaks the former transport."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _LOGIN


def _problem(status: int, content_type: str, location: str) -> str | None:
    if status in _LOGIN:
        return f"it wants a login (HTTP {status}); if it takes a key or token, put that into its headers"
    if 300 <= status < 400:
        parts = urlsplit(location)
        target = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        return f"its address redirects to {target[:200] or 'nowhere'}; if that is the server, use that address"
    if status == 404:
        return "there is nothing at its address (HTTP 404)"
    if status >= 400:
        return f"it answered with HTTP {status}"
    if content_type == "text/html":
        return "it answered with an HTML page, so there is no MCP server at its address"
    if status == 202 or content_type in ("application/json", "text/event-stream"):
        return None
    return f"it answered with {content_type or 'no content type'}, which is no answer of an MCP server"
