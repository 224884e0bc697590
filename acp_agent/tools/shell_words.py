"""Reading a bash line far enough to know which commands it runs: quotes, substitutions, redirections, control flow.

This is no shell. What cannot be followed is said to be unresolved, and a line that is not understood at all raises
`Unparsable`; whoever decides then asks a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DEEPEST = 30
_REDIRECT = re.compile(r"\d*(?:&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)")
_OPERATOR = re.compile(r"&&|\|\||\|&|;;&|;;|;&|[;&|\n]")
_BARE_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_WORD_END = " \t\n;&|()<>"
_OPENERS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "coproc"})
_CLOSERS = frozenset({"fi", "done", "esac", "}"})
_ANSI_C = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


class Unparsable(Exception):
    """The line ends inside a quote or a substitution, or goes deeper than is followed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes. `literal` is false if the shell would still expand something in it."""

    value: str
    literal: bool
    start: int
    end: int
    assignment: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection to or from a file."""

    operator: str
    target: Word


@dataclass(slots=True)
class RawCommand:
    """One simple command as written: where it stands in the source, its words and its redirections."""

    source: str
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    start: int = -1
    end: int = -1

    def extend(self, start: int, end: int) -> None:
        """Take this stretch of the source in."""
        self.start = start if self.start < 0 else self.start
        self.end = max(self.end, end)


def raw_commands(source: str) -> list[RawCommand]:
    """Every simple command of a line, those inside substitutions, functions and branches included."""
    found: list[RawCommand] = []
    _Reader(source, 0, found).commands("")
    return found


