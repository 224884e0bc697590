"""A conversation as one Markdown document, for people to keep or to send on."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from acp_agent.llm.messages import AssistantMessage, Text, Thinking
from acp_agent.schema import (
    AudioContent,
    ContentBlock,
    DiffContent,
    EmbeddedResource,
    ImageContent,
    PlanEntry,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session.commands.base import code, fenced, plain
from acp_agent.session.prompt.typed_text import attachment_name
from acp_agent.session.record import events
from acp_agent.session.record.store import SessionHead

LONGEST_PIECE = 100_000
"""Characters of one text in the document: an attachment, a result."""

_MOST_COMPARED = 3000
_CONTEXT = 3
_DONE = {"completed": "x", "in_progress": "~"}


def markdown(head: SessionHead, record: Iterable[events.Event]) -> str:
    """The document: who said what, in order, with thoughts and tool calls collapsed. Images are named, not held."""
    created = datetime.fromtimestamp(head.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    title = head.title or "A session without a title"
    parts = [f"# {plain(title)}", f"Session {code(head.id)} in {code(str(head.cwd))}, begun on {created}."]
    speaker = ""
    for event in record:
        said = list(_said(event))
        if not said:
            continue
        now = "User" if isinstance(event, events.UserMessage) else "Agent"
        if now != speaker or now == "User":
            parts.append(f"## {now}")
        speaker = now
        parts += said
    return "\n\n".join(parts) + "\n"


def _said(event: events.Event) -> Iterator[str]:
    match event:
        case events.UserMessage(blocks=blocks):
            for block in blocks:
                yield from _block(block)
        case events.AssistantMessage(message=message):
            yield from _answer(message)
        case events.ToolCallFinal():
            yield _call(event)
        case events.PlanChanged(entries=entries) if entries:
            yield _plan(entries)
        case events.Compaction(summary=summary):
            yield _collapsed("Summary of what was said before", _cut(summary))
        case _:
            return


def _block(block: ContentBlock) -> Iterator[str]:
    match block:
        case TextContent(text=text):
            if text.strip():
                yield text.strip("\n")
        case ResourceLink(name=name, uri=uri):
            yield f"Attached: {code(name)} at {code(uri)}"
        case EmbeddedResource(resource=TextResourceContents(uri=uri, text=text)):
            yield _collapsed(f"Attached: {attachment_name(block) or uri}", fenced(_cut(text)))
        case EmbeddedResource(resource=resource):
            yield f"Attached: {code(resource.uri)} ({plain(resource.mime_type or 'binary')}, not in this document)"
        case ImageContent(mime_type=kind) | AudioContent(mime_type=kind):
            yield f"Attached: {plain(kind)} (not in this document)"


def _answer(message: AssistantMessage) -> Iterator[str]:
    for part in message.content:
        match part:
            case Thinking(text=text) if text.strip():
                yield _collapsed("Thoughts", _cut(text.strip()))
            case Text(text=text) if text.strip():
                yield text.strip("\n")
            case _:
                continue


def _call(event: events.ToolCallFinal) -> str:
    diffs = [each for each in event.content if isinstance(each, DiffContent)]
    parts = [] if diffs else [_arguments(event)]
    parts += [f"{code(each.path)}\n\n{fenced(_cut(_diff(each)), 'diff')}" for each in diffs]
    if event.output.strip():
        parts.append(fenced(_cut(event.output)))
    status = "" if event.status == "completed" else f" ({event.status})"
    return _collapsed(f"{event.name}: {event.title}{status}", "\n\n".join(filter(None, parts)))


def _arguments(event: events.ToolCallFinal) -> str:
    match event.raw_input:
        case {"command": str(command)}:
            return fenced(_cut(command), "sh")
        case None:
            return ""
        case given:
            return fenced(_cut(json.dumps(given, indent=2, ensure_ascii=False, default=str)), "json")


def _plan(entries: Iterable[PlanEntry]) -> str:
    return "Plan:\n\n" + "\n".join(
        f"- [{_DONE.get(entry.status, ' ')}] {' '.join(entry.content.split())}" for entry in entries
    )


def _collapsed(summary: str, body: str) -> str:
    """A block that Markdown readers show closed; blank lines around the body let it be Markdown again."""
    shown = html.escape(" ".join(summary.split())[:300], quote=False)
    return f"<details>\n<summary>{shown}</summary>\n\n{body}\n\n</details>"


def _diff(change: DiffContent) -> str:
    """The changed lines with some around them; a change too large to compare is all old and then all new lines."""
    old, new = (change.old_text or "").splitlines(), change.new_text.splitlines()
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    begin, rest = max(0, start - _CONTEXT), max(0, end - _CONTEXT)
    old, new = old[begin : len(old) - rest], new[begin : len(new) - rest]
    if len(old) + len(new) > _MOST_COMPARED:
        return "\n".join([*(f"-{line}" for line in old), *(f"+{line}" for line in new)])
    from difflib import unified_diff

    return "\n".join(list(unified_diff(old, new, n=_CONTEXT, lineterm=""))[2:])


def _common(left: list[str], right: list[str]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(left), len(right)))


def _cut(text: str) -> str:
    if len(text) <= LONGEST_PIECE:
        return text
    return f"{text[:LONGEST_PIECE]}\n[… {len(text) - LONGEST_PIECE:,} more characters]"
