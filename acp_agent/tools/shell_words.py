"""Reading the words of a bash line: quotes, escapes, and the substitutions in which further commands stand.

This is no shell. What would still be expanded is marked as such; text that is not understood at all raises
`Unparsable`, and whoever decides then asks a person.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

QUOTED, EXPANDED = "\x00", "\x01"

_DEEPEST = 25
_MOST_BRACES = 40
_MOST_WORDS = 256
_WORD_END = " \t\n;&|()<>"
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`}\x00\x01]+")
_PLAIN_IN_QUOTES = re.compile(r'[^"\\$`]+')
_BARE_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_BACKTICKS = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_ANSI_C_TEXT = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ANSI_C_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL)
_ANSI_C = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}
_SEQUENCE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})|([A-Za-z])\.\.([A-Za-z])")


class Unparsable(Exception):
    """The line ends inside a quote or a substitution, or goes deeper than is followed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and where it stands in the source.

    `mask` has a character for each of `value`: the same one where it is bare (so that `*` or `~` mean something),
    `QUOTED` where it was quoted, `EXPANDED` where the shell would put something else.
    """

    value: str
    mask: str
    start: int = 0
    end: int = 0
    assignment: bool = False

    @property
    def literal(self) -> bool:
        """Whether nothing in it depends on a variable or on the output of a command."""
        return EXPANDED not in self.mask

    @property
    def wild(self) -> bool:
        """Whether it is a pattern of file names."""
        return any(mark in self.mask for mark in "*?[")


class WordReader(ABC):
    """Reads a text from left to right, word by word. `depth` counts how deep it is nested in others."""

    def __init__(self, source: str, depth: int) -> None:
        self.source = source
        self.at = 0
        self.depth = depth
        self._no_arithmetic: set[int] = set()

    @abstractmethod
    def commands(self, closing: str) -> None:
        """Read commands up to `closing` (a parenthesis) or, without one, to the end of the text."""

    @abstractmethod
    def apart(self, source: str) -> None:
        """Read the commands of another text, which stands inside this one."""

    def down(self) -> None:
        """Go one level deeper; whoever does so comes up again, or gives up the whole text."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unparsable("it is nested too deeply")

    def word(self) -> Word:
        """Read one word; at an operator it is empty."""
        start = self.at
        values: list[str] = []
        masks: list[str] = []
        name = _ASSIGNMENT.match(self.source, start)
        while self.at < len(self.source) and (self.source[self.at] not in _WORD_END or self.at_process()):
            value, mask = self.piece()
            values.append(value)
            masks.append(mask)
            if name is not None and name.end() == self.at and self.source.startswith("(", self.at):
                self._array()
                values.append("()")
                masks.append(EXPANDED * 2)
        return Word("".join(values), "".join(masks), start, self.at, name is not None)

    def piece(self, quotes: str = "") -> tuple[str, str]:
        """Read the next part of a word, quoted or not: its text and its mask. `quotes` is what stands around it."""
        source, at = self.source, self.at
        if plain := _PLAIN.match(source, at):
            self.at = plain.end()
            return plain.group(), plain.group()
        character = source[at]
        match character:
            case "'":
                return self._quoted(self._until_quote())
            case '"':
                self.at += 1
                return self.text('"')
            case "\\":
                self.at += 2
                return self._quoted(source[at + 1 : at + 2].replace("\n", ""))
            case "$" if source.startswith("$'", at):
                return self._quoted(self._ansi_c())
            case "$" if source.startswith('$"', at):
                self.at += 2
                return self.text('"')
            case "$" | "`":
                return self._expansion(quotes)
            case "<" | ">" if self.at_process():
                return self._expansion(quotes)
        self.at += 1
        return character, QUOTED if character in (QUOTED, EXPANDED) else character

    def text(self, closing: str) -> tuple[str, str]:
        """Read text in which only substitutions mean something, up to `closing` or the end: its text and its mask."""
        values: list[str] = []
        masks: list[str] = []
        while self.at < len(self.source):
            character = self.source[self.at]
            if closing and character == closing:
                self.at += 1
                return "".join(values), "".join(masks)
            if character == "\\":
                escaped = self.source[self.at + 1 : self.at + 2]
                value = "" if escaped == "\n" else escaped if escaped in '$`"\\' else f"\\{escaped}"
                value, mask = self._quoted(value)
                self.at += 2
            elif character in "$`":
                value, mask = self._expansion(closing or "<<")
            elif plain := _PLAIN_IN_QUOTES.match(self.source, self.at):
                self.at = plain.end()
                value, mask = self._quoted(plain.group())
            else:
                self.at += 1
                value, mask = self._quoted(character)
            values.append(value)
            masks.append(mask)
        if closing:
            raise Unparsable("a quote is not closed")
        return "".join(values), "".join(masks)

    def arithmetic(self, opening: int) -> bool:
        """Read up to the closing pair; false, and nothing read, if this is a subshell inside a substitution."""
        start, level = self.at, 0
        if start in self._no_arithmetic:
            return False  # asked once already, by what stands around it: asking again doubles the work at each level
        self.down()
        self.at += opening
        found = False
        while self.at < len(self.source) and not found:
            character = self.source[self.at]
            if character == ")" and level == 0:
                if not self.source.startswith("))", self.at):
                    break
                self.at += 2
                found = True
            else:
                level += {"(": 1, ")": -1}.get(character, 0)
                self.piece()
        self.depth -= 1
        if not found:
            self.at = start
            self._no_arithmetic.add(start)
        return found

    def at_process(self) -> bool:
        """Whether a process substitution begins here, `<(…)` or `>(…)`, which is part of a word."""
        return self.source.startswith(("<(", ">("), self.at)

    def _quoted(self, value: str) -> tuple[str, str]:
        return value, QUOTED * len(value)

    def _until_quote(self) -> str:
        start = self.at + 1
        end = self.source.find("'", start)
        if end < 0:
            raise Unparsable("a quote is not closed")
        self.at = end + 1
        return self.source[start:end]

    def _ansi_c(self) -> str:
        match = _ANSI_C_TEXT.match(self.source, self.at)
        if match is None:
            raise Unparsable("a quote is not closed")
        self.at = match.end()
        # bash ends such a text where a NUL would stand
        return _ANSI_C_ESCAPE.sub(_unescaped, match.group(1)).partition("\x00")[0]

    def _array(self) -> None:
        self.down()
        self.at += 1
        while self.at < len(self.source) and self.source[self.at] != ")":
            character = self.source[self.at]
            if character == "#":
                end = self.source.find("\n", self.at)
                self.at = len(self.source) if end < 0 else end
            elif character in " \t\n":
                self.at += 1
            elif character in _WORD_END and not self.at_process():
                raise Unparsable("an operator stands inside an array")
            else:
                self.word()
        if self.at >= len(self.source):
            raise Unparsable("an array is not closed")
        self.at += 1
        self.depth -= 1

    def _expansion(self, quotes: str) -> tuple[str, str]:
        """Read a substitution; its commands are collected, its own text stands for it."""
        start, source = self.at, self.source
        self.down()
        if source[start] == "`":
            match = _BACKTICKS.match(source, start)
            if match is None:
                raise Unparsable("a backtick is not closed")
            self.at = match.end()
            escapes = r'\\([`\\$"])' if quotes == '"' else r"\\([`\\$])"
            self.apart(re.sub(escapes, r"\1", match.group(1)))
        elif source.startswith("$((", start) and self.arithmetic(3):
            pass
        elif source.startswith("$(", start) or self.at_process():
            self.at += 2
            self.commands(")")
        elif source.startswith("${", start):
            self.at += 2
            self._braces(quotes)
        elif match := _BARE_VARIABLE.match(source, start):
            self.at = match.end()
        else:
            self.at += 1
            self.depth -= 1
            return "$", QUOTED
        self.depth -= 1
        return source[start : self.at], EXPANDED * (self.at - start)

    def _braces(self, quotes: str) -> None:
        if self.source[self.at : self.at + 1] in (" ", "\t", "\n", "|"):
            raise Unparsable("commands between ${ and } are not followed")
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "}":
                self.at += 1
                return
            # bash takes these for quotes or for plain characters, depending on the operator before them.
            if quotes and (character == "'" or self.source.startswith("$'", self.at)):
                raise Unparsable("a quote stands inside ${…} inside quotes")
            if quotes == "<<" and character == '"':
                raise Unparsable("a quote stands inside ${…} inside a here-document")
            self.piece(quotes)
        raise Unparsable("a brace is not closed")


