"""`/usage` and `/context`: what the session has cost, and what fills the model's window."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from acp_agent.llm.messages import AssistantMessage, Audio, Image, Step, Text, Thinking, Usage, UserMessage
from acp_agent.llm.models import ModelInfo, ModelRef, ModelUnknown
from acp_agent.llm.provider import ModelRequest
from acp_agent.session.commands.base import Invocation, bytes_shown, code, listed, page, share
from acp_agent.session.model_request import request_for
from acp_agent.session.record import events
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn
from acp_agent.tools.truncate import size

_BYTES_OF_A_TOKEN = 4
_TOKENS_OF_AN_IMAGE = 1_500
_INSTRUCTIONS = re.compile(r'^<instructions path="([^"\n]*)"[^>\n]*>\n.*?^</instructions>$', re.DOTALL | re.MULTILINE)
# How texts begin that were made of an attachment: see `block_parts.py`.
_ATTACHED = ("[Attached", "[About the next")
_FILES = re.compile(r"^<files>\n.*?^</files>$", re.DOTALL | re.MULTILINE)


async def usage(turn: Turn, _invoked: Invocation) -> str:
    """`/usage`: the tokens of every request of the session by kind, as the record has them, and their cost."""
    stored = await turn.state.services.store.read(turn.state.id)
    requests = [event for _, event in stored.record if isinstance(event, events.Usage)] if stored else []
    if not requests:
        return "No model request of this session has told its tokens yet."
    used = [event.usage for event in requests]
    count = f"{len(requests):,} model request{'' if len(requests) == 1 else 's'}"
    return page(listed(f"Tokens of {count} in this session", _kinds(used)), _cost(requests), _last_request(turn.state))


async def context(turn: Turn, _invoked: Invocation) -> str:
    """`/context`: the parts of the next request with their sizes, and what the last one really took."""
    state = turn.state
    info = _model(state)
    request = await _next_request(state, info)
    window = info.context or (state.used[1] if state.used else None)
    parts = _parts(request)
    total = sum(part.tokens for part in parts)
    rows = [part.row(total, window) for part in parts if part.bytes or part.count]
    known = f" of a window of {window:,} ({share(total, window)})" if window else ""
    return page(
        f"The next request would have about **{total:,} tokens**{known}, before your message.",
        listed("Parts", rows),
        _last_request(state) or "No request has told its tokens yet, so these are estimates only.",
        f"Estimates count a token for {_BYTES_OF_A_TOKEN} bytes of text, and {_TOKENS_OF_AN_IMAGE:,} for an image.",
    )


def _kinds(used: Sequence[Usage]) -> list[str]:
    read = sum(each.input for each in used)
    cached = sum(each.cache_read for each in used)
    stored = sum(each.cache_write for each in used)
    written = sum(each.output for each in used)
    thought = sum(each.thinking or 0 for each in used)
    rows = [f"read by the model: {read:,}"]
    if cached or stored:
        rows.append(f"of these from the cache: {cached:,} ({share(cached, read)}), newly put there: {stored:,}")
    rows.append(f"written by the model: {written:,}" + (f", of these thoughts: {thought:,}" if thought else ""))
    rows.append(f"in all: {read + written:,}")
    return rows


def _cost(requests: Sequence[events.Usage]) -> str:
    costs = [event.cost for event in requests if event.cost is not None]
    if not costs:
        return "The cost is not known: the configuration has no prices for the model (`cost` of a model, per million)."
    missing = len(requests) - len(costs)
    left_out = f", without {missing:,} requests whose prices are not known" if missing else ""
    return f"Cost: **${sum(costs):,.4f}**{left_out}."


def _last_request(state: SessionState) -> str:
    if state.used is None:
        return ""
    used, window = state.used
    return f"The last request left {used:,} of {window:,} tokens in the window ({share(used, window)})."


def _model(state: SessionState) -> ModelInfo:
    """What is known of the current model; nothing while there is none."""
    try:
        return state.resolution().info
    except ModelUnknown:
        return ModelInfo(ModelRef("none", "none"))


async def _next_request(state: SessionState, info: ModelInfo) -> ModelRequest:
    """The request as it would be made now. A look must not settle what the first prompt settles for the session."""
    prompts, notes = dict(state.system_prompts), len(state.notes)
    try:
        return await request_for(state, info)
    finally:
        state.system_prompts.clear()
        state.system_prompts.update(prompts)
        del state.notes[notes:]


@dataclass(slots=True)
class _Part:
    """A part of a request: `count` is how many things it is made of, 0 where that says nothing."""

    name: str
    bytes: int = 0
    count: int = 0
    images: int = 0
    detail: str = ""

    @property
    def tokens(self) -> int:
        return -(-self.bytes // _BYTES_OF_A_TOKEN) + self.images * _TOKENS_OF_AN_IMAGE

    def add(self, text: str) -> None:
        self.bytes += size(text)
        self.count += 1

    def row(self, total: int, window: int | None) -> str:
        of_window = f", {share(self.tokens, window)} of the window" if window else ""
        count = f" ({self.count:,})" if self.count else ""
        kept = f"{bytes_shown(self.bytes)}, " if self.bytes else ""
        said = f"{self.name}{count}: {kept}about {self.tokens:,} tokens, {share(self.tokens, total)}{of_window}"
        return f"{said}. {self.detail}" if self.detail else said


def _parts(request: ModelRequest) -> list[_Part]:
    return [*_system(request), _tools(request), *_history(request)]


def _system(request: ModelRequest) -> list[_Part]:
    instructions = _Part("Instructions")
    files = _Part("List of the project's files")
    for found in _INSTRUCTIONS.finditer(request.system):
        instructions.add(found.group(0))
        if instructions.count <= 20:
            instructions.detail += (", " if instructions.detail else "") + code(found.group(1))
    for found in _FILES.finditer(request.system):
        files.add(found.group(0))
    files.count = 0
    rest = size(request.system) - instructions.bytes - files.bytes + size(request.reminder)
    return [_Part("System prompt", rest), instructions, files]


def _tools(request: ModelRequest) -> _Part:
    part = _Part("Tools")
    for tool in request.tools:
        part.add(json.dumps([tool.name, tool.description, tool.parameters], default=str))
    return part


def _history(request: ModelRequest) -> list[_Part]:
    prompts, attached = _Part("Your messages"), _Part("Attached files")
    answers, thoughts = _Part("Answers"), _Part("Thoughts")
    media, calls = _Part("Images and sounds"), _Part("Tool calls and their results")
    by_tool: Counter[str] = Counter()
    for entry in request.history:
        if isinstance(entry, UserMessage):
            _count_prompt(entry, prompts, attached, media)
        else:
            _count_answer(entry.message, answers, thoughts)
            _count_calls(entry, calls, media, by_tool)
    if by_tool:
        most = ", ".join(f"{tool} {bytes_shown(count)}" for tool, count in by_tool.most_common(5))
        calls.detail = f"Most by: {most}."
    return [prompts, attached, media, answers, thoughts, calls]


def _count_prompt(entry: UserMessage, prompts: _Part, attached: _Part, media: _Part) -> None:
    for part in entry.content:
        match part:
            case Text(text=text):
                (attached if text.startswith(_ATTACHED) else prompts).add(text)
            case Image() | Audio():
                media.count += 1
                media.images += 1


def _count_answer(message: AssistantMessage, answers: _Part, thoughts: _Part) -> None:
    for part in message.content:
        match part:
            case Text(text=text):
                answers.add(text)
            case Thinking(text=text):
                thoughts.add(text)
            case _:
                continue


def _count_calls(entry: Step, calls: _Part, media: _Part, by_tool: Counter[str]) -> None:
    for call, outcome in zip(entry.message.tool_calls, entry.outcomes, strict=True):
        text = call.name + call.arguments + outcome.output
        calls.add(text)
        by_tool[call.name] += size(text)
        media.count += len(outcome.images)
        media.images += len(outcome.images)
