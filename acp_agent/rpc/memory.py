"""Two ends of a connection inside one process: for `agent run`, the console, and tests."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from acp_agent.rpc.messages import MAX_MESSAGE_BYTES
from acp_agent.rpc.transport import EndOfMessages, MessageTooLong


class MemoryTransport:
    """One end. Sending waits while the other end has `capacity` messages unread."""

    def __init__(self, incoming: MemoryObjectReceiveStream[bytes], outgoing: MemoryObjectSendStream[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive(self) -> bytes:
        """The next message of the other end."""
        try:
            message = await self._incoming.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise EndOfMessages from None
        if len(message) > MAX_MESSAGE_BYTES:
            raise MessageTooLong
        return message

    async def send(self, messages: Sequence[bytes]) -> None:
        """Hand the messages to the other end."""
        try:
            for message in messages:
                await self._outgoing.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise EndOfMessages from None

    def close(self) -> None:
        """Tell the other end that nothing more comes, and stop reading."""
        self._outgoing.close()
        self._incoming.close()


def memory_transports(capacity: int = 1024) -> tuple[MemoryTransport, MemoryTransport]:
    """Two connected ends."""
    to_first, from_second = anyio.create_memory_object_stream[bytes](capacity)
    to_second, from_first = anyio.create_memory_object_stream[bytes](capacity)
    return MemoryTransport(from_second, to_second), MemoryTransport(from_first, to_first)
