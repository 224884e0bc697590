"""The API pages in protocol/api: every method, update and type, made out of the tables, types and transcripts."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS
from acp_agent.cli.api_examples import Example, Examples
from acp_agent.cli.api_extensions import extensions
from acp_agent.cli.api_meanings import (
    CHAPTERS,
    CLIENT_CAPABILITIES,
    COMMON_ERRORS,
    ERRORS,
    IF_THE_CLIENT_FAILS,
)
from acp_agent.cli.api_types import ApiTypes, anchor, doc, heading_of, heading_of_choice, page_of
from acp_agent.rpc.connection import CANCEL_REQUEST
from acp_agent.schema.base import Wire
from acp_agent.schema.messages import MessageTypes, message_types
from acp_agent.schema.updates import SessionNotification

_MADE = "<!-- Made by `make schemas` out of the types and the transcripts. Change those. -->"
_MOST_TRANSCRIPTS = 4


def write_pages(directory: Path, transcripts: Path) -> None:
    """Write every page to `DIRECTORY/<page>.md`, with examples out of the transcripts."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages(transcripts).items():
        (directory / f"{name}.md").write_text(text, encoding="utf-8", newline="\n")


def pages(transcripts: Path) -> dict[str, str]:
    """The pages by name; `README` is the index."""
    api = _Api(ApiTypes(), Examples(transcripts))
    made = {page: api.page(page) for page in CHAPTERS}
    return {"README": api.index(), **made}


class _Api:
    def __init__(self, types: ApiTypes, examples: Examples) -> None:
        self.types = types
        self.examples = examples

    def index(self) -> str:
        return _joined([_MADE, "# API", _INTRODUCTION, *self._methods(), *self._updates(), *_common_errors()])

    def _methods(self) -> Iterator[str]:
        yield "## Methods"
        rows = ["| method | direction | kind | status |", "|---|---|---|---|"]
        for page in CHAPTERS:
            for method, types in _methods_of(page):
                link = f"[`{method}`]({page}.md#{anchor(f'`{method}`')})"
                rows.append(f"| {link} | {_direction(types)} | {types.kind} | {self._status(method)} |")
        yield "\n".join(rows)
        yield "## Chapters"
        yield "\n".join(f"- [{heading}]({page}.md)" for page, heading in CHAPTERS.items())

    def _updates(self) -> Iterator[str]:
        yield "## Updates"
        rows = ["| update | status |", "|---|---|"]
        for cls in self.types.of_page("updates", frozenset()):
            if "session_update" in cls.model_fields:
                name = heading_of(cls).strip("`")
                rows.append(f"| {self._update_link(cls)} | {'sent' if name in self.examples.updates else 'not sent'} |")
        yield "\n".join(rows)

    def _update_link(self, cls: type[Wire]) -> str:
        return f"[{heading_of(cls)}](updates.md#{anchor(heading_of(cls))})"

    def page(self, page: str) -> str:
        """One chapter: its methods, then its types."""
        parts = [_MADE, f"# {CHAPTERS[page]}"]
        if page == "extensions":
            parts += extensions(self.examples)
        else:
            parts.append(doc(sys.modules[f"acp_agent.schema.{page}"]))
        messages: set[str] = set()
        for method, types in _methods_of(page):
            parts += self._method(method, types, page)
            messages |= {each.__name__ for each in (types.params, types.result) if each is not None}
        for name, members in self.types.choices_of_page(page):
            links = ", ".join(self.types.link(member, page) for member in members)
            parts += [f"## {heading_of_choice(name)}", f"One of: {links}."]
        for cls in self.types.of_page(page, frozenset(messages)):
            parts += [f"## {heading_of(cls)}", doc(cls), self.types.table(cls, page)]
            example = self.examples.updates.get(heading_of(cls).strip("`"))
            if example is not None:
                parts += _example(example)
        return _joined(parts)

    def _method(self, method: str, types: MessageTypes, page: str) -> Iterator[str]:
        yield f"## `{method}`"
        yield doc(types.params)
        yield self._facts(method, types)
        yield "**Params**"
        yield self.types.table(types.params, page)
        if types.result is not None:
            yield f"**Result**: {doc(types.result)}"
            yield self.types.table(types.result, page)
        if method in REQUESTS:
            rows = [f"| {code} | {reason} |" for code, reason in ERRORS.get(method, ())]
            note = "**Errors**, beside [those of every request](README.md#errors-of-every-request)"
            yield f"{note}: none." if not rows else f"{note}:"
            if rows:
                yield "\n".join(["| code | when |", "|---|---|", *rows])
        elif method in IF_THE_CLIENT_FAILS:
            yield f"**Errors**: {IF_THE_CLIENT_FAILS[method]}"
        example = self.examples.calls.get(method)
        if example is not None and types.params is not SessionNotification:
            yield from _example(example)

    def _facts(self, method: str, types: MessageTypes) -> str:
        name = method.replace("/", ".")
        schemas = [f"[params](../schemas/{name}.{types.kind}.json)"]
        if types.result is not None:
            schemas.append(f"[result](../schemas/{name}.response.json)")
        facts = [
            ("direction", _direction(types)),
            ("kind", _kind(method)),
            ("status", self._status(method)),
            ("capability", _capability(method)),
            ("schemas", ", ".join(schemas)),
        ]
        shown = self.examples.transcripts(method, _MOST_TRANSCRIPTS)
        if shown:
            facts.append(("transcripts", ", ".join(f"[{each}](../transcripts/{each}.jsonl)" for each in shown)))
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in facts)])

    def _status(self, method: str) -> str:
        if method == CANCEL_REQUEST:
            return "taken and sent"
        types = message_types[method]
        if types.direction == "client":
            return "sent" if method in self.examples.seen else "not sent"
        if method not in REQUESTS and method not in NOTIFICATIONS:
            return "not built: -32601"
        if method in NOTIFICATIONS:
            return "taken"
        if method.startswith("_"):
            return "extension"
        if page_of(types.params) == "legacy":
            return "answered, though removed from the specification"
        return "answered; unstable" if method in REQUESTS and REQUESTS[method].unstable else "answered"


