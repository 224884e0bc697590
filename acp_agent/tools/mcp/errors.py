"""What can go wrong between us and an MCP server; each message is one line for a person or a model."""

from __future__ import annotations

from acp_agent.tools.truncate import console_text

_LONGEST = 500


class ServerFailed(Exception):
    """The server cannot be joined. The message says why, without the server's name."""


class ServerGone(Exception):
    """The connection ended before the answer came. `delivered` is False if the server surely did not act on it."""

    def __init__(self, message: str, *, delivered: bool = True) -> None:
        super().__init__(message)
        self.delivered = delivered


class ServerRefused(Exception):
    """The server answered the request with an error; the message is the server's, shortened to one line."""


def one_line(text: str, limit: int = _LONGEST) -> str:
    """Text of a server's on one line, without control characters, at most `limit` characters."""
    line = " ".join(console_text(text[: 8 * limit]).split())
    return line if len(line) <= limit else f"{line[:limit]}…"
