"""Addresses of files as clients and people write them: URIs, plain paths, and the lines that are meant."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

_WINDOWS = os.name == "nt"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # one letter alone is a drive
_DRIVE = re.compile(r"/[A-Za-z]:(?:[/\\]|$)")
_LINES_BEHIND = re.compile(
    r"(?P<path>.+?)(?::L?|#L?)(?P<first>\d{1,7})(?:C\d+)?(?:-L?(?P<last>\d{1,7})(?:C\d+)?|:\d{1,7})?", re.IGNORECASE
)
# #L10, #L10-20, #L10-L20, #L10:20, #10,5-20,1, #L10C3-L20C5
_FRAGMENT = re.compile(r"L?(\d{1,7})(?:C\d+|,\d+)?(?:[-:]L?(\d{1,7})(?:C\d+|,\d+)?)?", re.IGNORECASE)
_FIRST_NAMES = ("line", "lines", "start", "startline", "start_line")
_LAST_NAMES = ("end", "endline", "end_line")


@dataclass(frozen=True, slots=True)
class Lines:
    """A range of lines, counted from 1, both ends in it."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"line {self.first}" if self.first == self.last else f"lines {self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A file by its address. `paths` are what may be meant, the likeliest first; `host` is another machine's name."""

    paths: tuple[str, ...]
    lines: Lines | None = None
    host: str = ""


def lines_between(first: str, last: str | None) -> Lines | None:
    """The range between two numbers in whichever order; None for line 0."""
    ends = sorted((int(first), int(last or first)))
    return Lines(ends[0], ends[1]) if ends[0] > 0 else None


def without_lines(path: str) -> tuple[str, Lines | None]:
    """The path in front of `:10`, `:10-20`, `:10:5` (a column), `#L10` or `#L10-20`, and these lines."""
    found = _LINES_BEHIND.fullmatch(path)
    if found is None:
        return path, None
    lines = lines_between(found["first"], found["last"])
    return (found["path"], lines) if lines is not None else (path, None)


def file_address(uri: str, *, windows: bool = _WINDOWS) -> FileAddress | None:
    """The file that a URI or a plain path means; None for an address of another kind."""
    from urllib.parse import unquote, urlsplit  # here, since it loads a good deal and few prompts need it

    uri = uri.strip()
    scheme = _SCHEME.fullmatch(uri)
    if not uri:
        return None
    if scheme is None or re.fullmatch(r"\d[\d:-]*", scheme[2]):
        return _plain(uri)
    if scheme[1].lower() != "file":
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.netloc and not parts.netloc.endswith(":") and parts.netloc.lower() not in ("localhost", "127.0.0.1"):
        return FileAddress((unquote(parts.path),), host=parts.netloc)
    drive = parts.netloc if parts.netloc.endswith(":") else ""  # file://C:/x, with a slash too few
    lines, used = _lines(parts.query, parts.fragment)
    spelled = [drive + parts.path]
    if not used:  # a name with `?` or `#` in it that nobody escaped
        spelled.append(drive + uri.split(":", 1)[1].removeprefix("//").removeprefix(parts.netloc))
    paths = [way for path in spelled for way in (unquote(path), path)]
    if windows:
        paths = [path.removeprefix("/") if _DRIVE.match(path) else path for path in paths]
    paths = [path for path in dict.fromkeys(paths) if path]
    return FileAddress(tuple(paths), lines) if paths else None


def _plain(path: str) -> FileAddress:
    from urllib.parse import unquote

    bare, lines = without_lines(path)
    if lines is None and "#" in path:
        before, _, fragment = path.rpartition("#")
        lines, used = _lines("", fragment)
        bare = before if used and before else path
    return FileAddress(tuple(dict.fromkeys((bare, unquote(bare), path))), lines)


def _lines(query: str, fragment: str) -> tuple[Lines | None, bool]:
    """The lines that the end of a URI names, and whether that end was understood (an empty one is)."""
    from urllib.parse import parse_qs, unquote

    found = _FRAGMENT.fullmatch(unquote(fragment))
    if found is not None:
        return lines_between(found[1], found[2]), True
    named = {name.lower(): values[0] for name, values in parse_qs(query).items()}
    first = next((named[name] for name in _FIRST_NAMES if name in named), "")
    found = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", first)
    if found is not None:
        last = next((named[name] for name in _LAST_NAMES if named.get(name, "").isdecimal()), None)
        return lines_between(found[1], found[2] or last), True
    return None, not fragment and (not query or bool(named))
