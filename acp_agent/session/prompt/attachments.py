"""Files and folders that a prompt names, read for the model: bounded, fenced, with line numbers as `read` gives them.

What cannot be read is named with the reason; a prompt never fails because of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from acp_agent.llm.media import image_type_of
from acp_agent.llm.messages import Text, UserPart
from acp_agent.schema import ResourceLink
from acp_agent.session.permissions import Policy
from acp_agent.session.prompt.addresses import FileAddress, Lines, file_address
from acp_agent.session.prompt.block_parts import attached_text, link_name, one_line
from acp_agent.session.prompt.mentions import mentions
from acp_agent.tools.base import ToolError
from acp_agent.tools.files import file_subjects, name_for_model
from acp_agent.tools.read import BEGINNING, Excerpt, binary_kind, excerpt, file_lines, image_of
from acp_agent.tools.truncate import size
from acp_agent.tools.workspace import Workspace

FILE_BYTES = 64 * 1024
"""Of one file so much text is attached."""

PROMPT_BYTES = 256 * 1024
"""Of all files of a prompt together."""

IMAGE_BYTES = 16 * 1024 * 1024
"""Base64 of all images that are read for one prompt."""

MOST_FILES = 50
MOST_ENTRIES = 200

SECONDS = 60.0
"""So long all files of a prompt may take."""

_LOOK_UP_SECONDS = 5.0
_LOOKED_AT = 20_000
_JUNK = frozenset(
    {".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache", ".ruff_cache"}
    | {".pytest_cache", ".DS_Store", ".idea", ".gradle", "target", "Thumbs.db"}
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A file or folder that was named. `hidden` says why it is not read all the same."""

    path: Path
    lines: Lines | None
    hidden: str = ""


class Attachments:
    """What one prompt attaches, within the limits of one prompt.

    `embedded` are the addresses of what the client sent whole: naming the same file again adds nothing. All reading
    together takes at most `seconds`.
    """

    def __init__(
        self, workspace: Workspace, policy: Policy, embedded: Iterable[str] = (), *, seconds: float = SECONDS
    ) -> None:
        self._workspace = workspace
        self._policy = policy
        self._room = PROMPT_BYTES
        self._image_room = IMAGE_BYTES
        self._files = 0
        self._deadline = anyio.current_time() + seconds
        self._parts: set[tuple[Path, Lines | None]] = set()
        self._whole: set[Path] = set()
        for uri in embedded:
            address = file_address(uri)
            if address is not None and not address.host:
                for path in self._paths(address):
                    self._note(path, address.lines, whole=address.lines is None)

    async def linked(self, link: ResourceLink) -> list[UserPart] | None:
        """What stands behind a link to a file; None for any other link, which is left as it is."""
        address = file_address(link.uri)
        if address is None:
            return None
        if address.host:
            return [_unread(link_name(link), f"it lies on another machine ({one_line(address.host)})")]
        named = await _looked_up(lambda: self._linked(address))
        if named is None:
            return [_unread(link_name(link), f"nothing was found there within {_LOOK_UP_SECONDS:g} s")]
        if isinstance(named, str):
            return [_unread(link_name(link), named)]
        if self._is_there(named):
            return [_unread(link_name(link), "it stands in this message once already")]
        parts = await self._attached(named, link_name(link))
        return [Text(text=f"[About the next: {one_line(link.description)}]"), *parts] if link.description else parts

    async def mentioned(self, text: str) -> list[UserPart]:
        """What stands behind the `@` mentions in a text that name something, each once; the rest are left alone."""
        candidates = list(mentions(text))
        if not candidates:
            return []
        parts: list[UserPart] = []
        for named in await _looked_up(lambda: self._mentioned(candidates)) or ():
            if not self._is_there(named):
                parts += await self._attached(named, name_for_model(self._workspace, named.path))
        return parts

    def _linked(self, address: FileAddress) -> _Named | str:
        paths = self._paths(address)
        if not paths:
            return "that is no path"
        # One that is nowhere on the disk may still be in the editor.
        path = next((path for path in paths if os.path.exists(path)), paths[0])
        decision = self._policy.decide(file_subjects("read", str(path), self._workspace))
        # The client named just this, so nobody is asked; a refusal holds.
        return _Named(path, address.lines, f"refused by {decision.reason}" if decision.action == "deny" else "")

    def _mentioned(self, candidates: Sequence[Sequence[tuple[str, Lines | None]]]) -> list[_Named]:
        found: list[_Named] = []
        for ways in candidates:
            for written, lines in ways:
                try:
                    path = self._workspace.resolve(written)
                    if os.path.exists(path):
                        found.append(_Named(path, lines, self._hidden(path)))
                        break
                except (ToolError, OSError):
                    continue
        return found

    def _hidden(self, path: Path) -> str:
        """Why a file is not read though it is mentioned: a text may be pasted, with paths that nobody looked at."""
        subjects = file_subjects("read", str(path), self._workspace)
        decision = self._policy.decide(subjects)
        if decision.action == "deny":
            return f"refused by {decision.reason}"
        outside = [subject for subject in subjects if subject.permission == "external_directory"]
        if outside and self._policy.decide(outside).action != "allow":
            return "it lies outside the working directory. Use read if you need it: the user is asked then"
        return ""

    def _paths(self, address: FileAddress) -> list[Path]:
        paths: list[Path] = []
        for path in address.paths:
            try:
                paths.append(self._workspace.resolve(path))
            except ToolError:
                continue
        return paths

    def _note(self, path: Path, lines: Lines | None, *, whole: bool) -> None:
        self._parts.add((path, lines))
        if whole:
            self._whole.add(path)

    def _is_there(self, named: _Named) -> bool:
        return named.path in self._whole or (named.path, named.lines) in self._parts

    async def _attached(self, named: _Named, called: str) -> list[UserPart]:
        self._note(named.path, named.lines, whole=False)
        if named.hidden:
            return [_unread(called, named.hidden)]
        if self._files == MOST_FILES:
            return [_unread(called, f"{MOST_FILES} others are attached to this prompt. Use read")]
        self._files += 1
        try:
            with anyio.fail_after(max(0.0, self._deadline - anyio.current_time())):
                return await self._contents(named)
        except TimeoutError:
            return [_unread(called, "the attachments of this prompt took too long. Use read")]
        except ToolError as error:
            return [_unread(called, str(error))]
        except OSError as error:
            return [_unread(called, error.strerror or str(error))]

    async def _contents(self, named: _Named) -> list[UserPart]:
        path, workspace = named.path, self._workspace
        name = one_line(name_for_model(workspace, path))
        if await to_thread.run_sync(os.path.isdir, path):
            return [await to_thread.run_sync(_listing, path, name)]
        on_disk = await to_thread.run_sync(os.path.exists, path)
        # A new file in the editor has no bytes on the disk yet, and is text.
        beginning = await workspace.read_bytes(path, BEGINNING) if on_disk else b""
        mime_type = image_type_of(beginning)
        if mime_type is not None:
            image, length = await image_of(path, mime_type, workspace)
            if len(image.data) > self._image_room:
                return [_unread(name, "the images of this prompt take all the room there is for them. Use read")]
            self._image_room -= len(image.data)
            return [Text(text=f"[Attached image: {name}, {mime_type}, {length} bytes]"), image]
        kind = binary_kind(beginning)
        if kind is not None:
            length = await to_thread.run_sync(os.path.getsize, path)
            return [Text(text=f"[Attached: {name}, {kind} of {length} bytes, not shown]")]
        text = (await workspace.read_text(path)).text
        part, shown, whole = await to_thread.run_sync(_excerpt, name, text, named.lines, min(FILE_BYTES, self._room))
        self._room -= shown
        self._note(path, named.lines, whole=whole)
        return [part]


