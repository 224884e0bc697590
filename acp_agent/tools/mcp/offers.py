"""What a joined server offers: its tools, prompts and resources, read page by page and one odd member at a time."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import anyio
from anyio import to_thread

from acp_agent.tools.mcp.errors import ServerRefused, one_line
from acp_agent.tools.mcp.schemas import Check, usable
from acp_agent.tools.truncate import clip_bytes, encodable

Ask: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

MOST_MEMBERS = 1000

_MOST_PAGES = 100
_LARGEST_SCHEMAS = 1024 * 1024
_LONGEST_DESCRIPTION = 2 * 1024
_MOST_PROBLEMS = 10
_SIDE_LIST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as its server describes it. `check` gives what is wrong with arguments, one line each."""

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    read_only: bool
    check: Check = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PromptOffer:
    """A prompt template; `arguments` are name, description, and whether it must be given."""

    name: str
    description: str
    arguments: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceOffer:
    """A resource, or with `is_template` a pattern of addresses of resources."""

    uri: str
    name: str
    description: str
    mime_type: str
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class Offers:
    """Everything that one server offers. `notes` say what was left out and why."""

    tools: tuple[ToolOffer, ...] = ()
    prompts: tuple[PromptOffer, ...] = ()
    resources: tuple[ResourceOffer, ...] = ()
    instructions: str = ""
    notes: tuple[str, ...] = ()


async def read_offers(ask: Ask, capabilities: Mapping[str, Any], instructions: str) -> Offers:
    """All that a server offers. Raises `ServerGone`, and `ServerRefused` if it does not even list its tools.

    Prompts and resources are extras: a server that fails to list them, or takes over five seconds, has none.
    """
    offers = Offers(instructions=clip_bytes(encodable(instructions).strip(), _LONGEST_DESCRIPTION))
    if "tools" in capabilities:
        members = await _pages(ask, "tools/list", "tools")
        tools, notes = await to_thread.run_sync(_tools, members)
        offers = replace(offers, tools=tools, notes=notes)
    with anyio.move_on_after(_SIDE_LIST_SECONDS):
        if "prompts" in capabilities:
            offers = replace(offers, prompts=tuple(_prompts(await _extras(ask, "prompts/list", "prompts"))))
        if "resources" in capabilities:
            found = list(_resources(await _extras(ask, "resources/list", "resources"), "uri"))
            templates = await _extras(ask, "resources/templates/list", "resourceTemplates")
            offers = replace(offers, resources=(*found, *_resources(templates, "uriTemplate")))
    return offers


async def _extras(ask: Ask, method: str, key: str) -> list[dict[str, Any]]:
    try:
        return await _pages(ask, method, key)
    except ServerRefused:
        return []


async def _pages(ask: Ask, method: str, key: str) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = []
    cursor: Any = None
    for _ in range(_MOST_PAGES):
        answer = await ask(method, {} if cursor is None else {"cursor": cursor})
        page = answer.get(key)
        members += [each for each in page if isinstance(each, dict)] if isinstance(page, list) else []
        before, cursor = cursor, answer.get("nextCursor")
        if not isinstance(cursor, str) or cursor == before or len(members) >= MOST_MEMBERS:
            break
    return members[:MOST_MEMBERS]


def _tools(members: Iterable[dict[str, Any]]) -> tuple[tuple[ToolOffer, ...], tuple[str, ...]]:
    found: dict[str, ToolOffer] = {}
    notes: list[str] = []
    room = _LARGEST_SCHEMAS
    for member in members:
        name = _text(member.get("name"))
        if not name or name in found:
            continue
        try:
            made, check = usable(member.get("inputSchema"))
            room -= len(json.dumps(made))
            if room < 0:
                raise ValueError(f"the schemas of all its tools are larger than {_LARGEST_SCHEMAS >> 20} MiB")
        except ValueError as error:
            notes.append(f"its tool {one_line(name, 64)} is left out: {error}")
            continue
        annotations = member.get("annotations")
        hints = annotations if isinstance(annotations, dict) else {}
        found[name] = ToolOffer(
            name,
            one_line(_text(member.get("title")) or _text(hints.get("title")), 100),
            clip_bytes(_text(member.get("description")).strip(), _LONGEST_DESCRIPTION),
            made,
            hints.get("readOnlyHint") is True,
            check,
        )
    return tuple(found[name] for name in sorted(found)), tuple(notes[:_MOST_PROBLEMS])


def _prompts(members: Iterable[dict[str, Any]]) -> Iterable[PromptOffer]:
    seen: set[str] = set()
    for member in members:
        name = _text(member.get("name"))
        if not name or name in seen:
            continue
        seen.add(name)
        given = member.get("arguments")
        arguments = tuple(
            (_text(each.get("name")), one_line(_text(each.get("description")), 200), each.get("required") is True)
            for each in (given if isinstance(given, list) else [])
            if isinstance(each, dict) and _text(each.get("name"))
        )
        description = _text(member.get("description")) or _text(member.get("title"))
        yield PromptOffer(name, one_line(description, 300), arguments)


def _resources(members: Iterable[dict[str, Any]], key: str) -> Iterable[ResourceOffer]:
    for member in members:
        uri = _text(member.get(key))
        if uri:
            name = _text(member.get("title")) or _text(member.get("name"))
            description = one_line(_text(member.get("description")), 300)
            mime_type = one_line(_text(member.get("mimeType")), 100)
            yield ResourceOffer(uri, one_line(name, 100), description, mime_type, is_template=key == "uriTemplate")


def _text(value: Any) -> str:
    return encodable(value) if isinstance(value, str) else ""