def _unescaped(escape: re.Match[str]) -> str:
    code = escape.group(1)
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        # Half of a surrogate pair, or what is no character, can be in no command.
        return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] == "c" and len(code) > 1:
        return chr(ord(code[1].upper()) & 0x1F)
    return _ANSI_C.get(code, code if code in "\\'\"?" else f"\\{code}")


def without_braces(word: Word) -> list[Word]:
    """The words that bare braces make of one: `a{b,c}` becomes `ab` and `ac`. Raises `Unparsable` for too many."""
    if "{" not in word.mask:
        return [word]
    if word.mask.count("{") > _MOST_BRACES:
        raise Unparsable("it has too many braces")
    texts = _expanded(word.value, word.mask)
    return [Word(value, mask, word.start, word.end) for value, mask in texts]


def _expanded(value: str, mask: str) -> list[tuple[str, str]]:
    opening = mask.find("{")
    while opening >= 0:
        closing, commas = _matching(mask, opening)
        pieces = _pieces(value, mask, opening, closing, commas)
        if pieces:
            texts = [
                (value[:opening] + text + rest, mask[:opening] + shape + rest_shape)
                for piece, piece_shape in pieces
                for text, shape in _expanded(piece, piece_shape)
                for rest, rest_shape in _expanded(value[closing + 1 :], mask[closing + 1 :])
            ]
            if len(texts) > _MOST_WORDS:
                raise Unparsable("its braces stand for too many words")
            return texts
        opening = mask.find("{", opening + 1)
    return [(value, mask)]


def _matching(mask: str, opening: int) -> tuple[int, list[int]]:
    """Where the brace is closed, or -1, and the commas directly in it."""
    level = 0
    commas: list[int] = []
    for at in range(opening, len(mask)):
        match mask[at]:
            case "{":
                level += 1
            case "}":
                level -= 1
                if level == 0:
                    return at, commas
            case "," if level == 1:
                commas.append(at)
    return -1, []


def _pieces(value: str, mask: str, opening: int, closing: int, commas: list[int]) -> list[tuple[str, str]]:
    if closing < 0:
        return []
    if commas:
        cuts = [opening, *commas, closing]
        return [(value[a + 1 : b], mask[a + 1 : b]) for a, b in pairwise(cuts)]
    sequence = _SEQUENCE.fullmatch(mask[opening + 1 : closing])
    if sequence is None:
        return []
    low, high, first, last = sequence.groups()
    a, b = (int(low), int(high)) if low else (ord(first), ord(last))
    if abs(a - b) >= _MOST_WORDS:
        raise Unparsable("its braces stand for too many words")
    numbers = range(a, b + 1) if a <= b else range(a, b - 1, -1)
    texts = [str(number) if low else chr(number) for number in numbers]
    return [(text, text) for text in texts]
