"""Programs that run the program in their arguments: `sudo`, `env`, `timeout`, `xargs`, `find -exec` and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from acp_agent.tools.shell_words import Word


class _Wrapper(NamedTuple):
    """A program that runs the one in its arguments: its options with a value, and how many words stand before it."""

    short: str = ""
    long: str = ""
    before: int = 0
    assignments: bool = False


WRAPPERS = {
    **dict.fromkeys(("builtin", "nohup", "setsid", "busybox", "toybox", "unbuffer", "chronic", "fakeroot"), _Wrapper()),
    "command": _Wrapper(),
    "sudo": _Wrapper("ugpCDRThrt", "user group prompt chdir chroot host role type other-user", assignments=True),
    "doas": _Wrapper("uC"),
    "env": _Wrapper("uC", "unset chdir", assignments=True),
    "exec": _Wrapper("a"),
    "nice": _Wrapper("n", "adjustment"),
    "ionice": _Wrapper("cnpPu", "class classdata"),
    "chrt": _Wrapper("TPD", before=1),
    "taskset": _Wrapper(before=1),
    "stdbuf": _Wrapper("ioe", "input output error"),
    "time": _Wrapper("fo", "format output"),
    "timeout": _Wrapper("ks", "kill-after signal", before=1),
    "xargs": _Wrapper("aEILnPsd", "arg-file delimiter max-args max-procs max-chars process-slot-var"),
    "unshare": _Wrapper("SGRw", "setuid setgid root wd"),
    "strace": _Wrapper("abeEIoOpPsSuUX", "output attach"),
    "chroot": _Wrapper(before=1),
    "flock": _Wrapper("wE", "timeout wait conflict-exit-code", before=1),
    "caffeinate": _Wrapper("tw"),
    "watch": _Wrapper("n", "interval"),
    "parallel": _Wrapper("jSaN", "jobs"),
}

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_NO_FILTERS = frozenset({"-depth", "-xdev", "-mount", "-print", "-print0", "-mindepth", "-maxdepth"})
_EXEC = frozenset({"-exec", "-execdir", "-ok", "-okdir"})


def run_by(name: str, words: Sequence[Word], fed: str) -> Iterator[tuple[Word, ...]]:
    """The words of each command that the program runs, given its arguments and what it reads, if that is known."""
    if name == "find":
        yield from _found_by(words)
    wrapper = WRAPPERS.get(name)
    if wrapper is None:
        return
    if name == "command" and words and re.fullmatch("-[pvV]*[vV][pvV]*", words[0].value):
        return  # asks where a program is, and does not run it
    inner = _behind_options(words, wrapper)[wrapper.before :]
    yield (*inner, *(Word(word, word) for word in fed.split()))


def _behind_options(words: Sequence[Word], wrapper: _Wrapper) -> Sequence[Word]:
    long = {f"--{name}" for name in wrapper.long.split()}
    index = 0
    while index < len(words):
        word = words[index].value
        if word == "--":
            return words[index + 1 :]
        if word.startswith("-") and len(word) > 1:
            index += 2 if word in long or _takes_next(word, wrapper.short) else 1
        elif wrapper.assignments and _ASSIGNMENT.match(word):
            index += 1
        else:
            break
    return words[index:]


def _takes_next(option: str, with_value: str) -> bool:
    """Whether the value of the last letter of these short options is the next word."""
    if option.startswith("--"):
        return False
    first = next((index for index, letter in enumerate(option) if index and letter in with_value), 0)
    return first > 0 and first == len(option) - 1


def _found_by(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """The commands of `find … -exec`; where no test chooses, they get the places that it starts from."""
    words = [word for word in words if word.value not in ("-H", "-L", "-P")]
    first = next((index for index, word in enumerate(words) if _is_test(word)), len(words))
    index, filtered = first, False
    while index < len(words):
        word = words[index]
        index += 1
        if word.value in _EXEC:
            end = next((at for at in range(index, len(words)) if words[at].value in (";", "+")), len(words))
            places = () if filtered else tuple(words[:first]) or (Word(".", "."),)
            yield _put_in(words[index:end], places)
            index = end + 1
        elif _is_test(word):
            filtered |= word.value not in _NO_FILTERS
            index += word.value in ("-mindepth", "-maxdepth")


def _is_test(word: Word) -> bool:
    return word.value.startswith(("-", "(", "!"))


def _put_in(words: Sequence[Word], places: Sequence[Word]) -> tuple[Word, ...]:
    found: list[Word] = []
    for word in words:
        found.extend(places if word.value == "{}" and places else (word,))
    return tuple(found)
