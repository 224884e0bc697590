"""Anthropic's messages, which a few other vendors speak too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from acp_agent.llm.assembly import Assembly, arguments_object, clean, count
from acp_agent.llm.errors import Failures
from acp_agent.llm.media import LARGEST_ANTHROPIC_IMAGE, image_type
from acp_agent.llm.messages import Audio, Image, Step, StopReason, Text, Thinking, ToolOutcome, Usage, UserMessage
from acp_agent.llm.provider import Completed, ModelRequest, StreamEvent
from acp_agent.llm.sse import ServerEvent
from acp_agent.llm.streaming import Client, Response, Timeouts
from acp_agent.llm.vendor import VendorProvider
from acp_agent.llm.wire import as_index, as_object, as_string, merge_options, not_sendable, parsed, visible, wire_name

DEFAULT_MAX_TOKENS = 8192

_STOP_REASONS: Mapping[str, StopReason] = {
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
    "tool_use": "tool_calls",
}
_OPTION_NAMES = {"budgetTokens": "budget_tokens", "maxTokens": "max_tokens", "topP": "top_p", "topK": "top_k"}
_FIXED = ("model", "messages", "system", "tools", "stream")
_CACHED = {"type": "ephemeral"}


class AnthropicMessages(VendorProvider):
    """A vendor behind `{base_url}/v1/messages`; a base URL that ends in `/v1` means the same one.

    `max_output` tells the models' limits, in tokens; requests that name none get their model's, or 8192.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        headers: Mapping[str, str] | None = None,
        *,
        env: Sequence[str] = (),
        timeouts: Timeouts | None = None,
        max_output: Mapping[str, int] | None = None,
    ) -> None:
        base_url = base_url.rstrip("/").removesuffix("/v1")
        super().__init__(name, base_url, api_key, headers, env=env, timeouts=timeouts)
        self._max_output = dict(max_output or {})

    def load(self) -> Client:
        """Import the SDK and build its client. Given a key, it looks for no profile and no other credentials."""
        import anthropic
        import anyio
        import httpx2

        http = anthropic.DefaultAsyncHttpxClient(
            timeout=httpx2.Timeout(None, connect=self.timeouts.connect),
            follow_redirects=False,
            mounts=self.direct_hosts(),
        )
        sdk = anthropic.AsyncAnthropic(
            api_key=self._api_key,
            base_url=self.base_url,
            timeout=httpx2.Timeout(None, connect=self.timeouts.connect),
            max_retries=0,
            open_telemetry=False,
            http_client=http,
        )
        # ANTHROPIC_CUSTOM_HEADERS is read whatever the constructor is told, and would go to any vendor's host.
        sdk._custom_headers = self.headers

        async def post(body: Mapping[str, Any]) -> Response:
            stream_type = anthropic.AsyncStream[Any]
            opened = await sdk.post(
                "/v1/messages", cast_to=httpx2.Response, body=body, stream=True, stream_cls=stream_type
            )
            return cast("httpx2.Response", opened)

        return Client(
            post=post,
            close=sdk.close,
            faults=(
                *(anthropic.AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError),
                *(anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError, UnicodeError),
            ),
        )

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request, marked for the vendor to cache it up to the system text and up to the last user block."""
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens or self._max_output.get(request.model) or DEFAULT_MAX_TOKENS,
            "messages": messages(request),
            "stream": True,
        }
        if visible(request.system):
            body["system"] = [{"type": "text", "text": clean(request.system), "cache_control": _CACHED}]
        if tools := _tools(request):
            body["tools"] = tools
            if not request.tools:
                body["tool_choice"] = {"type": "none"}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        return merge_options(body, request.options, _OPTION_NAMES, _FIXED)

    def interpreter(self, request: ModelRequest, failures: Failures) -> MessageReader:
        """A reader for the answer."""
        return MessageReader(request, failures)


def _tools(request: ModelRequest) -> list[dict[str, Any]]:
    if request.tools:
        return [
            {"name": tool.name, "description": clean(tool.description), "input_schema": tool.parameters}
            for tool in sorted(request.tools, key=lambda tool: tool.name)
        ]
    # A history with calls is refused unless there are tools.
    calls = (call for entry in request.history if isinstance(entry, Step) for call in entry.message.tool_calls)
    return [{"name": name, "input_schema": {"type": "object"}} for name in sorted({wire_name(c.name) for c in calls})]


def messages(request: ModelRequest) -> list[dict[str, Any]]:
    """The history as messages whose roles alternate, the first of them a user's."""
    found: list[dict[str, Any]] = []

    def add(role: str, blocks: list[dict[str, Any]]) -> None:
        if not blocks:
            return
        if role == "assistant" and not found:
            found.append({"role": "user", "content": [{"type": "text", "text": "(continued)"}]})
        if found and found[-1]["role"] == role:
            found[-1]["content"].extend(blocks)
        else:
            found.append({"role": role, "content": blocks})

    last_user = max((at for at, entry in enumerate(request.history) if isinstance(entry, UserMessage)), default=-1)
    reminder: dict[str, Any] | None = None
    for at, entry in enumerate(request.history):
        if isinstance(entry, Step):
            add("assistant", _assistant(entry))
            add("user", [_result(outcome) for outcome in entry.outcomes])
        else:
            add("user", _user(entry))
        if at == last_user and visible(request.reminder):
            reminder = {"type": "text", "text": clean(request.reminder)}
            add("user", [reminder])
    _mark_last_block(found, reminder)
    return found


