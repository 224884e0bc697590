"""What a bash line would do, as far as rules and cautions need to know: its commands, its dangers, its paths.

A convenience for honest models and no boundary: `python -c` can do what `rm` can. What cannot be read is asked about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acp_agent.tools.base import Subject
from acp_agent.tools.files import outside_subjects
from acp_agent.tools.shell_words import RawCommand, Unparsable, Word, raw_commands
from acp_agent.tools.workspace import Workspace

_DEEPEST = 8
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
# Programs that run the program in their arguments, and which of their options take a value.
_WRAPPERS = {
    "sudo": "ugpCDRTh",
    "doas": "uC",
    "env": "uCS",
    "command": "",
    "builtin": "",
    "exec": "a",
    "nice": "n",
    "ionice": "cn",
    "nohup": "",
    "setsid": "",
    "stdbuf": "ioe",
    "time": "fo",
    "timeout": "ks",
    "xargs": "aEeIiLlnPsd",
}
_TOUCHES_PATHS = frozenset(
    {"cd", "pushd", "rm", "rmdir", "cp", "mv", "mkdir", "touch", "chmod", "chown", "cat", "ln", "tee"}
)
_DEVICE = re.compile(r"/dev/(?:sd|hd|vd|xvd|nvme|mmcblk|disk|rdisk|mapper/|dm-|md)\w*")
_HARMLESS_DEVICES = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd/")
_FORK_BOMB = re.compile(r"([\w:.]+)\s*\(\)\s*\{[^}]*(?<![\w:.])\1\s*\|\s*&?\s*\1(?![\w:.])[^}]*&[^}]*\}")
_HOME = re.compile(r"(?:~|\$HOME\b|\$\{HOME\})(?=/|$)")
# How many words name what a command does; for the rule that "always" proposes.
_ARITY = {
    **dict.fromkeys(("git", "npm", "pnpm", "yarn", "cargo", "go", "docker", "podman", "kubectl", "pip", "uv"), 2),
    **dict.fromkeys(("poetry", "brew", "apt", "apt-get", "systemctl", "gh", "helm", "terraform", "make", "just"), 2),
    **dict.fromkeys(("npm run", "pnpm run", "yarn run", "docker compose", "uv run", "uv pip", "git stash"), 3),
}


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One command that a line runs. `text` is its source; `words` are unquoted, `known` where nothing is expanded.

    `targets` are the files that it redirects to or from.
    """

    text: str
    words: tuple[str, ...]
    known: tuple[bool, ...]
    targets: tuple[tuple[str, str, bool], ...] = ()

    @property
    def name(self) -> str:
        """The program without its folder."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""


def simple_commands(line: str) -> Sequence[SimpleCommand]:
    """Every command of the line, wrapped ones and those of `bash -c '…'` included. Raises `Unparsable`."""
    return tuple(_commands(line, 0))


def _commands(line: str, depth: int) -> Iterator[SimpleCommand]:
    if depth > _DEEPEST:
        raise Unparsable("too deep")
    for raw in raw_commands(line):
        command = _simple(raw)
        yield command
        yield from _inside(command, raw.words, depth)


def _simple(raw: RawCommand) -> SimpleCommand:
    text = raw.source[max(raw.start, 0) : raw.end].strip()
    targets = tuple((each.operator, each.target.value, each.target.literal) for each in raw.redirects)
    words = _without_assignments(raw.words)
    return SimpleCommand(text, tuple(w.value for w in words), tuple(w.literal for w in words), targets)


def _without_assignments(words: Sequence[Word]) -> Sequence[Word]:
    index = 0
    while index < len(words) and words[index].assignment:
        index += 1
    return words[index:]


def _inside(command: SimpleCommand, words: Sequence[Word], depth: int) -> Iterator[SimpleCommand]:
    """What a wrapper or a shell would run in turn."""
    bare = _without_assignments(words)
    if command.name in _SHELLS:
        script = _script(command)
        if script is not None:
            yield from _commands(script, depth + 1)
        return
    if len(bare) < len(words) and bare:
        yield SimpleCommand(" ".join(command.words), command.words, command.known, command.targets)
    if command.name not in _WRAPPERS:
        return
    inner = _unwrapped(command)
    if inner.words and depth < _DEEPEST:
        yield inner
        rest = [Word(value, literal, 0, 0) for value, literal in zip(inner.words, inner.known, strict=True)]
        yield from _inside(inner, rest, depth + 1)


def _script(command: SimpleCommand) -> str | None:
    for index, (word, known) in enumerate(zip(command.words[1:], command.known[1:], strict=True), 1):
        if word.startswith("-") and not word.startswith("--") and "c" in word:
            following = command.words[index + 1 :]
            if following and following[0] == "--":
                following = following[1:]
            return following[0] if following and known else None
    return None


def _unwrapped(command: SimpleCommand) -> SimpleCommand:
    with_value = _WRAPPERS[command.name]
    index = 1
    while index < len(command.words):
        word = command.words[index]
        if word == "--":
            index += 1
            break
        if word.startswith("-") and len(word) > 1:
            takes = not word.startswith("--") and len(word) == 2 and word[1] in with_value
            index += 2 if takes else 1
        elif command.name == "env" and re.match(r"[A-Za-z_]\w*=", word):
            index += 1
        else:
            break
    if command.name == "timeout":
        index += 1  # the duration
    words = command.words[index:]
    return SimpleCommand(" ".join(words), words, command.known[index:])


def line_subjects(line: str, cwd: Path, workspace: Workspace) -> Sequence[Subject]:
    """Everything that a line touches, for the permission rules: its commands, and directories outside the roots."""
    bomb = "it is a fork bomb" if _FORK_BOMB.search(line) else None
    try:
        commands = simple_commands(line)
    except Unparsable as error:
        why = f"the line cannot be read ({error})"
        return [Subject("bash", line, line, danger=bomb, caution=why)]
    subjects: list[Subject] = []
    place: Path | None = cwd
    for command in commands:
        danger, caution = bomb or danger_of(command, place, workspace), caution_of(command)
        always = command.text if danger or caution else _always(command)
        subjects.append(Subject("bash", command.text, always, danger, caution))
        subjects.extend(_outside(command, place, workspace))
        if command.name in ("cd", "pushd"):
            place = _changed(command, place)
    if not subjects:
        subjects.append(Subject("bash", line.strip(), line.strip(), bomb))
    return list(dict.fromkeys(subjects))


def _always(command: SimpleCommand) -> str:
    """The pattern that "always" remembers: the words that name what is done, and anything behind them."""
    if not command.words or not all(command.known[:1]) or command.text.split()[:1] != [command.words[0]]:
        return command.text
    count = 1
    for length in (1, 2):
        count = max(count, _ARITY.get(" ".join(command.words[:length]), 1))
    named = command.words[:count]
    if any(word.startswith("-") for word in named) or " ".join(named) != " ".join(command.text.split()[:count]):
        return command.text
    return f"{' '.join(named)} *"


def danger_of(command: SimpleCommand, place: Path | None, workspace: Workspace) -> str | None:
    """Why a person must be asked whatever the rules allow, or None. `place` is where the line is by then, if known."""
    name, arguments = command.name, command.words[1:]
    if name.startswith("mkfs"):
        return "it makes a file system, which erases a device"
    if name == "dd":
        for word in arguments:
            if word.startswith("of=/dev/") and not word[3:].startswith(_HARMLESS_DEVICES):
                return f"it writes over the device {word[3:]}"
    for operator, target, _ in command.targets:
        if ">" in operator and _DEVICE.fullmatch(target):
            return f"it writes over the device {target}"
    recursive = any(re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive", word) for word in arguments)
    if recursive and name in ("rm", "chmod", "chown"):
        for word, known in zip(arguments, command.known[1:], strict=True):
            if not word.startswith("-") and (why := _whole(word, known, place, workspace, name)):
                return why
    return None


def _whole(word: str, known: bool, place: Path | None, workspace: Workspace, name: str) -> str | None:
    """Why this target is too much: the file system, the home directory, a root of the workspace, or what holds one."""
    if re.match(r"\$\{?\w+\}?/", word) and not _HOME.match(word):
        return f"{word!r} is the whole file system if the variable is empty"
    home = os.path.expanduser("~")
    expanded = _HOME.sub(lambda _: home, word, count=1) if _HOME.match(word) else word
    inside = re.fullmatch(r"(.*?)/?(?:\*|\.\*|\{\*,\.\*\}|\.\[!\.\]\*)", expanded)
    folder = (inside.group(1) or ("/" if expanded.startswith("/") else ".")) if inside else expanded
    if not os.path.isabs(folder):
        if place is None:
            return f"it cannot be told which directory {word!r} is in" if folder in (".", "..") else None
        folder = os.path.join(place, folder)
    target = os.path.realpath(folder)
    if target == os.path.realpath("/"):
        return "it would take the whole file system"
    if name != "rm":
        return None
    for kept, what in [(home, "the home directory"), *((str(root), "the workspace") for root in workspace.roots)]:
        kept = os.path.realpath(kept)
        if kept == target or kept.startswith(target.rstrip(os.sep) + os.sep):
            return f"it would remove {what} as a whole"
    return None


def caution_of(command: SimpleCommand) -> str | None:
    """Why a person is asked unless a rule allows just this, or None: work that git could not give back."""
    if command.name != "git":
        return None
    words = list(command.words[1:])
    while words and words[0].startswith("-"):
        takes_value = words[0] in ("-C", "-c", "--git-dir", "--work-tree", "--namespace")
        del words[: 2 if takes_value else 1]
    match words:
        case ["reset", *rest] if "--hard" in rest:
            return "it throws uncommitted changes away"
        case ["clean", *rest] if _has(rest, "f", "--force") and not _has(rest, "n", "--dry-run"):
            return "it deletes files that git does not know"
        case ["push", *rest] if _has(rest, "f", "--force") or any(
            word.startswith(("--force-", "--mirror", "+")) for word in rest
        ):
            return "it overwrites the history of a remote"
        case _:
            return None


def _has(words: Sequence[str], letter: str, long: str) -> bool:
    return any(word == long or re.fullmatch(rf"-[a-zA-Z]*{letter}[a-zA-Z]*", word) for word in words)


def _outside(command: SimpleCommand, place: Path | None, workspace: Workspace) -> Iterator[Subject]:
    candidates = [(target, known) for _, target, known in command.targets]
    if command.name in _TOUCHES_PATHS:
        candidates += [
            (word, known)
            for word, known in zip(command.words[1:], command.known[1:], strict=True)
            if not word.startswith("-")
        ]
    for word, known in candidates:
        path = _path(word, known, place)
        if path is not None and not str(path).startswith(_HARMLESS_DEVICES):
            yield from outside_subjects(path, workspace)


def _path(word: str, known: bool, place: Path | None) -> Path | None:
    """Where a word leads, as far as it is written there; a wildcard counts as the folder that it stands in."""
    if _HOME.match(word):
        word, known = _HOME.sub(lambda _: os.path.expanduser("~"), word, count=1), "$" not in _HOME.sub("", word)
    if not known or not word or "\x00" in word:
        return None
    if any(mark in word for mark in "*?["):
        word = re.split(r"[*?\[]", word, maxsplit=1)[0].rpartition("/")[0] or ("/" if word.startswith("/") else ".")
    if not os.path.isabs(word) and place is None:
        return None
    return Path(os.path.normpath(os.path.join(place or "/", word)))


def _changed(command: SimpleCommand, place: Path | None) -> Path | None:
    arguments = [(w, k) for w, k in zip(command.words[1:], command.known[1:], strict=True) if not w.startswith("-")]
    if not arguments:
        return Path(os.path.expanduser("~")) if command.name == "cd" else None
    return _path(*arguments[0], place)