T = TypeVar("T")


async def _looked_up(look: Callable[[], T]) -> T | None:
    """What a look at the disk gives; None if it takes too long, which a folder of another machine's may."""
    with anyio.move_on_after(_LOOK_UP_SECONDS):
        try:
            return await to_thread.run_sync(look, abandon_on_cancel=True)
        except OSError:
            return None
    return None


def _unread(called: str, why: str) -> Text:
    end = "" if why.endswith((".", "?", "!")) else "."
    return Text(text=f"[Attached by reference: {called}; not read: {why}{end}]")


def _excerpt(name: str, text: str, wanted: Lines | None, room: int) -> tuple[Text, int, bool]:
    """The part for the model, the bytes that it shows, and whether that is the whole text."""
    lines = file_lines(text)
    if not lines:
        return Text(text=f"[Attached: {name}, an empty file]"), 0, True
    if wanted is not None and wanted.first > len(lines):
        return _unread(name, f"it has {len(lines)} lines, and {wanted} were asked for"), 0, False
    first, last = (wanted.first, min(wanted.last, len(lines))) if wanted else (1, len(lines))
    found: Excerpt = excerpt(lines, first, last - first + 1, room)
    if not found.lines:
        return _unread(name, f"the files of this prompt take {PROMPT_BYTES >> 10} KiB already. Use read"), 0, False
    shown = found.numbered
    whole = first == 1 and found.last == len(lines)
    about = "" if whole else f", lines {first}-{found.last} of {len(lines)}"
    left_out = sum(size(line) + 1 for line in lines[found.last : last])
    behind = f"[… {left_out} more bytes; use read with offset={found.last + 1}]" if left_out else ""
    return attached_text(name, about, shown, behind=behind), size(shown), whole


def _listing(path: Path, name: str) -> Text:
    with os.scandir(path) as entries:
        names = [
            one_line(f"{entry.name}/" if entry.is_dir() else entry.name)
            for entry in islice(entries, _LOOKED_AT)
            if entry.name not in _JUNK
        ]
    if not names:
        return Text(text=f"[Attached: {name}, an empty directory]")
    names.sort()
    more = len(names) - MOST_ENTRIES
    behind = f"[… {more} more entries; use glob]" if more > 0 else ""
    return attached_text(name, ", a directory", "\n".join(names[:MOST_ENTRIES]), behind=behind)
