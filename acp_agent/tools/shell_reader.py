"""Reading the commands of a bash line: operators, redirections, here-documents, groups, branches, loops, functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from acp_agent.tools.shell_words import EXPANDED, Unparsable, Word, WordReader

_REDIRECT = re.compile(r"\d*(?:&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)")
_OPERATOR = re.compile(r"&&|\|\||\|&|;;&|;;|;&|[;&|\n]")
_FUNCTION = re.compile(r"\([ \t]*\)")
_COPROCESS_NAME = re.compile(r"[ \t]+[A-Za-z_]\w*(?=[ \t]+(?:[{(]|(?:if|while|until|for|case|select|\[\[)\b))")
_SHOWN_OF_FUNCTION = 2000
_BRANCHES = frozenset({"if", "while", "until"})
_OPENERS = _BRANCHES | {"then", "else", "elif", "do", "!", "{", "time", "coproc"}
_CLOSERS = frozenset({"fi", "done", "esac", "}"})


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection to or from a file."""

    operator: str
    target: Word


@dataclass(slots=True, eq=False)
class RawCommand:
    """One simple command as written.

    `scope` names the subshells that it stands in, from the outside in. `before` and `after` are the operators around
    it, `fed_by` the command whose output it reads, `stdin` the text of its here-document, `fed` is true if it reads
    what cannot be known. `conditional` commands may be left out by a branch or a loop.
    """

    source: str
    scope: tuple[int, ...]
    before: str = ""
    conditional: bool = False
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    start: int = -1
    end: int = -1
    after: str = ""
    fed_by: RawCommand | None = None
    stdin: str | None = None
    fed: bool = False

    @property
    def text(self) -> str:
        """The command as it stands in the source, redirections and assignments included."""
        return self.source[max(self.start, 0) : self.end].strip(" \t\n")

    def extend(self, start: int, end: int) -> None:
        """Take this stretch of the source in."""
        self.start = start if self.start < 0 else self.start
        self.end = max(self.end, end)


def raw_commands(source: str) -> tuple[Sequence[RawCommand], str | None]:
    """Every simple command of a line, those in substitutions, functions and branches included, in their order.

    The second value says why the rest of the line could not be read, or is None.
    """
    found: list[RawCommand] = []
    try:
        _Reader(source, 0, found, ()).commands("")
    except Unparsable as error:
        return found, str(error)
    return found, None


