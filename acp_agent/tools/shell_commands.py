"""Which programs a bash line runs, behind quotes, wrappers such as `sudo`, and shells that are given a script."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from acp_agent.tools.shell_reader import RawCommand, raw_commands
from acp_agent.tools.shell_words import EXPANDED, Unparsable, Word, without_braces
from acp_agent.tools.shell_wrappers import run_by

UNKNOWN_PROGRAM = "it cannot be told which program it runs"
UNKNOWN_SCRIPT = "it runs a script that cannot be read beforehand"

# Their second word says what they do as much as their name.
TWO_WORDS = frozenset(
    {"git", "npm", "pnpm", "yarn", "cargo", "go", "docker", "podman", "kubectl", "pip", "uv", "poetry", "brew", "apt"}
    | {"apt-get", "systemctl", "gh", "helm", "terraform", "make", "just"}
)
GIT_OPTIONS = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env"})

_DEEPEST = 8
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh", "mksh", "ash", "rbash", "fish"})
_PIPES = ("|", "|&")
_FOLDER = re.compile(r"\$(?:\w+|\{\w+\})/(?=.*[^/]$)")


_TAKE_SCRIPTS = frozenset({"su", "runuser", "script", "flock"})


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One command that a line runs: its text, its words without assignments, and the command as written.

    `unread` says what could not be told about it, and is None for nearly all.
    """

    text: str
    words: tuple[Word, ...]
    raw: RawCommand
    unread: str | None = None

    @property
    def name(self) -> str:
        """The program without its folder."""
        return self.words[0].value.rsplit("/", 1)[-1] if self.words else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words behind the program."""
        return self.words[1:]


def simple_commands(line: str) -> tuple[Sequence[SimpleCommand], str | None]:
    """Every command of the line, wrapped ones and those of `bash -c '…'` included.

    The second value says why a part of the line could not be read, or is None.
    """
    reading = _Reading()
    reading.line(line, 0, None)
    return reading.found, reading.problem


class _Reading:
    """The commands found so far, in a line and the scripts in it, and the first thing that could not be read."""

    def __init__(self) -> None:
        self.found: list[SimpleCommand] = []
        self.problem: str | None = None

    def line(self, text: str, depth: int, outer: RawCommand | None) -> None:
        """Read a line, or a script whose commands read what `outer` reads."""
        if depth > _DEEPEST:
            self.problem = self.problem or "it is nested too deeply"
            return
        commands, problem = raw_commands(text)
        self.problem = self.problem or problem
        groups = [raw for raw in commands if raw.stdin is not None and not raw.words]
        for raw in commands:
            raw.fed = raw.before in _PIPES
            if outer is not None and raw.stdin is None and not raw.fed:
                raw.stdin, raw.fed = _standard_input(outer), outer.fed
            try:
                words = _program_words(raw.words)
            except Unparsable as error:
                self.problem = self.problem or str(error)
                words = tuple(raw.words)
            self._command(SimpleCommand(raw.text, words, raw), depth)
        if groups and any(_takes_input(command) for command in self.found):
            for raw in groups:  # the here-document of a group, in which a shell reads it
                self.line(raw.stdin or "", depth + 1, None)

    def _command(self, command: SimpleCommand, depth: int) -> None:
        if command.words and _unknown(command.words[0]):
            command = SimpleCommand(command.text, command.words, command.raw, UNKNOWN_PROGRAM)
        script = _script(command)
        if script is None and _reads_script(command):
            command = SimpleCommand(command.text, command.words, command.raw, UNKNOWN_SCRIPT)
        self.found.append(command)
        plain = _plain(command)
        if plain is not None:
            self.found.append(SimpleCommand(plain, command.words, command.raw, command.unread))
        if script is not None:
            self.line(script, depth + 1, command.raw)
            return
        fed = _standard_input(command.raw) if command.name == "xargs" else None
        for words in run_by(command.name, command.arguments, fed or ""):
            self._inner(words, command.raw, depth + 1)

    def _inner(self, words: tuple[Word, ...], raw: RawCommand, depth: int) -> None:
        if depth > _DEEPEST:
            self.problem = self.problem or "it is nested too deeply"
        elif words:
            self._command(SimpleCommand(_joined(words), words, raw), depth)


def _program_words(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words from the program on, with their braces expanded."""
    first = next((index for index, word in enumerate(words) if not word.assignment), len(words))
    return tuple(each for word in words[first:] for each in without_braces(word))


def _joined(words: Sequence[Word]) -> str:
    return " ".join(word.value for word in words)


def _unknown(word: Word) -> bool:
    """Whether the program depends on a variable, other than one for its folder, or on which files there are."""
    folder = _FOLDER.match(word.value)
    mask = word.mask[folder.end() :] if folder else word.mask
    return EXPANDED in mask or (Word(mask, mask).wild and word.value not in ("[", "[["))