class _Reader:
    """Reads one text from left to right; `found` collects over all nested texts."""

    def __init__(self, source: str, depth: int, found: list[RawCommand]) -> None:
        if depth > _DEEPEST:
            raise Unparsable("too deep")
        self.source = source
        self.at = 0
        self.depth = depth
        self.found = found
        self._heredocs: list[tuple[str, bool, bool]] = []
        self._cases = 0

    def commands(self, closing: str) -> None:
        """Read commands up to `closing` (a parenthesis) or, without one, to the end of the text."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unparsable("too deep")
        command = RawCommand(self.source)
        while True:
            self._blanks()
            if self.at >= len(self.source):
                if closing:
                    raise Unparsable("a parenthesis is not closed")
                self._finish(command)
                break
            character = self.source[self.at]
            if character == ")":
                self.at += 1
                if closing and not self._cases:
                    self._finish(command)
                    break
                if not self._cases:
                    raise Unparsable("a parenthesis too many")
                command = RawCommand(self.source)  # the pattern of a branch
            elif character == "(":
                command = self._parenthesis(command)
            elif self._redirect(command):
                pass
            elif operator := _OPERATOR.match(self.source, self.at):
                self.at = operator.end()
                self._finish(command)
                command = RawCommand(self.source)
                if operator.group() == "\n":
                    self._heredoc_bodies()
            else:
                command = self._word_of(command)
        self.depth -= 1

    def _blanks(self) -> None:
        while self.at < len(self.source):
            if self.source.startswith("\\\n", self.at):
                self.at += 2
            elif self.source[self.at] in " \t":
                self.at += 1
            elif self.source[self.at] == "#":
                end = self.source.find("\n", self.at)
                self.at = len(self.source) if end < 0 else end
            else:
                return

    def _finish(self, command: RawCommand) -> None:
        if command.words or command.redirects:
            self.found.append(command)

    def _parenthesis(self, command: RawCommand) -> RawCommand:
        if self.source.startswith("((", self.at) and not command.words and self._arithmetic(2):
            return RawCommand(self.source)
        if command.words and self.source[self.at + 1 :].lstrip().startswith(")"):
            # A function: the definition is a unit of its own, since its name may later stand for anything.
            command.words[:] = [Word(command.words[0].value, False, command.start, command.end, assignment=True)]
            self.at = self.source.index(")", self.at) + 1
            command.end = len(self.source)
            self._finish(command)
            return RawCommand(self.source)
        self._finish(command)
        self.at += 1
        cases, self._cases = self._cases, 0
        self.commands(")")
        self._cases = cases
        return RawCommand(self.source)

    def _word_of(self, command: RawCommand) -> RawCommand:
        word = self.word()
        if not command.words:
            if word.value in _OPENERS and word.literal:
                return command
            if word.value in _CLOSERS and word.literal:
                if word.value == "esac":
                    self._cases = max(0, self._cases - 1)
                return command
            if word.value in ("[[", "for", "select", "case", "function"):
                return self._compound(word, command)
        command.words.append(word)
        command.extend(word.start, word.end)
        return command

    def _compound(self, word: Word, command: RawCommand) -> RawCommand:
        """Words that are no command: a condition, the list of a loop, the subject of `case`, a function's name."""
        stop = {"[[": "]]", "case": "in"}.get(word.value, "")
        while self.at < len(self.source):
            self._skip_blanks_in(word.value)
            if self.at >= len(self.source) or (not stop and self.source[self.at] in ";\n{("):
                break
            if word.value == "[[" and self.source[self.at] in "()<>&|\n":
                self.at += 1
                continue
            if self.source[self.at] in _WORD_END:
                break
            following = self.word()
            command.extend(word.start, following.end)
            if following.value == stop:
                break
        if word.value == "case":
            self._cases += 1
        if word.value in ("[[", "function"):
            command.words.append(Word(word.value, False, word.start, word.end, assignment=word.value == "function"))
            command.extend(word.start, len(self.source) if word.value == "function" else word.end)
            self._finish(command)
        if word.value == "function" and self.source.startswith("()", self.at):
            self.at += 2
        return RawCommand(self.source)

    def _skip_blanks_in(self, compound: str) -> None:
        self._blanks() if compound != "[[" else None
        while self.at < len(self.source) and self.source[self.at] in " \t":
            self.at += 1

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
            self._heredocs.append((target.value, operator == "<<-", not any(mark in raw for mark in "'\"\\")))
        elif operator != "<<<" and not (operator in (">&", "<&") and re.fullmatch(r"\d*-?", target.value)):
            command.redirects.append(Redirect(operator, target))
        return True

    def _heredoc_bodies(self) -> None:
        for delimiter, tabs, expanded in self._heredocs:
            while self.at < len(self.source):
                end = self.source.find("\n", self.at)
                end = len(self.source) if end < 0 else end
                line = self.source[self.at : end]
                self.at = min(len(self.source), end + 1)
                if (line.lstrip("\t") if tabs else line) == delimiter:
                    break
                if expanded:
                    _Reader(line, self.depth + 1, self.found).text("")
        self._heredocs.clear()

    def word(self) -> Word:
        """Read one word; at an operator it is empty."""
        start, value, literal = self.at, "", True
        assignment = _ASSIGNMENT.match(self.source, self.at) is not None
        while self.at < len(self.source) and (
            self.source[self.at] not in _WORD_END or self.source.startswith(("<(", ">("), self.at)
        ):
            piece, known = self._piece()
            value += piece
            literal = literal and known
            if assignment and value.endswith("=") and self.source.startswith("(", self.at):
                self.at += 1
                self._array()
                literal = False
        if start == self.at and self.at < len(self.source) and self.source[self.at] not in _WORD_END:
            raise Unparsable("no progress")
        if re.search(r"\{[^{}]*(?:,|\.\.)[^{}]*\}", self.source[start : self.at]) and not re.search(
            r"['\"]", self.source[start : self.at]
        ):
            literal = False  # braces make several words of one
        return Word(value, literal, start, self.at, assignment)

    def _array(self) -> None:
        while True:
            self._blanks()
            if self.at >= len(self.source):
                raise Unparsable("an array is not closed")
            if self.source[self.at] == ")":
                self.at += 1
                return
            if self.source[self.at] in _WORD_END:
                self.at += 1
            else:
                self.word()

    def _piece(self) -> tuple[str, bool]:
        source, at = self.source, self.at
        character = source[at]
        if character == "'":
            return self._until("'", 1), True
        if source.startswith("$'", at):
            return self._ansi_c(), True
        if character == '"' or source.startswith('$"', at):
            self.at += 1 if character == '"' else 2
            return self.text('"')
        if character == "\\":
            self.at += 2
            return source[at + 1 : at + 2].replace("\n", ""), True
        if character in "$`" or source.startswith(("<(", ">("), at):
            return self._expansion()
        self.at += 1
        return character, True

    def _until(self, mark: str, opening: int) -> str:
        start = self.at + opening
        end = self.source.find(mark, start)
        if end < 0:
            raise Unparsable("a quote is not closed")
        self.at = end + 1
        return self.source[start:end]

    def _ansi_c(self) -> str:
        match = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL).match(self.source, self.at)
        if match is None:
            raise Unparsable("a quote is not closed")
        self.at = match.end()

        def decoded(escape: re.Match[str]) -> str:
            code = escape.group(1)
            if code[0] in "xuU":
                return chr(min(int(code[1:], 16), 0x10FFFF)) if len(code) > 1 else code
            return chr(int(code, 8)) if code[0] in "01234567" else _ANSI_C.get(code, code)

        pattern = r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|.)"
        return re.sub(pattern, decoded, match.group(1), flags=re.DOTALL)

    def text(self, closing: str) -> tuple[str, bool]:
        """Read text in which only substitutions mean something, up to `closing` or the end."""
        value, literal = "", True
        while self.at < len(self.source):
            character = self.source[self.at]
            if closing and character == closing:
                self.at += 1
                return value, literal
            if character == "\\":
                escaped = self.source[self.at + 1 : self.at + 2]
                value += "" if escaped == "\n" else escaped if escaped in '$`"\\' else f"\\{escaped}"
                self.at += 2
            elif character in "$`":
                piece, known = self._expansion()
                value += piece
                literal = literal and known
            else:
                value += character
                self.at += 1
        if closing:
            raise Unparsable("a quote is not closed")
        return value, literal

    def _expansion(self) -> tuple[str, bool]:
        """Read a substitution; its commands are collected, its own text stands for it."""
        start, source = self.at, self.source
        if source[start] == "`":
            match = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL).match(source, start)
            if match is None:
                raise Unparsable("a backtick is not closed")
            self.at = match.end()
            _Reader(re.sub(r"\\([`\\$])", r"\1", match.group(1)), self.depth + 1, self.found).commands("")
        elif source.startswith("$((", start) and self._arithmetic(3):
            pass
        elif source.startswith(("$(", "<(", ">("), start):
            self.at += 2
            cases, self._cases = self._cases, 0
            self.commands(")")
            self._cases = cases
        elif source.startswith("${", start):
            self.at += 2
            self._braces()
        elif match := _BARE_VARIABLE.match(source, start):
            self.at = match.end()
        else:
            self.at += 1
            return "$", True
        return source[start : self.at], False

    def _braces(self) -> None:
        while self.at < len(self.source):
            if self.source[self.at] == "}":
                self.at += 1
                return
            self._piece()
        raise Unparsable("a brace is not closed")

    def _arithmetic(self, opening: int) -> bool:
        """Read up to the closing pair; false, and nothing read, if this is a subshell inside a substitution."""
        start, depth = self.at, 0
        known = len(self.found)
        self.at += opening
        while self.at < len(self.source):
            if self.source[self.at] == ")" and depth == 0:
                if self.source.startswith("))", self.at):
                    self.at += 2
                    return True
                break
            depth += {"(": 1, ")": -1}.get(self.source[self.at], 0)
            if self.source[self.at] in "$`'\"\\":
                self._piece()
            else:
                self.at += 1
        self.at = start
        del self.found[known:]
        return False
