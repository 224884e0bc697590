"""The `read` tool: a file with its line numbers, a directory, or an image."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from pydantic import Field

from acp_agent.llm.media import LARGEST_ANTHROPIC_IMAGE, image_type_of
from acp_agent.llm.messages import Image
from acp_agent.schema import ImageContent, ResourceLink, ToolCallContent, ToolCallLocation, ToolContent, ToolKind
from acp_agent.tools.base import CallSummary, Subject, ToolContext, ToolError, ToolParams, ToolResult
from acp_agent.tools.diffs import text_content
from acp_agent.tools.files import file_subjects, file_summary, name_for_model
from acp_agent.tools.text_codec import is_binary
from acp_agent.tools.truncate import MAX_BYTES, MAX_LINES, clip_line, encodable, fenced, size
from acp_agent.tools.workspace import Workspace

LARGEST_IMAGE = LARGEST_ANTHROPIC_IMAGE * 3 // 4
"""Bytes: what any model that sees images can be sent."""

BEGINNING = 8 * 1024
"""Bytes that tell what a file is."""

_LARGEST_SHOWN = 1024 * 1024
_MOST_ENTRIES = 1000


class ReadParams(ToolParams):
    """Arguments of `read`."""

    file_path: str = Field(alias="filePath", min_length=1)
    offset: int = Field(default=1, ge=0, description="First line, from 1")
    limit: int = Field(default=MAX_LINES, ge=0, description="Number of lines")


class ReadTool:
    """Shows files. It reads through the workspace, so an unsaved buffer of the editor counts."""

    name: str = "read"
    description: str = (
        f"Read a file; lines come back as `N: text`. Up to {MAX_LINES} lines or {MAX_BYTES // 1024} KB a call: "
        "go on with offset. A directory gives its entries, an image (png, jpg, gif, webp) is shown to you. "
        "Paths may be relative to the working directory."
    )
    kind: ToolKind = "read"
    params: type[ReadParams] = ReadParams

    def summary(self, params: ReadParams, workspace: Workspace) -> CallSummary:
        """The path, at its first line."""
        return file_summary(params.file_path, workspace, max(1, params.offset))

    def subjects(self, params: ReadParams, workspace: Workspace) -> Sequence[Subject]:
        """The file."""
        return file_subjects("read", params.file_path, workspace)

    async def preview(self, params: ReadParams, context: ToolContext) -> Sequence[ToolCallContent]:
        """Nothing: the title says it."""
        return ()

    async def run(self, params: ReadParams, context: ToolContext) -> ToolResult:
        """Read it."""
        workspace = context.workspace
        path = workspace.resolve(params.file_path)
        if await to_thread.run_sync(os.path.isdir, path):
            return await to_thread.run_sync(_listing, path, workspace)
        on_disk = await to_thread.run_sync(os.path.exists, path)
        # A new file in the editor has no bytes on the disk yet, and is text.
        beginning = await workspace.read_bytes(path, BEGINNING) if on_disk else b""
        mime_type = image_type_of(beginning)
        if mime_type is not None:
            return await _image(path, mime_type, workspace)
        if binary_kind(beginning) is not None:
            return await to_thread.run_sync(_binary, path, beginning, workspace)
        file = await workspace.read_text(path)
        return _text(path, file.text, params, workspace)


def _text(path: Path, text: str, params: ReadParams, workspace: Workspace) -> ToolResult:
    first = max(1, params.offset)
    if not text:
        return ToolResult("The file is empty.", [text_content("The file is empty.")])
    lines = file_lines(text)
    if first > len(lines):
        raise ToolError(f"{workspace.display(path)} has {len(lines)} lines; offset {first} is behind its end.")
    found = excerpt(lines, first, min(params.limit or MAX_LINES, MAX_LINES), MAX_BYTES)
    numbered = found.numbered
    if first > 1 or found.last < len(lines):
        numbered += f"\n\n(lines {first}-{found.last} of {len(lines)}"
        numbered += f"; use offset={found.last + 1} for more)" if found.last < len(lines) else ")"
    location = ToolCallLocation(path=str(path), line=first)
    return ToolResult(numbered, [text_content(fenced("\n".join(found.lines)))], locations=[location])


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a text, long ones clipped; `first` is the number of the first one, from 1."""

    lines: Sequence[str]
    first: int

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + len(self.lines) - 1

    @property
    def numbered(self) -> str:
        """The lines as the model reads them, `N: text`."""
        return "\n".join(f"{number}: {line}" for number, line in enumerate(self.lines, self.first))