def _plain(command: SimpleCommand) -> str | None:
    """The command as rules expect it, where it is written in another way: quoted, behind assignments, with a folder."""
    if not command.words:
        return None
    name = command.words[0].value
    if os.path.basename(os.path.dirname(os.path.normpath(name))) in ("bin", "sbin"):
        name = os.path.basename(name)
    rest = list(command.arguments)
    if name == "git":
        rest = git_words(rest)
    head = [name]
    if name in TWO_WORDS and rest and re.fullmatch(r"[a-z][\w:-]*", rest[0].value):
        head.append(rest[0].value)
    start = " ".join(head)
    if command.text.startswith(start) and command.text[len(start) : len(start) + 1] in ("", " ", "<", ">"):
        return None
    return " ".join([name, *(word.value for word in rest)])


def git_words(words: Sequence[Word]) -> list[Word]:
    """The arguments of git from its sub-command on."""
    rest = list(words)
    while rest and rest[0].value.startswith("-"):
        del rest[: 2 if rest[0].value in GIT_OPTIONS else 1]
    return rest


def _script(command: SimpleCommand) -> str | None:
    """The text that a shell, `eval` or the like would run, as far as it stands in the line."""
    words = command.arguments
    match command.name:
        case name if name in _SHELLS:
            given, script = _shell_arguments(words)
            return script.value if script is not None else None if given else _standard_input(command.raw)
        case "eval":
            return _joined(words[1:] if words and words[0].value == "--" else words)
        case "trap":
            return words[0].value if len(words) > 1 and not words[0].value.startswith("-") else None
        case "env":
            return _split_string(words)
        case name if name in _TAKE_SCRIPTS:
            return _option_value(words, "c", "--command")
    return None


def _reads_script(command: SimpleCommand) -> bool:
    """Whether it runs commands that come out of another program, so that nobody can know them."""
    if command.name in (".", "source"):
        return bool(command.arguments) and _from_elsewhere(command.arguments[0])
    if command.name not in _SHELLS:
        return False
    given, script = _shell_arguments(command.arguments)
    if script is None and given:
        return _from_elsewhere(given[0])
    return script is None and command.raw.stdin is None and command.raw.fed


def _takes_input(command: SimpleCommand) -> bool:
    """Whether it is a shell that reads its script from its input."""
    given, script = _shell_arguments(command.arguments)
    return command.name in _SHELLS and script is None and not given


def _from_elsewhere(word: Word) -> bool:
    return word.value.startswith(("<(", "/dev/stdin", "/dev/fd/", "/proc/self/fd/"))


def _shell_arguments(words: Sequence[Word]) -> tuple[Sequence[Word], Word | None]:
    """What a shell is given behind its options, and which of it is the script of `-c`, if it has that option."""
    index, takes_script, from_input = 0, False, False
    while index < len(words) and re.match(r"[-+].", words[index].value):
        option = words[index].value
        index += 1
        if option == "--":
            break
        if option.startswith("--"):
            index += option in ("--rcfile", "--init-file")
            continue
        takes_script |= "c" in option and option[0] == "-"
        from_input |= "s" in option
        index += option[-1] in "oO"
    rest = words[index:]
    if takes_script:
        return rest, rest[0] if rest else None
    return () if from_input or (rest and rest[0].value == "-") else rest, None


def _standard_input(raw: RawCommand) -> str | None:
    """What a command reads, where the line itself says it."""
    if raw.stdin is not None:
        return raw.stdin
    source = raw.fed_by
    if source is None or not source.words:
        return None
    try:
        words = [word.value for word in _program_words(source.words)]
    except Unparsable:
        return None
    match words:
        case ["echo", *rest]:
            return " ".join(word for word in rest if not re.fullmatch("-[neE]+", word)).replace("\\n", "\n")
        case ["printf", layout, *rest] if not re.search(r"%[^sb%]", layout):
            return "\n".join([re.sub("%[sb]", " ", layout), *rest]).replace("\\n", "\n")
        case ["cat"] if source.stdin is not None:
            return source.stdin
    return None


def _option_value(words: Sequence[Word], letter: str, long: str) -> str | None:
    for index, word in enumerate(words):
        if word.value == long or re.fullmatch(f"-[A-Za-z]*{letter}", word.value):
            return words[index + 1].value if index + 1 < len(words) else None
        if word.value.startswith(f"{long}="):
            return word.value.partition("=")[2]
    return None


def _split_string(words: Sequence[Word]) -> str | None:
    """The command of `env -S 'program arguments'`."""
    for index, word in enumerate(words):
        attached = re.fullmatch(r"(?:-[0iv]*S|--split-string=?)(.*)", word.value, re.DOTALL)
        if attached:
            return " ".join([attached.group(1), _joined(words[index + 1 :])])
        if not word.value.startswith("-"):
            break
    return None
