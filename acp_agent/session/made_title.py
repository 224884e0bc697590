# ruff: noqa: RUF001 - the marks of other scripts look like ours, and are meant
"""A title made of a prompt: its first sentence, without what says nothing about the task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from acp_agent.schema import ContentBlock, TextContent
from acp_agent.session.prompt.typed_text import attachment_name, typed_text
from acp_agent.session.title_text import beginning, clean_title

LONGEST = 72
"""Characters of a title that is made here."""

_READ = 20_000  # of a prompt: nobody begins a request behind that
_SHORTEST_SENTENCE = 12

_FENCE = re.compile(r"\s*(```|~~~)")
_MARKS = re.compile(r"^\s*(?:#{1,6}\s+|>\s*|[-*+]\s+|\d{1,3}[.)]\s+|\[[ x]\]\s+)*")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,2000}\)")
_ADDRESS = re.compile(r"https?://(?:www\.)?([^\s/?#<>]{1,200})([^\s?#<>)\]]{0,2000})[^\s<>)\]]*", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@])@(?=[^\s@]{0,500}[./\\])([^\s@,;()]{1,500})")
_LEADS_ON = re.compile(r"[^\s.!?…。！？｡؟۔।][ \t]+$")  # as clients cut a text where a file is mentioned
_EMPHASIS = re.compile(r"`+|\*\*|(?<!\w)__|__(?!\w)")
# A full stop ends a sentence unless a small letter follows (an abbreviation, a file's name).
_END = re.compile(r"[.!?…]+(?=\s+[^\sa-z])|[。！？｡]+|[؟۔।]+(?=\s)")
_GREETING = re.compile(
    r"^(?:hi|hello|hey|ok|okay)(?: there)?(?:\s*[,.!?:]+\s*|\s*$|\s+(?=(?:can|could|would|will|please|i|i'd)\b))",
    re.IGNORECASE,
)
_POLITE = re.compile(r"(?:please|kindly)(?:\s*,\s*|\s+)", re.IGNORECASE)
_QUESTION = re.compile(r"(?:can|could|would|will) you (?:please )?", re.IGNORECASE)
_WISH = re.compile(r"i(?: want| need|'d like|’d like| would like) you to ", re.IGNORECASE)


def made_title(blocks: Sequence[ContentBlock]) -> str:
    """A title of at most `LONGEST` characters out of a prompt; empty if there is nothing to make one of."""
    shared = [block for block in blocks if _for_both(block)]
    text = typed_text(_said(shared))[:_READ]
    made = _first_request(_prose(text)) or _first_request(text.splitlines())
    if not made:
        made = next((name for block in shared if (name := clean_title(attachment_name(block)))), "")
    return _shortened(made)


def _for_both(block: ContentBlock) -> bool:
    """Whether a block is neither for the person alone nor for the model alone."""
    audience = block.annotations.audience if block.annotations is not None else None
    return not audience or {"user", "assistant"} <= set(audience)


def _said(blocks: Sequence[ContentBlock]) -> list[ContentBlock]:
    """The text, and of the attachments those that are words of it: text follows, or just led to it."""
    last = max((index for index, block in enumerate(blocks) if _text(block).strip()), default=-1)
    if last < 0:
        return []
    return list(blocks[: last + (2 if _LEADS_ON.search(_text(blocks[last])) else 1)])


def _text(block: ContentBlock) -> str:
    return block.text if isinstance(block, TextContent) else ""


def _prose(text: str) -> Iterator[str]:
    """The lines outside of code blocks."""
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found and fence in ("", found.group(1)):
            fence = "" if fence else found.group(1)
        elif not fence:
            yield line


def _first_request(lines: Iterable[str]) -> str:
    """The first sentence of the first line that says more than hello."""
    for line in lines:
        if _FENCE.match(line):
            continue
        plain = clean_title(_plain(_MARKS.sub("", line, count=1)))
        request = _without_filler(_sentence(_GREETING.sub("", plain, count=1)))
        if any(character.isalnum() for character in request):
            return request
    return ""


def _plain(line: str) -> str:
    """Without Markdown, with addresses and mentions by name."""
    line = _TERMINAL.sub("", line)
    line = _LINK.sub(lambda found: found.group(1).removeprefix("@"), line)
    line = _ADDRESS.sub(_short_address, line)
    line = _MENTION.sub(_short_mention, line)
    return _EMPHASIS.sub("", line)


def _short_address(found: re.Match[str]) -> str:
    host, path = found.group(1).rpartition("@")[2], found.group(2).rstrip("/.,;:!'\"")
    end = found.group(0)[-1] if found.group(0)[-1] in ".,;:!" else ""
    parts = [part for part in path.split("/") if part]
    return "/".join([host, *(["…"] if len(parts) > 1 else []), *parts[-1:]]) + end


def _short_mention(found: re.Match[str]) -> str:
    path = re.sub(r":\d+(?:-\d+)?$", "", found.group(1).rstrip("/\\"))
    return path.replace("\\", "/").rpartition("/")[2] or found.group(1)


def _sentence(line: str) -> str:
    for found in _END.finditer(line):
        wide = not line[: found.start()].isascii()  # a script without spaces says more with less
        if found.start() >= (4 if wide else _SHORTEST_SENTENCE):
            return line[: found.end()]
    return line


def _without_filler(sentence: str) -> str:
    """Without a polite beginning, and without the stop at the end."""
    rest, asked = sentence, False
    for pattern in (_POLITE, _QUESTION, _WISH, _POLITE):
        shorter = pattern.sub("", rest, count=1) if pattern.match(rest) else rest
        if shorter.strip():
            asked |= pattern is _QUESTION and shorter != rest
            rest = shorter
    if rest != sentence:
        rest = rest[0].upper() + rest[1:]
    return rest.strip().rstrip(" .。｡,;:!！" + ("?？" if asked else "")) or rest.strip()


def _shortened(title: str) -> str:
    if len(title) <= LONGEST:
        return title
    cut = beginning(title, LONGEST - 1)
    space = cut.rfind(" ")
    if not title[len(cut)].isspace() and space > LONGEST // 2:
        cut = cut[:space]
    return cut.rstrip(" ,;:.-–—(") + "…"
