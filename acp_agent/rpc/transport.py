"""What a connection needs of whatever carries its messages. Framing is the transport's own business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class MessageTooLong(Exception):
    """A message above the limit arrived and was discarded; the next `receive` goes on behind it."""


class EndOfMessages(Exception):
    """The peer will send nothing more."""


class Transport(Protocol):
    """Whole messages as bytes, in order, in both directions."""

    async def receive(self) -> bytes:
        """The next message. Raises `MessageTooLong`, or `EndOfMessages` for good."""

    async def send(self, messages: Sequence[bytes]) -> None:
        """Hand over messages, whole and in order; returns when they are written. Raises `EndOfMessages`."""

    def close(self) -> None:
        """Give back what is held here; the peer sees the end. Called once, when nothing is sent any more."""