def _mark_last_block(found: list[dict[str, Any]], reminder: dict[str, Any] | None) -> None:
    for message in reversed(found):
        for block in reversed(message["content"] if message["role"] == "user" else ()):
            if block is not reminder:
                block["cache_control"] = _CACHED
                return


def _user(message: UserMessage) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Image):
            blocks.append(_image(part))
        elif isinstance(part, Audio):  # this API takes no sound
            blocks.append({"type": "text", "text": not_sendable("audio", part.mime_type)})
        elif visible(part.text):
            blocks.append({"type": "text", "text": clean(part.text)})
    return blocks or [{"type": "text", "text": "(empty)"}]


def _image(image: Image) -> dict[str, Any]:
    mime_type = image_type(image.mime_type)
    if mime_type is None or not image.data or len(image.data) > LARGEST_ANTHROPIC_IMAGE:
        # A refused block would spoil every request of the session.
        return {"type": "text", "text": not_sendable("an image", image.mime_type, len(image.data))}
    return {"type": "image", "source": {"type": "base64", "media_type": mime_type, "data": image.data}}


def _assistant(step: Step) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    said = False
    for part in step.message.content:
        if isinstance(part, Text):
            if visible(part.text):
                blocks.append({"type": "text", "text": clean(part.text)})
                said = True
        elif isinstance(part, Thinking):
            # Without its signature (cut short, or another vendor's) reasoning is refused.
            if part.redacted is not None:
                blocks.append({"type": "redacted_thinking", "data": clean(part.redacted)})
            elif part.signature is not None:
                blocks.append({"type": "thinking", "thinking": clean(part.text), "signature": clean(part.signature)})
        else:
            given = arguments_object(clean(part.arguments))
            blocks.append({"type": "tool_use", "id": _id(part.id), "name": wire_name(part.name), "input": given})
            said = True
    return blocks if said else []


def _result(outcome: ToolOutcome) -> dict[str, Any]:
    content: list[dict[str, Any]] = [
        {"type": "text", "text": clean(outcome.output) if visible(outcome.output) else "(no output)"},
        *map(_image, outcome.images),
    ]
    result = {"type": "tool_result", "tool_use_id": _id(outcome.call_id), "content": content}
    return {**result, "is_error": True} if outcome.is_error else result


def _id(call_id: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)


