"""The page of what is ours in the protocol: keys of `_meta`, and what particular clients get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from acp_agent.cli.api_examples import Example, Examples
from acp_agent.client.quirks import QUIRKS


class _Key(NamedTuple):
    """A key of `_meta`. `fields` is its shape; `example` stands where no transcript shows it."""

    name: str
    where: str
    fields: str
    meaning: str
    example: str = ""


_HUNK = {
    "type": "diff",
    "path": "<cwd>/large.csv",
    "oldText": "old line\n",
    "newText": "new line\n",
    "_meta": {"acp-agent/hunk": {"oldLine": 70001, "newLine": 70001}},
}

KEYS = (
    _Key(
        "acp-agent/reason",
        "`toolCall` of `session/request_permission`",
        "a string",
        "Why the person is asked, such as the rule that says so.",
    ),
    _Key(
        "acp-agent/hunk",
        "a `diff` of a tool call",
        "`oldLine`, `newLine`: the first lines, from 1",
        "The whole texts would not fit on a line: `oldText` and `newText` are one hunk of them.",
        json.dumps(_HUNK),
    ),
    _Key(
        "steering",
        "result of `initialize`; params of `_session/steering`",
        "`supported`: true; `idleBehavior`: `promptRequired`, or left out",
        "The agent answers `_session/steering`; what that does while no turn runs.",
    ),
    _Key(
        "terminal_output",
        "`clientCapabilities` (true); `tool_call_update`",
        "`terminal_id`, `data`: new output, escape sequences and all",
        "The client shows terminals that the agent owns; the output of one, nothing of it twice.",
    ),
    _Key(
        "terminal_info",
        "`tool_call` and `tool_call_update` of a command",
        "`terminal_id`: the id of the call; `cwd`",
        "Opens a terminal, for clients with `terminal_output`. The content names it as `terminal`.",
    ),
    _Key(
        "terminal_exit",
        "`tool_call_update` of a command",
        "`terminal_id`, `exit_code`, `signal`: one of the two is null",
        "The command has ended.",
    ),
    _Key(
        "traceparent",
        "params of `session/prompt`; also `tracestate`, `baggage`",
        "a string, by W3C Trace Context",
        "Passed on to MCP servers with the calls of the turn.",
        json.dumps({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}),
    ),
)
"""What the wire has in `_meta` beside the specification."""


def extensions(examples: Examples) -> Iterator[str]:
    """The paragraphs above the extension methods."""
    yield (
        "Methods that begin with `_`, and keys of `_meta`. A client that knows nothing of them loses nothing. The "
        "former choice of models is [a page of its own](legacy.md)."
    )
    yield "## Keys of `_meta`"
    rows = [f"| `{key.name}` | {key.where} | {key.fields} | {key.meaning} |" for key in KEYS]
    yield "\n".join(["| key | where | value | meaning |", "|---|---|---|---|", *rows])
    for key in KEYS:
        shown = examples.meta.get(key.name)
        yield f"### `{key.name}`"
        yield _source(shown)
        yield f"```json\n{shown.text if shown is not None else key.example}\n```"
    yield "## Particular clients"
    yield "By `clientInfo.name`, in small letters:"
    yield "\n".join(["| name | what is different |", "|---|---|", *_quirks()])


def _source(example: Example | None) -> str:
    return "" if example is None else f"From [{example.transcript}](../transcripts/{example.transcript}.jsonl):"


def _quirks() -> Iterator[str]:
    for name, quirks in QUIRKS.items():
        told = []
        if quirks.strict:
            told.append("no unstable capabilities and no `models`: nothing outside of the stable schema")
        if quirks.session_id_in_load:
            told.append("`sessionId` in the results of `session/load` and `session/resume`")
        yield f"| `{name}` | {'; '.join(told)} |"