def _methods_of(page: str) -> Iterator[tuple[str, MessageTypes]]:
    return ((method, types) for method, types in message_types.items() if page_of(types.params) == page)


def _direction(types: MessageTypes) -> str:
    return {"agent": "client → agent", "client": "agent → client", "both": "both ways"}[types.direction]


def _kind(method: str) -> str:
    if method in NOTIFICATIONS and method in REQUESTS:
        return "notification; answered with `{}` where it is sent as a request"
    return message_types[method].kind


def _capability(method: str) -> str:
    if method in REQUESTS:
        path = REQUESTS[method].capability
        if method == "_session/steering":
            return "`_meta.steering.supported` in the result of `initialize`"
        return f"`agentCapabilities.{path}`" if path else "none: every agent has it"
    path = CLIENT_CAPABILITIES.get(method, "")
    return f"`{path}`" if path else "none"


def _example(example: Example) -> Iterator[str]:
    yield f"From [{example.transcript}](../transcripts/{example.transcript}.jsonl):"
    yield f"```json\n{example.text}\n```"


def _common_errors() -> Iterator[str]:
    yield "## Errors of every request"
    yield "\n".join(["| code | when |", "|---|---|", *(f"| {code} | {reason} |" for code, reason in COMMON_ERRORS)])
    yield "-32601 answers every method that is not built. `../README.md` has all codes."


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = inspect.cleandoc(
    """
    Every method, update and type that this agent reads or writes, made out of the types themselves. What the whole is,
    what is not built, and in which order things come, says [the page above](../README.md).

    How to read the tables:

    - *required*: the field must be there. Of the others a malformed value counts as absent, so that one mistake does
      not cost a session; where it says *checked*, a malformed value is an error (-32602) instead.
    - Unknown fields are ignored, and every object may carry `_meta`, which is left out here.
    - Nothing is converted: `"5"` is no number.
    - Paths are absolute. Placeholders such as `<session 1>` in the examples are those of
      [the transcripts](../README.md#testing-a-client-with-this-folder).
    """
)
