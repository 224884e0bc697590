"""What a bash line would do, as far as rules and cautions need to know: its commands, its dangers, its paths.

A convenience for honest models and no boundary: `python -c` can do what `rm` can. What cannot be read is asked about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from acp_agent.tools.base import Subject
from acp_agent.tools.files import outside_subjects
from acp_agent.tools.shell_commands import TWO_WORDS, SimpleCommand, git_words, simple_commands
from acp_agent.tools.shell_words import EXPANDED, Word
from acp_agent.tools.shell_wrappers import WRAPPERS
from acp_agent.tools.workspace import Workspace

_TOUCHES_PATHS = frozenset(
    {"cd", "pushd", "rm", "rmdir", "cp", "mv", "mkdir", "touch", "chmod", "chown", "cat", "ln", "tee"}
)
# Their arguments are text, or ask what there is; no file is opened.
_OPENS_NOTHING = frozenset({"echo", "printf", "test", "[", "[[", "export", "which", "type", "command", "hash", "alias"})
_ENV_FILE = re.compile(r"(?:.*/)?\.env(?:\..+)?")
_DEVICE = re.compile(r"/dev/(?:(?:sd|hd|vd|xvd|nvme|mmcblk|disk|rdisk|dm-|md|loop)[\w-]*|(?:mapper|disk)/.+)")
_HARMLESS_DEVICES = re.compile(r"/dev/(?:null|stdin|stdout|stderr|tty|zero|full|u?random|(?:fd|shm|pts)/.*)")
_FORK_BOMB = re.compile(
    r"(?<![\w:.])([\w:.]+)\s*\(\s*\)\s*\{[^}]{0,200}(?<![\w:.])\1\s*\|\s*&?\s*\1(?![\w:.])[^}]{0,200}&[^}]{0,200}\}"
    r"|\bfunction\s+([\w:.]+)\s*(?:\(\s*\)\s*)?\{[^}]{0,200}(?<![\w:.])\2\s*\|\s*&?\s*\2(?![\w:.])[^}]{0,200}&[^}]{0,200}\}"
)
_HOME = re.compile(r"(?:~|\$HOME\b|\$\{HOME\})(?=/|$)")
_PLACE = re.compile(r"(?:\$PWD\b|\$\{PWD\}|\$\(pwd\)|`pwd`)(?=/|$)")
_USER = re.compile(r"~[\w.-]+(?=/|$)")
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})(?=/)")
_EVERYTHING = re.compile(r"[*?.]*\*[*?.]*|\.?\[[!^]\.\]\*|\[[^\]]*\]\*")
_RECURSIVE = re.compile(r"-[a-zA-Z]*[rR][a-zA-Z]*|--r(?:e(?:c(?:u(?:r(?:s(?:i(?:ve?)?)?)?)?)?)?)?")
_MOST_PLACES = 8
# What "always" may stand for beyond the program itself; a shell or a wrapper would stand for anything.
_THREE_WORDS = frozenset({"npm run", "pnpm run", "yarn run", "docker compose", "uv run", "uv pip", "git stash"})
_NEVER_ALWAYS = frozenset({*WRAPPERS, "bash", "sh", "dash", "zsh", "ksh", "eval", "source", ".", "find", "su", "ssh"})


def line_subjects(line: str, cwd: Path, workspace: Workspace) -> Sequence[Subject]:
    """Everything that a line touches, for the permission rules: its commands, and directories outside the roots."""
    bomb = "it is a fork bomb" if _FORK_BOMB.search(line) else None
    commands, problem = simple_commands(line)
    subjects: list[Subject] = []
    if problem is not None:
        # No rule may allow it, since a rule for its beginning says nothing about the rest.
        subjects.append(Subject("bash", line, line, bomb or f"the line cannot be read as a whole: {problem}"))
    places = _Places(cwd)
    for command in commands:
        here = places.of(command)
        danger = bomb or next(filter(None, (danger_of(command, place, workspace) for place in here)), None)
        caution = command.unread or caution_of(command)
        always = command.text if danger or caution else _always(command)
        subjects.append(Subject("bash", command.text, always, danger, caution))
        for place in here:
            subjects.extend(_outside(command, place, workspace))
        places.follow(command)
    if not subjects:
        subjects.append(Subject("bash", line.strip(), line.strip(), bomb))
    return list(dict.fromkeys(subjects))


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a shell may stand: `now`, if all went well since the last `&&`, and `ever`, if a `cd` failed."""

    now: tuple[Path | None, ...]
    ever: tuple[Path | None, ...]