class MessageReader:
    """Reads the events of one answer."""

    def __init__(self, request: ModelRequest, failures: Failures) -> None:
        self.assembly = Assembly(request.new_call_id)
        self.finished = False
        self.ended = False
        self._failures = failures
        self._stop: StopReason = "end_turn"
        self._counts: dict[str, int] = {}
        # The input that a tool_use block brought at its start, until pieces of it come.
        self._given: dict[int, str] = {}

    def event(self, event: ServerEvent) -> Iterable[StreamEvent]:
        """What an event adds."""
        if not event.data.strip() or event.data.strip() == "[DONE]":
            return ()
        data = parsed(event.data)
        return self._event(str(data.get("type") or event.event), data)

    def document(self, body: bytes) -> Iterable[StreamEvent]:
        """What a whole message adds, sent though a stream was asked for."""
        message = parsed(body)
        if message.get("type") == "error" or message.get("error"):
            raise self._failures.reported(message)
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            if isinstance(block, dict):
                yield from self._start(index, block)
                yield from self._stop_block(index)
        self._finish(message)
        self.finished = self.finished or isinstance(content, list)

    def completed(self) -> Completed:
        """The end, merged."""
        message = self.assembly.message(self._stop)
        stop = self._stop
        if stop in ("end_turn", "tool_calls"):
            stop = "tool_calls" if message.tool_calls else "end_turn"
        return Completed(message, self._usage(), stop)

    def _event(self, kind: str, data: dict[str, Any]) -> Iterable[StreamEvent]:
        index = as_index(data.get("index"))
        match kind:
            case "message_start":
                self._finish(as_object(data.get("message")))
            case "content_block_start":
                return self._start(index, as_object(data.get("content_block")))
            case "content_block_delta":
                return self._delta(index, as_object(data.get("delta")))
            case "content_block_stop":
                return self._stop_block(index)
            case "message_delta":
                self._finish({**as_object(data.get("delta")), "usage": data.get("usage")})
            case "message_stop":
                self.finished = self.ended = True
            case "error":
                raise self._failures.reported(data)
        return ()

    def _start(self, index: int, block: dict[str, Any]) -> Iterator[StreamEvent]:
        self.assembly.end_part()
        match block.get("type"):
            case "text":
                yield from self.assembly.text(as_string(block.get("text")))
            case "thinking":
                yield from self.assembly.thinking(as_string(block.get("thinking")))
                if signature := as_string(block.get("signature")):
                    self.assembly.sign(signature)
            case "redacted_thinking":
                self.assembly.redacted(as_string(block.get("data")))
            case "tool_use":
                if given := block.get("input"):
                    self._given[index] = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
                yield from self.assembly.call(index, as_string(block.get("name")), "")

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[StreamEvent]:
        match delta.get("type"):
            case "text_delta":
                yield from self.assembly.text(as_string(delta.get("text")))
            case "thinking_delta":
                yield from self.assembly.thinking(as_string(delta.get("thinking")))
            case "signature_delta":
                self.assembly.sign(as_string(delta.get("signature")))
            case "input_json_delta" if self.assembly.has_call(index):
                if piece := as_string(delta.get("partial_json")):
                    self._given.pop(index, None)
                    yield from self.assembly.call(index, "", piece)

    def _stop_block(self, index: int) -> Iterator[StreamEvent]:
        self.assembly.end_part()
        if self.assembly.has_call(index):
            yield from self.assembly.call(index, "", self._given.pop(index, ""))
            self.assembly.close_call(index)

    def _finish(self, message: dict[str, Any]) -> None:
        """Take the tokens, and the reason for the end if it is there."""
        for name, value in as_object(message.get("usage")).items():
            number = count(value)
            if number is not None:
                self._counts[name] = number
        reason = message.get("stop_reason")
        if isinstance(reason, str) and reason:
            self.finished = True
            self._stop = _STOP_REASONS.get(reason, "end_turn")

    def _usage(self) -> Usage | None:
        if not self._counts:
            return None
        read, written = (
            self._counts.get("cache_read_input_tokens", 0),
            self._counts.get("cache_creation_input_tokens", 0),
        )
        return Usage(
            input=self._counts.get("input_tokens", 0) + read + written,
            output=self._counts.get("output_tokens", 0),
            cache_read=read,
            cache_write=written,
        )