class _Reader(WordReader):
    """Reads one text; `found` collects over all nested texts."""

    def __init__(self, source: str, depth: int, found: list[RawCommand], scope: tuple[int, ...]) -> None:
        super().__init__(source, depth)
        self._found = found
        self._scope = scope
        self._scopes = 0
        self._branches = 0
        self._heredocs: list[tuple[str, bool, bool, RawCommand]] = []

    def commands(self, closing: str) -> None:
        """Read commands up to `closing` or to the end; those of a parenthesis have a scope of their own."""
        self.down()
        outer = self._scope, self._branches
        if closing:
            self._scopes += 1
            self._scope = (*self._scope, self._scopes)
        command = self._new("")
        while True:
            self._blanks()
            if self.at >= len(self.source):
                if closing:
                    raise Unparsable("a parenthesis is not closed")
                break
            if self.source[self.at] == ")":
                if not closing:
                    raise Unparsable("a parenthesis too many")
                self.at += 1
                break
            command = self._step(command)
        self._finish(command, "")
        self._scope, self._branches = outer
        self.depth -= 1

    def apart(self, source: str) -> None:
        """Read a text of its own, such as what stands between backticks."""
        self._scopes += 1
        _Reader(source, self.depth, self._found, (*self._scope, self._scopes)).commands("")

    def _new(self, before: str) -> RawCommand:
        return RawCommand(self.source, self._scope, before, self._branches > 0)

    def _finish(self, command: RawCommand, operator: str) -> None:
        command.after = operator
        if command.words or command.redirects or command.stdin is not None:
            self._found.append(command)

    def _step(self, command: RawCommand) -> RawCommand:
        """Read one thing, which is not blank and no closing parenthesis; gives the command to go on with."""
        if self.source[self.at] == "(":
            return self._parenthesis(command)
        if self._redirect(command):
            return command
        operator = _OPERATOR.match(self.source, self.at)
        if operator is None:
            return self._word_of(command)
        self.at = operator.end()
        # A newline after an operator, or two in a row, end no command.
        if operator.group() == "\n" and not command.words and command.before and command.start < 0:
            self._heredoc_bodies()
            return command
        self._finish(command, operator.group())
        following = self._new(operator.group())
        if operator.group() in ("|", "|&") and command.words:
            following.fed_by = command
        if operator.group() == "\n":
            self._heredoc_bodies()
        elif operator.group() in (";;", ";&", ";;&"):
            self._patterns()
        return following

    def _blanks(self, newlines: str = "") -> None:
        while self.at < len(self.source):
            if self.source.startswith("\\\n", self.at):
                self.at += 2
            elif self.source[self.at] in " \t" or self.source[self.at] in newlines:
                self.at += 1
            elif self.source[self.at] == "#":
                end = self.source.find("\n", self.at)
                self.at = len(self.source) if end < 0 else end
            else:
                return

    def _parenthesis(self, command: RawCommand) -> RawCommand:
        if self.source.startswith("((", self.at) and not command.words and self.arithmetic(2):
            return self._new(command.before)
        if command.words and (parentheses := _FUNCTION.match(self.source, self.at)):
            self.at = parentheses.end()
            self._define(command, command.words[0])
            return self._new(";")
        self._finish(command, "(")
        self.at += 1
        self.commands(")")
        return self._new(")")

    def _define(self, command: RawCommand, name: Word) -> None:
        """A function: its definition is a unit of its own, since the name may later stand for anything."""
        command.words[:] = [Word(name.value, EXPANDED * len(name.value), name.start, name.end, assignment=True)]
        command.extend(name.start, min(len(self.source), name.start + _SHOWN_OF_FUNCTION))
        self._finish(command, ";")

    def arithmetic(self, opening: int) -> bool:
        """See `WordReader`; commands found in what turns out to be no arithmetic are found again afterwards."""
        known = len(self._found)
        if super().arithmetic(opening):
            return True
        del self._found[known:]
        return False

    def _word_of(self, command: RawCommand) -> RawCommand:
        word = self.word()
        if not command.words and word.mask == word.value:
            if word.value in _OPENERS:
                self._open(word.value)
                return self._new(command.before) if command.start < 0 else command
            if word.value in _CLOSERS:
                if word.value != "}":
                    self._branches = max(0, self._branches - 1)
                return command
            if word.value in ("for", "select", "case"):
                self._head(word.value, command)
                return command
            if word.value in ("[[", "function"):
                return self._named(word, command)
        command.words.append(word)
        command.extend(word.start, word.end)
        return command

    def _open(self, opener: str) -> None:
        self._branches += opener in _BRANCHES
        if opener == "time":
            while option := re.compile(r"[ \t]+(?:-p|--)(?=[ \t\n]|$)").match(self.source, self.at):
                self.at = option.end()
        elif opener == "coproc" and (name := _COPROCESS_NAME.match(self.source, self.at)):
            self.at = name.end()

    def _head(self, keyword: str, command: RawCommand) -> None:
        """The head of a loop or of `case`: words that are no command."""
        self._branches += 1
        self._blanks()
        if self.source.startswith("(", self.at):
            return
        self.word()
        self._blanks("\n")
        before = self.at
        if self.at >= len(self.source) or self.word().value != "in":
            self.at = before
            return
        if keyword == "case":
            self._patterns()
            return
        self._blanks()
        while self.at < len(self.source) and self.source[self.at] not in ";\n&|()<>":
            self.word()
            self._blanks()

    def _patterns(self) -> None:
        """The patterns of a branch of `case`, up to their parenthesis."""
        self._blanks("\n")
        before = self.at
        if self.source.startswith("(", self.at):
            self.at += 1
        while self.at < len(self.source):
            self._blanks()
            word = self.word()
            self._blanks()
            if word.value == "esac" and not self.source.startswith(("|", ")"), self.at):
                self.at = before
                return
            if self.source.startswith("|", self.at):
                self.at += 1
            elif self.source.startswith(")", self.at):
                self.at += 1
                return
            else:
                raise Unparsable("the pattern of a branch is not closed")

    def _named(self, word: Word, command: RawCommand) -> RawCommand:
        """`[[ … ]]` as a command of its own, or a function behind the word `function`."""
        if word.value == "function":
            self._blanks()
            name = self.word()
            self._blanks()
            if parentheses := _FUNCTION.match(self.source, self.at):
                self.at = parentheses.end()
            command.start = word.start
            self._define(command, name)
            return self._new(";")
        command.words.append(word)
        while self.at < len(self.source):
            if self.source[self.at] in " \t\n()<>&|;" and not self.at_process():
                self.at += 1
                continue
            following = self.word()
            command.extend(word.start, following.end)
            if following.value == "]]":
                return command
        raise Unparsable("[[ is not closed")

    def _redirect(self, command: RawCommand) -> bool:
        match = _REDIRECT.match(self.source, self.at)
        if match is None or self.source.startswith(("<(", ">("), self.at):
            return False
        start, operator = self.at, match.group().lstrip("0123456789")
        self.at = match.end()
        self._blanks()
        target = self.word()
        command.extend(start, target.end)
        if operator in ("<<", "<<-"):
            raw = self.source[target.start : target.end]
            expanded = not any(mark in raw for mark in "'\"\\")
            self._heredocs.append((target.value, operator == "<<-", expanded, command))
        elif operator == "<<<":
            command.stdin = target.value
        elif not (operator in (">&", "<&") and re.fullmatch(r"\d*-?", target.value)):
            command.redirects.append(Redirect(operator, target))
        return True

    def _heredoc_bodies(self) -> None:
        pending, self._heredocs = self._heredocs, []
        for delimiter, tabs, expanded, command in pending:
            lines: list[str] = []
            while self.at < len(self.source):
                end = self.source.find("\n", self.at)
                end = len(self.source) if end < 0 else end
                line = self.source[self.at : end]
                self.at = min(len(self.source), end + 1)
                line = line.lstrip("\t") if tabs else line
                if line == delimiter:
                    break
                lines.append(line)
            body = "\n".join(lines)
            if expanded:
                self._scopes += 1
                _Reader(body, self.depth, self._found, (*self._scope, self._scopes)).text("")
            # A group that it belongs to is long over; the commands in it read it.
            if not command.words and command.stdin is None and command not in self._found:
                self._found.append(command)
            command.stdin = body