def excerpt(lines: Sequence[str], first: int, count: int, max_bytes: int) -> Excerpt:
    """As many of the `count` lines from `first` on as take at most `max_bytes` with their numbers."""
    chosen: list[str] = []
    room = max_bytes
    for number, line in enumerate(itertools.islice(lines, first - 1, first - 1 + count), first):
        shown = clip_line(line)
        room -= size(shown) + len(str(number)) + 3
        if room < 0:
            break
        chosen.append(shown)
    return Excerpt(chosen, first)


def file_lines(text: str) -> list[str]:
    """The lines of a file without their endings (LF, CRLF or CR); other separators are characters like any."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _listing(path: Path, workspace: Workspace) -> ToolResult:
    try:
        with os.scandir(path) as entries:
            names = sorted(encodable(f"{entry.name}/" if entry.is_dir() else entry.name) for entry in entries)
    except OSError as error:
        raise ToolError(f"{workspace.display(path)} cannot be listed: {error.strerror or error}.") from error
    shown = names[:_MOST_ENTRIES]
    text = "\n".join(shown) or "The directory is empty."
    if len(names) > len(shown):
        text += f"\n(… {len(names) - len(shown)} more; use glob)"
    return ToolResult(text, [text_content(fenced(text))], locations=[ToolCallLocation(path=str(path))])


async def image_of(path: Path, mime_type: str, workspace: Workspace) -> tuple[Image, int]:
    """The image in a file, and its size in bytes. Raises `ToolError` for one that is too large to be sent."""
    data = await workspace.read_bytes(path, LARGEST_IMAGE + 1)
    if len(data) > LARGEST_IMAGE:
        raise ToolError(
            f"{name_for_model(workspace, path)} is an image of more than {LARGEST_IMAGE / 2**20:.2f} MB; "
            "make a smaller copy to look at it."
        )
    return Image(data=base64.b64encode(data).decode("ascii"), mime_type=mime_type), len(data)


async def _image(path: Path, mime_type: str, workspace: Workspace) -> ToolResult:
    image, length = await image_of(path, mime_type, workspace)
    shown: ImageContent | ResourceLink = ImageContent(data=image.data, mime_type=mime_type)
    if len(image.data) > _LARGEST_SHOWN:  # the client can open the file itself, and many copies go over the wire
        shown = ResourceLink(name=encodable(path.name), uri=path.as_uri(), mime_type=mime_type, size=length)
    return ToolResult(
        f"{name_for_model(workspace, path)} is an image ({mime_type}, {length} bytes); it is attached.",
        [ToolContent(content=shown)],
        images=[image],
        locations=[ToolCallLocation(path=str(path))],
    )


def binary_kind(beginning: bytes) -> str | None:
    """What a file is that has no text to show, by its first bytes; None for text."""
    if beginning.startswith(b"%PDF-"):
        return "a PDF"
    return "a binary file" if is_binary(beginning) else None


def _binary(path: Path, beginning: bytes, workspace: Workspace) -> ToolResult:
    kind = binary_kind(beginning)
    text = (
        f"{name_for_model(workspace, path)} is {kind} of {os.path.getsize(path)} bytes, so its text is not shown. "
        "Use bash with a program that understands it."
    )
    return ToolResult(text, [text_content(text)], locations=[ToolCallLocation(path=str(path))])
