"""Text files as the editor has them: unsaved buffers win, and a write is the editor's to show and to undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import anyio

from acp_agent.log import Log
from acp_agent.rpc.messages import METHOD_NOT_FOUND, RpcError
from acp_agent.schema import FileSystemCapabilities, ReadTextFileRequest, WriteTextFileRequest
from acp_agent.tools.base import ToolError
from acp_agent.tools.workspace import Command, CommandResult, TextFile, Workspace

CLIENT_SECONDS = 30.0


class Asks(Protocol):
    """Whatever carries a request to the client, such as a connection."""

    async def request(self, method: str, params: dict[str, Any], size: int = 256) -> Any:
        """The client's result. Raises `RpcError`."""


class ClientWorkspace:
    """A workspace whose text files go through the client, as far as it offers that; all else is `local`'s.

    Whole files only: a client exists that counts lines from 0. A file that is not UTF-8 on the disk bypasses the
    client, which would hand it over as something else. A buffer that cannot be read is read from the disk; a write
    that the client refuses is refused, unless it has no such method.
    """

    def __init__(
        self, session_id: str, local: Workspace, client: Asks, offers: FileSystemCapabilities, log: Log
    ) -> None:
        self._session_id = session_id
        self._local = local
        self._client = client
        self._offers = offers
        self._log = log
        self.roots = local.roots

    def resolve(self, path: str) -> Path:
        """See `Workspace`."""
        return self._local.resolve(path)

    def contains(self, path: Path) -> bool:
        """See `Workspace`."""
        return self._local.contains(path)

    def display(self, path: Path) -> str:
        """See `Workspace`."""
        return self._local.display(path)

    async def read_bytes(self, path: Path, limit: int) -> bytes:
        """See `Workspace`; always the disk."""
        return await self._local.read_bytes(path, limit)

    async def read_text(self, path: Path) -> TextFile:
        """The editor's text; the disk's where the editor has none to give."""
        if not await self._local.exists(path):
            text = await self._buffer(path)
            # A client exists that answers "" for what does not exist.
            return TextFile(path, text) if text else await self._local.read_text(path)
        on_disk = await self._local.read_text(path)
        if on_disk.encoding != "utf-8":
            return on_disk
        text = await self._buffer(path)
        return on_disk if text is None else TextFile(path, text, on_disk.encoding, on_disk.bom)

    async def write_text(self, file: TextFile) -> None:
        """One `fs/write_text_file`; the disk where the client does not write, or cannot."""
        if not self._offers.write_text_file or file.encoding != "utf-8":
            await self._local.write_text(file)
            return
        request = WriteTextFileRequest(session_id=self._session_id, path=str(file.path), content=file.text)
        parents = anyio.Path(file.path.parent)
        try:
            await parents.mkdir(parents=True, exist_ok=True)  # not every client makes them
            with anyio.fail_after(CLIENT_SECONDS):
                await self._client.request("fs/write_text_file", request.wire(), len(file.text))
        except RpcError as error:
            self._log("client.write_failed", level="WARN", session=self._session_id, error=error.message)
            if error.code != METHOD_NOT_FOUND:
                raise ToolError(f"The editor did not write {self.display(file.path)}: {error.message}") from error
            # A client that hands the mark over as text has it there once already.
            await self._local.write_text(replace(file, text=file.text.removeprefix("\ufeff")) if file.bom else file)
        except TimeoutError:
            raise ToolError(
                f"The editor did not confirm the write of {self.display(file.path)} within {CLIENT_SECONDS:.0f} s. "
                "It may still happen: read the file before trying again."
            ) from None
        except OSError as error:
            raise ToolError(f"{self.display(file.path.parent)} cannot be made: {error.strerror}.") from error

    async def exists(self, path: Path) -> bool:
        """On the disk, or with text in the editor."""
        return await self._local.exists(path) or bool(await self._buffer(path))

    async def run(self, command: Command, on_output: Callable[[str], Awaitable[None]]) -> CommandResult:
        """See `Workspace`; always this machine."""
        return await self._local.run(command, on_output)

    async def close(self) -> None:
        """See `Workspace`."""
        await self._local.close()

    async def _buffer(self, path: Path) -> str | None:
        if not self._offers.read_text_file:
            return None
        request = ReadTextFileRequest(session_id=self._session_id, path=str(path))
        try:
            with anyio.fail_after(CLIENT_SECONDS):
                answer = await self._client.request("fs/read_text_file", request.wire())
        except (RpcError, TimeoutError) as error:
            self._log("client.read_failed", level="WARN", session=self._session_id, error=str(error))
            return None
        content = answer.get("content") if isinstance(answer, dict) else None
        return content if isinstance(content, str) else None