class _Places:
    """The directories in which the commands of a line may run; None for one that cannot be told."""

    def __init__(self, cwd: Path) -> None:
        self._scopes: dict[tuple[int, ...], _Standing] = {(): _Standing((cwd,), (cwd,))}

    def of(self, command: SimpleCommand) -> tuple[Path | None, ...]:
        """Where this command may run."""
        return self._standing(command).now

    def _standing(self, command: SimpleCommand) -> _Standing:
        scope = command.raw.scope
        while scope not in self._scopes:
            scope = scope[:-1]
        standing = self._scopes[scope]
        return standing if command.raw.before == "&&" else replace(standing, now=standing.ever)

    def follow(self, command: SimpleCommand) -> None:
        """Take a change of the directory into account."""
        raw = command.raw
        standing = self._standing(command)
        self._scopes[raw.scope] = standing
        if command.name not in ("cd", "pushd", "popd") or {raw.before, raw.after} & {"|", "|&"} or raw.after == "&":
            return  # a part of a pipeline changes only its own directory
        now = tuple(dict.fromkeys(_changed(command, place) for place in standing.now))
        sure = raw.before not in ("&&", "||") and not raw.conditional
        if not sure or not all(place is not None and place.is_dir() for place in now):
            ever = tuple(dict.fromkeys((*standing.ever, *now)))
        else:
            ever = now
        if len(ever) > _MOST_PLACES:
            ever = (*ever[:_MOST_PLACES], None)
        self._scopes[raw.scope] = _Standing(now[:_MOST_PLACES], ever)


def _changed(command: SimpleCommand, place: Path | None) -> Path | None:
    targets = [word for word in command.arguments if not word.value.startswith("-") or word.value == "-"]
    if not targets:
        return Path(os.path.expanduser("~")) if command.name == "cd" else None
    return None if targets[0].value == "-" or command.name == "popd" else _path(targets[0], place, whole=True)


def _always(command: SimpleCommand) -> str:
    """The pattern that "always" remembers: the words that name what is done, and anything behind them."""
    words = command.words
    if not words or command.name in _NEVER_ALWAYS:
        return command.text
    count = 2 if words[0].value in TWO_WORDS else 1
    if " ".join(word.value for word in words[:2]) in _THREE_WORDS:
        count = 3
    named = " ".join(word.value for word in words[:count])
    plain = all(word.literal and not word.value.startswith("-") for word in words[:count])
    if not plain or named != " ".join(command.text.split()[:count]):
        return command.text
    return f"{named} *"


def danger_of(command: SimpleCommand, place: Path | None, workspace: Workspace) -> str | None:
    """Why a person must be asked whatever the rules allow, or None. `place` is where the line is by then, if known."""
    name = command.name
    if name.startswith("mkfs") or name == "mke2fs":
        return "it makes a file system, which erases a device"
    if name == "dd":
        for word in command.arguments:
            device = os.path.normpath(word.value[3:]) if word.value.startswith("of=/") else ""
            if device.startswith(("/dev/", "//dev/")) and not _HARMLESS_DEVICES.fullmatch(device):
                return f"it writes over the device {device}"
    for redirect in command.raw.redirects:
        target = redirect.target.value
        if ">" in redirect.operator and target.startswith("/") and _DEVICE.fullmatch(os.path.normpath(target)):
            return f"it writes over the device {target}"
    taken: Sequence[Word] = ()
    if name in ("rm", "chmod", "chown") and _is_recursive(command):
        taken = _targets(command)
    elif name == "find":
        taken, name = _deleted_by_find(command), "rm"
    return next((why for word in taken if (why := _whole(word, place, workspace, name))), None)


def _deleted_by_find(command: SimpleCommand) -> Sequence[Word]:
    """Where a `find` begins that deletes whatever it meets; nothing for one that chooses, or deletes nothing."""
    words = list(command.arguments)
    count = next((at for at, word in enumerate(words) if word.value.startswith(("-", "(", "!"))), len(words))
    tests = [word.value for word in words[count:]]
    if "-delete" not in tests or any(test not in ("-delete", "-depth", "-xdev", "-mount", "-print") for test in tests):
        return ()
    return words[:count] or [Word(".", ".")]


def _is_recursive(command: SimpleCommand) -> bool:
    return any(_RECURSIVE.fullmatch(word.value) for word in command.arguments)


def _targets(command: SimpleCommand) -> list[Word]:
    values = [word.value for word in command.arguments]
    options_end = values.index("--") if "--" in values else len(values)
    return [
        word for index, word in enumerate(command.arguments) if index > options_end or not word.value.startswith("-")
    ]


def _whole(word: Word, place: Path | None, workspace: Workspace, name: str) -> str | None:
    """Why this target is too much: the file system, the home directory, a root of the workspace, or what holds one."""
    head, length = _head(word.value, place)
    if head is None:
        return f"it cannot be told which directory {word.value!r} is in"
    path, suffix = head + word.value[length:], ""
    if _VARIABLE.match(path):
        path, suffix = _VARIABLE.sub("", path, count=1), f", if the variable in {word.value!r} is empty"
    folder, _, last = path.rpartition("/")
    everything = _EVERYTHING.fullmatch(last) is not None and last not in (".", "..")
    folder = (folder or ("/" if path.startswith("/") else ".")) if everything else path
    if "\x00" in folder or any(mark in folder for mark in "$`"):
        return None
    if not os.path.isabs(folder):
        if place is None:
            outermost = os.path.normpath(folder)
            return f"it cannot be told which directory {word.value!r} is in" if outermost in (".", "..") else None
        folder = os.path.join(place, folder)
    target = _real(folder)
    if target == _real("/"):
        return f"it would take the whole file system{suffix}"
    if name != "rm":
        return None
    home = os.path.expanduser("~")
    for kept, what in [(home, "the home directory"), *((str(root), "the workspace") for root in workspace.roots)]:
        kept = _real(kept)
        if kept == target or kept.startswith(target.rstrip(os.sep) + os.sep):
            return f"it would remove {what} as a whole{suffix}"
    return None


