"""Text files as the editor has them: unsaved buffers win, and a write is the editor's to show and to undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio

from acp_agent.client.saved import SAVE_WAITS, Form, Write, as_on_disk, difference, outcome
from acp_agent.client.terminals import Asks, ClientTerminals, NotStarted
from acp_agent.log import Log
from acp_agent.rpc.messages import METHOD_NOT_FOUND, RpcError
from acp_agent.schema import ClientCapabilities, ReadTextFileRequest, WriteTextFileRequest
from acp_agent.tools.base import ToolError
from acp_agent.tools.text_codec import encode
from acp_agent.tools.workspace import Command, CommandResult, OnOutput, Output, TextFile, Workspace

CLIENT_SECONDS = 30.0

_LARGEST = 128 * 1024 * 1024


class ClientWorkspace:
    """A workspace whose text files go through the client, as far as it offers that; all else is `local`'s.

    Whole files only: a client exists that counts lines from 0. A file that is not UTF-8 on the disk bypasses the
    client, which would hand it over as something else. A buffer that cannot be read is read from the disk; a write
    that the client refuses is refused, unless it has no such method. What the client made of a write is looked at, in
    intervals of `waits` seconds. Shell lines run in a terminal of the client's where `local` asks for that.
    """

    def __init__(
        self,
        session_id: str,
        local: Workspace,
        client: Asks,
        offers: ClientCapabilities,
        log: Log,
        waits: Sequence[float] = SAVE_WAITS,
    ) -> None:
        self._session_id = session_id
        self._local = local
        self._client = client
        self._offers = offers.fs
        self._log = log
        self._waits = waits
        self._forms: dict[Path, Form] = {}
        self.roots = local.roots
        self.environment = local.environment
        self.in_client_terminal = local.in_client_terminal and offers.terminal

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
        if text is None:
            return on_disk
        file, self._forms[path] = as_on_disk(text, on_disk)
        return file

    async def write_text(self, file: TextFile, before: str | None = None) -> str:
        """One `fs/write_text_file`; the disk where the client does not write, or cannot."""
        if file.bom:  # a text that holds the mark as well would have it twice
            file = replace(file, text=file.text.removeprefix("\ufeff"))
        if not self._offers.write_text_file or file.encoding != "utf-8":
            return await self._local.write_text(file, before)
        write = Write(file, before, await self._on_disk(file.path), self._forms.get(file.path, Form()))
        encode(file)  # what has no place in UTF-8 is refused before the editor has it
        return await self._check(write) if await self._give(write) else await self._local.write_text(file, before)

    async def _give(self, write: Write) -> bool:
        """Let the client write; False if it has no such method."""
        file = write.file
        content = write.form.given(file)
        request = WriteTextFileRequest(session_id=self._session_id, path=str(file.path), content=content)
        parents = anyio.Path(file.path.parent)
        try:
            await parents.mkdir(parents=True, exist_ok=True)  # not every client makes them
            with anyio.fail_after(CLIENT_SECONDS):
                await self._client.request("fs/write_text_file", request.wire(), len(content))
        except RpcError as error:
            self._log("client.write_failed", level="WARN", session=self._session_id, error=error.message)
            if error.code != METHOD_NOT_FOUND:
                raise ToolError(f"The editor did not write {self.display(file.path)}: {error.message}") from error
            return False
        except TimeoutError:
            raise ToolError(
                f"The editor did not confirm the write of {self.display(file.path)} within {CLIENT_SECONDS:.0f} s. "
                "It may still happen: read the file before trying again."
            ) from None
        except OSError as error:
            raise ToolError(f"{self.display(file.path.parent)} cannot be made: {error.strerror}.") from error
        return True

    async def _check(self, write: Write) -> str:
        """Look what the client made of a write; once, set right what it changed beyond the edit."""
        path, name = write.file.path, self.display(write.file.path)

        async def look() -> bytes | None:
            return await self._on_disk(path)

        async def buffer() -> str | None:
            return await self._buffer(path)

        found, data = await outcome(write, look, buffer, self._waits)
        if found != "as meant":
            self._log("client.write_checked", session=self._session_id, path=str(path), outcome=found)
        match found:
            case "as meant":
                return ""
            case "not saved":
                return "The editor has the change and has not saved it: commands see the file as it was on the disk."
            case "not taken":
                return (
                    "The editor confirmed the write, but shows no change yet. Read the file before you edit it again."
                )
            case "altered inside":
                return "The editor changed the new lines as it saved them. Read the file before you edit it again."
            case "edited since":
                return "The text was changed in the editor meanwhile. Read the file before you edit it again."
            case "altered outside":
                what = f"The editor changed {difference(write.file, data or b'')} as it saved {name}"
        try:
            await self._local.write_text(write.file, write.before)
        except ToolError as error:
            return f"{what}, and that could not be set right: {error}"
        return f"{what}. That was set right on the disk, so that only the edit is left."

    async def _on_disk(self, path: Path) -> bytes | None:
        try:
            if await self._local.exists(path):
                return await self._local.read_bytes(path, _LARGEST)
        except ToolError as error:
            self._log("client.write_unseen", level="WARN", session=self._session_id, error=str(error))
        return None

    async def exists(self, path: Path) -> bool:
        """On the disk, or with text in the editor."""
        return await self._local.exists(path) or bool(await self._buffer(path))

    async def run(self, command: Command, on_output: OnOutput) -> CommandResult:
        """See `Workspace`; this machine, or a terminal of the client's if that is asked for and runs the line."""
        if self.in_client_terminal:
            terminals = ClientTerminals(self._session_id, self._client, self.environment, self._log)
            try:
                return await terminals.run(command, on_output)
            except NotStarted as error:
                self._log("terminal.not_used", level="WARN", session=self._session_id, reason=str(error))
                await on_output(Output("", ""))  # the terminal may have been shown already
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
