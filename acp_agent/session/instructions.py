"""Instructions that people keep in files: AGENTS.md and its kin, and what `instructions` of the configuration names."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acp_agent.config.diagnostic import Diagnostic, Layer, shown
from acp_agent.config.files import (
    UnreadableError,
    expand_home,
    folders_between,
    global_directory,
    home_directory,
    is_inside,
    read_bytes,
    worktree_root,
)
from acp_agent.config.load import LoadedConfig

MAX_FILE_BYTES = 64 * 1024
MAX_TOTAL_BYTES = 256 * 1024
KINDS = ("AGENTS.md", "CLAUDE.md", "CONTEXT.md")

_MAX_MATCHES = 50
_MAX_VISITED = 20_000
_MAX_SECONDS = 1.0
_JUNK = frozenset({".git", "node_modules", ".venv", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction file. `cut` tells that the text is only its beginning."""

    path: Path
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Instructions:
    """What was found, in the order in which the model reads it, and what was left out.

    The order: the user's own file, the project's from the root down, the configured ones.
    """

    files: tuple[Instruction, ...]
    diagnostics: tuple[Diagnostic, ...]


def find(
    roots: Sequence[Path], loaded: LoadedConfig, environ: Mapping[str, str], home: Path | None = None
) -> Instructions:
    """Read everything that applies to a session in these roots, the working directory first. Never raises for a file.

    A file that belongs to the project must lie in it with every link followed: a repository cannot have a file of the
    user's sent to the model.
    """
    search = _Search(roots[0], loaded, home or home_directory(environ))
    search.user_files(global_directory(environ, search.home))
    for root in roots:
        search.project_files(root)
    search.configured()
    return Instructions(tuple(search.files), tuple(search.diagnostics))


class _Search:
    def __init__(self, cwd: Path, loaded: LoadedConfig, home: Path) -> None:
        self.cwd = cwd
        self.loaded = loaded
        self.home = home
        root = worktree_root(cwd)
        self.project = root or cwd
        self.folders = folders_between(root, cwd)
        self.files: list[Instruction] = []
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[str] = set()
        self._left = MAX_TOTAL_BYTES

    def user_files(self, config_folder: Path) -> None:
        for path in (config_folder / "AGENTS.md", self.home / ".claude" / "CLAUDE.md"):
            if path.exists():
                self._read(path)
                return

    def project_files(self, root: Path) -> None:
        worktree = worktree_root(root)
        folders = folders_between(worktree, root)
        for kind in KINDS:
            found = [folder / kind for folder in folders if os.path.lexists(folder / kind)]
            for path in found:
                if is_inside(path, worktree or root):
                    self._read(path)
                else:
                    self._say(path, "is a link to a file outside the project; it is ignored")
            if found:
                return

    def configured(self) -> None:
        for index, entry in enumerate(self.loaded.config.instructions):
            place = ("instructions", index)
            if entry.startswith(("http://", "https://")):
                self._complain(place, "instructions from an address are not fetched; save the text as a file")
                continue
            bounded = self.loaded.origin(place) is Layer.PROJECT
            paths = list(self._matches(entry))
            inside = [path for path in paths if not bounded or is_inside(path, self.project)]
            if len(inside) < len(paths):
                self._complain(place, "a project's file may only name instructions inside the project; ignored")
            elif not paths and entry:
                self._complain(place, "no instruction file matches this entry")
            for path in inside:
                self._read(path)

    def _matches(self, entry: str) -> Iterator[Path]:
        pattern = expand_home(entry, self.home)
        # A relative entry is looked for in each folder of the project, so that a subfolder sees the root's files.
        bases = [Path(pattern.anchor)] if pattern.is_absolute() else self.folders
        parts = pattern.parts[1:] if pattern.is_absolute() else pattern.parts
        for base in bases:
            yield from sorted(_glob(base, parts))

    def _read(self, path: Path) -> None:
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        try:
            data, more = read_bytes(path, MAX_FILE_BYTES)
        except FileNotFoundError:
            return
        except UnreadableError as error:
            self._say(path, f"{error}; it is ignored")
            return
        if b"\0" in data:
            self._say(path, "is not a text file; it is ignored")
            return
        if self._left <= 0:
            self._say(path, f"is left out: instructions are limited to {MAX_TOTAL_BYTES // 1024} KiB in all")
            return
        cut = more or len(data) > self._left
        data = data[: self._left]
        self._left -= len(data)
        # An ignored error at the end is a character cut in two.
        text = data.decode("utf-8", "ignore" if cut else "replace").removeprefix("\ufeff").strip()
        if cut:
            limit = f"{MAX_FILE_BYTES // 1024} KiB a file and {MAX_TOTAL_BYTES // 1024} KiB in all"
            self._say(path, f"is read only in part: instructions are limited to {limit}")
        if text:
            self.files.append(Instruction(path, text, cut))

    def _say(self, path: Path, message: str) -> None:
        self.diagnostics.append(Diagnostic(shown(path, self.home), None, None, message, "warning"))

    def _complain(self, place: tuple[str | int, ...], message: str) -> None:
        self.diagnostics.append(self.loaded.diagnostic(place, message, "warning"))


def _glob(base: Path, parts: Iterable[str]) -> list[Path]:
    """Files below `base` that match the parts of a pattern (`*`, `?`, `[…]`, `**`); bounded, links not entered."""
    rest = list(parts)
    while rest and not any(character in rest[0] for character in "*?["):
        base = base / rest.pop(0)
    if not rest:
        return [base] if base.is_file() else []
    matching = re.compile(_expression(rest))
    depth = None if "**" in rest else len(rest)
    found: list[Path] = []
    visited = 0
    deadline = time.monotonic() + _MAX_SECONDS
    for folder, subfolders, names in os.walk(base):
        relative = Path(folder).relative_to(base)
        subfolders[:] = sorted(name for name in subfolders if name not in _JUNK)
        if depth is not None and len(relative.parts) + 1 >= depth:
            subfolders.clear()
        for name in sorted(names):
            if matching.fullmatch((relative / name).as_posix()):
                found.append(Path(folder, name))
        visited += len(names) + len(subfolders)
        if len(found) >= _MAX_MATCHES or visited > _MAX_VISITED or time.monotonic() > deadline:
            break
    return found[:_MAX_MATCHES]


def _expression(parts: list[str]) -> str:
    made = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            made += ".*" if last else "(?:[^/]+/)*"
        else:
            made += _segment(part) + ("" if last else "/")
    return made


def _segment(part: str) -> str:
    made = ""
    for token in re.findall(r"\[!?\]?[^\]/]*\]|.", part, re.DOTALL):
        if token == "*":
            made += "[^/]*"
        elif token == "?":
            made += "[^/]"
        elif len(token) > 1:
            inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            made += f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
        else:
            made += re.escape(token)
    return made