def _head(value: str, place: Path | None) -> tuple[str | None, int]:
    """The directory that a word begins with, put in for `~` and the like, and how long its name there is.

    None stands for the current directory if that is not known.
    """
    if match := _PLACE.match(value):
        return None if place is None else str(place), match.end()
    if match := _HOME.match(value):
        return os.path.expanduser("~"), match.end()
    user = _USER.match(value)
    return ("", 0) if user is None else (os.path.expanduser(user.group()), user.end())


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # no path at all: half of a surrogate pair, for example
        return path


def caution_of(command: SimpleCommand) -> str | None:
    """Why a person is asked unless a rule allows just this, or None: work that nothing could give back."""
    if command.name == "rm" and _is_recursive(command):
        for word in _targets(command):
            if word.value.startswith(("$", "`")) and not _resolved(word.value):
                return f"it cannot be told what {word.value!r} removes"
    if command.name == "xargs" and command.raw.stdin is None and command.raw.fed_by is not None:
        words = [word.value for word in command.arguments]
        if "rm" in words and any(_RECURSIVE.fullmatch(word) for word in words[words.index("rm") :]):
            return "it removes directories that another program names"
    if command.name != "git":
        return None
    match [word.value for word in git_words(command.arguments)]:
        case ["reset", *rest] if any(word in ("--h", "--ha", "--har", "--hard") for word in rest):
            return "it throws uncommitted changes away"
        case ["clean", *rest] if _has(rest, "f", "--force") and not _has(rest, "n", "--dry-run"):
            return "it deletes files that git does not know"
        case ["push", *rest] if _has(rest, "f", "--force") or any(
            word.startswith(("--force-", "--mirror", "+")) for word in rest
        ):
            return "it overwrites the history of a remote"
        case _:
            return None


def _resolved(value: str) -> bool:
    return any(pattern.match(value) for pattern in (_HOME, _PLACE, _VARIABLE))


def _has(words: Sequence[str], letter: str, long: str) -> bool:
    return any(word == long or re.fullmatch(rf"-[a-zA-Z]*{letter}[a-zA-Z]*", word) for word in words)


def _outside(command: SimpleCommand, place: Path | None, workspace: Workspace) -> Iterator[Subject]:
    """Directories outside the roots that the command reaches, and files of secrets that it names."""
    words = [redirect.target for redirect in command.raw.redirects]
    if command.name not in _OPENS_NOTHING:
        words += [word for word in command.arguments if _leads_away(word, place)]
        for word in command.arguments:
            path = _path(word, place, whole=True) if _ENV_FILE.fullmatch(word.value) else None
            if path is not None:
                yield Subject("read", workspace.display(path), workspace.display(path))
    if command.name in _TOUCHES_PATHS:
        words += [word for word in command.arguments if not word.value.startswith("-")]
        words += [
            Word(value, value)
            for word in command.arguments
            if word.value.startswith("--") and (value := word.value.partition("=")[2]).startswith(("/", "~", ".."))
        ]
    for word in words:
        path = _path(word, place, whole=False)
        if path is not None and not _HARMLESS_DEVICES.fullmatch(str(path)):
            yield from outside_subjects(path, workspace)


def _leads_away(word: Word, place: Path | None) -> bool:
    """Whether a word is the path of something that exists, or could be made, elsewhere; `/x/d` may be a script."""
    if not word.value.startswith(("/", "~", "..", "$HOME", "${HOME}")):
        return False
    path = _path(word, place, whole=False)
    if path is None:
        return False
    return path.exists() or (path.parent.is_dir() and len(path.parts) > 2)


def _path(word: Word, place: Path | None, *, whole: bool) -> Path | None:
    """Where a word leads; None if that cannot be told.

    Unless it must be known as a `whole`, a wildcard or a variable counts as the folder that it stands in.
    """
    head, length = _head(word.value, place)
    if head is None or not word.value or "\x00" in word.value:
        return None
    rest, mask = word.value[length:], word.mask[length:]
    unknown = next((at for at, mark in enumerate(mask) if mark in f"*?[{EXPANDED}"), None)
    path = head + rest
    if unknown is not None:
        known = head + rest[:unknown]
        if whole or "/" not in known:
            return None
        path = f"{known.rpartition('/')[0]}/*"
    if not os.path.isabs(path) and place is None:
        return None
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return None
    return Path(os.path.normpath(os.path.join(place or "/", path)))
