"""`{env:NAME}` and `{file:path}` in the strings of a configuration file.

They are replaced in parsed values, so that nothing in a variable or a file can change the structure around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acp_agent.config.diagnostic import name, shown
from acp_agent.config.files import UnreadableError, expand_home, is_inside, read_bytes
from acp_agent.config.jsonc import Path as KeyPath

MAX_FILE_BYTES = 256 * 1024
# Every child needs these, and every file may name them: they are no secrets.
_ORDINARY = frozenset(
    {"HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TEMP", "TMP", "TMPDIR", "USER", "USERNAME", "USERPROFILE"}
)
_REFERENCE = re.compile(r"\{(env|file):([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references are resolved against. `within` bounds `{file:}`: set for the files of a project."""

    environ: Mapping[str, str]
    home: Path
    folder: Path
    within: Path | None


@dataclass
class Substituted:
    """What was replaced in one file: where, by which values, from which variables, and what was missing."""

    paths: set[KeyPath] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    missing: list[tuple[KeyPath, str]] = field(default_factory=list)


def substitute(tree: Any, around: Surroundings) -> tuple[Any, Substituted]:
    """The tree with every reference replaced, once; what is missing becomes empty and is reported."""
    done = Substituted()
    return _walk(tree, (), around, done), done


def _walk(value: Any, path: KeyPath, around: Surroundings, done: Substituted) -> Any:
    if isinstance(value, dict):
        return {key: _walk(item, (*path, key), around, done) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, (*path, index), around, done) for index, item in enumerate(value)]
    if not isinstance(value, str) or "{" not in value:
        return value

    def replaced(reference: re.Match[str]) -> str:
        done.paths.add(path)
        resolve = _variable if reference[1] == "env" else _file
        written = reference[2].strip()
        text, complaint = resolve(written, around)
        if text and _reaches_too_far(reference[1], written, path, around):
            text = ""
            complaint = f"{{env:{name(written)}}} may stand only in a provider's options in a project's file"
            complaint += "; it counts as empty"
        if complaint:
            done.missing.append((path, complaint))
        if reference[1] == "env" and written in _ORDINARY:
            return text
        if reference[1] == "env":
            done.variables.add(written)
        if text:
            done.secrets.add(text)
        return text

    return _REFERENCE.sub(replaced, value)


def _reaches_too_far(kind: str, written: str, path: KeyPath, around: Surroundings) -> bool:
    """Whether a project's file, which may be a stranger's, puts a variable of the user's where it would be shown."""
    if kind != "env" or around.within is None or written in _ORDINARY:
        return False
    return path[:1] != ("provider",) or path[2:3] != ("options",)


def _variable(variable: str, around: Surroundings) -> tuple[str, str | None]:
    text = around.environ.get(variable)
    if text is None:
        return "", f"the environment variable {name(variable)} is not set; it counts as empty"
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        return "", f"the environment variable {name(variable)} is not UTF-8; it counts as empty"
    return text, None


def _file(written: str, around: Surroundings) -> tuple[str, str | None]:
    if not written:
        return "", "{file:} names no file; it counts as empty"
    path = around.folder / expand_home(written, around.home)
    said = f"the file {name(shown(path, around.home))}"
    if around.within is not None and not is_inside(path, around.within):
        return "", f"{said} lies outside the project, whose files may not refer to it; it counts as empty"
    try:
        data, more = read_bytes(path, MAX_FILE_BYTES)
        if more:
            return "", f"{said} is larger than {MAX_FILE_BYTES // 1024} KiB; it counts as empty"
        return data.decode("utf-8-sig").strip(), None
    except FileNotFoundError:
        return "", f"{said} does not exist; it counts as empty"
    except UnreadableError as error:
        return "", f"{said} {error}; it counts as empty"
    except UnicodeDecodeError:
        return "", f"{said} is not UTF-8; it counts as empty"
