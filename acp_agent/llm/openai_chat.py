"""OpenAI's chat completions, which most vendors and local servers speak."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, cast

from acp_agent.llm.assembly import Assembly, arguments_object, clean, count
from acp_agent.llm.errors import Failures
from acp_agent.llm.media import audio_format, image_type
from acp_agent.llm.messages import Audio, Image, Step, StopReason, ToolCall, Usage, UserMessage
from acp_agent.llm.provider import Completed, ModelRequest, StreamEvent, ToolSpec
from acp_agent.llm.sse import ServerEvent
from acp_agent.llm.streaming import Client, Response
from acp_agent.llm.vendor import VendorProvider
from acp_agent.llm.wire import merge_options, not_sendable, parsed, visible, wire_name

_STOP_REASONS: Mapping[str, StopReason] = {
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_OPTION_NAMES = {
    "reasoningEffort": "reasoning_effort",
    "textVerbosity": "verbosity",
    "serviceTier": "service_tier",
    "parallelToolCalls": "parallel_tool_calls",
    "promptCacheKey": "prompt_cache_key",
    "maxTokens": "max_tokens",
    "maxCompletionTokens": "max_completion_tokens",
    "topP": "top_p",
}
_FIXED = ("model", "messages", "tools", "stream")


class OpenAIChat(VendorProvider):
    """A vendor, or a server on this machine, behind `{base_url}/chat/completions`."""

    def load(self) -> Client:
        """Import the SDK and build its client. Nothing of the environment is used but proxies and certificates."""
        import anyio
        import httpx2
        import openai

        http = openai.DefaultAsyncHttpxClient(
            timeout=httpx2.Timeout(None, connect=self.timeouts.connect),
            follow_redirects=False,
            mounts=self.direct_hosts(),
        )
        sdk = openai.AsyncOpenAI(
            api_key=self._api_key,
            admin_api_key="",
            base_url=self.base_url,
            timeout=httpx2.Timeout(None, connect=self.timeouts.connect),
            max_retries=0,
            http_client=http,
        )
        # These come from the environment whatever the constructor is told, and would go to any vendor's host.
        sdk.organization = sdk.project = None
        sdk._custom_headers = self.headers

        async def post(body: Mapping[str, Any]) -> Response:
            # The typed method walks the whole history (0.2 s for 900 messages), its response objects cost even more.
            stream_type = openai.AsyncStream[Any]
            opened = await sdk.post(
                "/chat/completions", cast_to=httpx2.Response, body=body, stream=True, stream_cls=stream_type
            )
            return cast("httpx2.Response", opened)

        return Client(
            post=post,
            close=sdk.close,
            faults=(
                *(openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError),
                *(anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError, UnicodeError),
            ),
        )

    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request: system, history, tools by name. The messages of a longer history begin with the same bytes."""
        body: dict[str, Any] = {
            "model": request.model,
            "messages": messages(request, short_ids=self.host.endswith("mistral.ai")),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            body["tools"] = [_tool(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)]
        if request.max_tokens is not None:
            # OpenAI's newer models refuse the old name, the other vendors do not know the new one.
            body["max_completion_tokens" if self.host == "api.openai.com" else "max_tokens"] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        return merge_options(body, request.options, _OPTION_NAMES, _FIXED)

    def interpreter(self, request: ModelRequest, failures: Failures) -> ChatReader:
        """A reader for the answer."""
        return ChatReader(request, failures)


def messages(request: ModelRequest, *, short_ids: bool = False) -> list[dict[str, Any]]:
    """The system text and the history as chat messages. `short_ids`: tool call ids of nine letters and digits."""
    found: list[dict[str, Any]] = []
    if request.system:
        found.append({"role": "system", "content": clean(request.system)})
    last_user = max((at for at, entry in enumerate(request.history) if isinstance(entry, UserMessage)), default=-1)
    for at, entry in enumerate(request.history):
        if isinstance(entry, Step):
            found += _step(entry, short_ids)
        else:
            found.append({"role": "user", "content": _user(entry, request.reminder if at == last_user else "")})
    return found


def _user(message: UserMessage, reminder: str) -> str | list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Image):
            parts.append(_image(part))
        elif isinstance(part, Audio):
            parts.append(_audio(part))
        elif visible(part.text):
            parts.append({"type": "text", "text": clean(part.text)})
    if not parts:
        parts.append({"type": "text", "text": "(empty)"})
    if visible(reminder):
        parts.append({"type": "text", "text": clean(reminder)})
    # Many local servers take nothing but a string.
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _image(image: Image) -> dict[str, Any]:
    mime_type = image_type(image.mime_type)
    if mime_type is None or not image.data:  # a refused part would spoil every request of the session
        return {"type": "text", "text": not_sendable("an image", image.mime_type)}
    return {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{image.data}"}}


def _audio(audio: Audio) -> dict[str, Any]:
    form = audio_format(audio.mime_type)
    if form is None or not audio.data:
        return {"type": "text", "text": not_sendable("audio", audio.mime_type)}
    return {"type": "input_audio", "input_audio": {"data": audio.data, "format": form}}


def _step(step: Step, short_ids: bool) -> Iterator[dict[str, Any]]:
    text, calls = clean(step.message.text), step.message.tool_calls
    if not calls and not visible(text):
        return
    message: dict[str, Any] = {"role": "assistant", "content": text if visible(text) else None}
    if calls:
        message["tool_calls"] = [_call(call, short_ids) for call in calls]
    yield message
    images: list[dict[str, Any]] = []
    for outcome in step.outcomes:
        yield {
            "role": "tool",
            "tool_call_id": _call_id(outcome.call_id, short_ids),
            "content": clean(outcome.output) if visible(outcome.output) else "(no output)",
        }
        if outcome.images:
            images.append({"type": "text", "text": f"Images from {wire_name(outcome.name)}:"})
            images += map(_image, outcome.images)
    if images:
        yield {"role": "user", "content": images}


def _call(call: ToolCall, short_ids: bool) -> dict[str, Any]:
    # Servers that put the arguments into a template fail on what is no object, for good: it is in the history.
    arguments = clean(json.dumps(arguments_object(call.arguments), ensure_ascii=False))
    return {
        "id": _call_id(call.id, short_ids),
        "type": "function",
        "function": {"name": wire_name(call.name), "arguments": arguments},
    }


def _call_id(call_id: str, short: bool) -> str:
    return sha256(call_id.encode()).hexdigest()[:9] if short else clean(call_id)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": clean(tool.description), "parameters": tool.parameters}
    return {"type": "function", "function": function}


class ChatReader:
    """Reads the chunks of one answer."""

    def __init__(self, request: ModelRequest, failures: Failures) -> None:
        self.assembly = Assembly(request.new_call_id)
        self.finished = False
        self.ended = False
        self._failures = failures
        self._stop: StopReason = "end_turn"
        self._usage: Usage | None = None
        # Which call an index stands for at the moment, and that call's id with the vendor.
        self._at_index: dict[int, tuple[int, str]] = {}
        self._last_index = 0
        self._calls = 0

    def event(self, event: ServerEvent) -> Iterable[StreamEvent]:
        """What a chunk adds."""
        data = event.data.strip()
        if data == "[DONE]":
            self.finished = self.ended = True
            return ()
        if not data:
            return ()
        return self._chunk(parsed(data), event.event == "error")

    def document(self, body: bytes) -> Iterable[StreamEvent]:
        """What a whole completion adds, sent though a stream was asked for."""
        chunk = parsed(body)
        yield from self._chunk(chunk, False)
        self.finished = self.finished or bool(chunk.get("choices"))

    def completed(self) -> Completed:
        """The end, merged."""
        message = self.assembly.message(self._stop)
        stop = self._stop
        if stop in ("end_turn", "tool_calls"):
            stop = "tool_calls" if message.tool_calls else "end_turn"
        return Completed(message, self._usage, stop)

    def _chunk(self, chunk: dict[str, Any], is_error: bool) -> Iterator[StreamEvent]:
        if is_error or chunk.get("error"):
            raise self._failures.reported(chunk)
        self._usage = usage(chunk.get("usage")) or self._usage
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict) or choice.get("index") not in (0, None):
                continue
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, dict):
                yield from self._delta(delta)
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason:
                self.finished = True
                if self._stop != "refusal":
                    self._stop = _STOP_REASONS.get(reason, "end_turn")

    def _delta(self, delta: dict[str, Any]) -> Iterator[StreamEvent]:
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thinking, str):
            yield from self.assembly.thinking(thinking)
        content = delta.get("content")
        if isinstance(content, str):
            yield from self.assembly.text(content)
        elif isinstance(content, list):
            for part in content:
                yield from self._part(part)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._stop = "refusal"
            yield from self.assembly.text(refusal)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield from self._tool_call(call)

    def _part(self, part: object) -> Iterator[StreamEvent]:
        """Content in parts, as Mistral's reasoning models write it."""
        if not isinstance(part, dict):
            return
        text, thinking = part.get("text"), part.get("thinking")
        if isinstance(text, str):
            yield from self.assembly.text(text)
        for inner in thinking if isinstance(thinking, list) else ():
            if isinstance(inner, dict) and isinstance(inner.get("text"), str):
                yield from self.assembly.thinking(inner["text"])

    def _tool_call(self, delta: dict[str, Any]) -> Iterator[StreamEvent]:
        function = delta.get("function")
        if not isinstance(function, dict):
            function = {}
        name, arguments = function.get("name"), function.get("arguments")
        name = name if isinstance(name, str) else ""
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        arguments = arguments if isinstance(arguments, str) else ""
        their_id = delta.get("id")
        key = self._key(delta.get("index"), their_id if isinstance(their_id, str) else "", name)
        yield from self.assembly.call(key, name, arguments)

    def _key(self, index: object, their_id: str, name: str) -> int:
        """Which call a piece belongs to: by its index, but some vendors count no further than nought, or not at all."""
        has_index = isinstance(index, int) and not isinstance(index, bool)
        at = cast("int", index) if has_index else self._last_index
        known = self._at_index.get(at)
        if known is not None and name:
            key, known_id = known
            other_id = bool(their_id) and their_id != known_id
            if other_id or (not has_index and self.assembly.call_complete(key)):
                known = None
        if known is None:
            self._calls += 1
            known = self._at_index[at] = (self._calls, their_id)
        self._last_index = at
        return known[0]


def usage(value: object) -> Usage | None:
    """The tokens of a `usage` object; None if it does not tell them."""
    if not isinstance(value, dict):
        return None
    read, written = count(value.get("prompt_tokens")), count(value.get("completion_tokens"))
    if read is None and written is None:
        return None
    prompt, completion = value.get("prompt_tokens_details"), value.get("completion_tokens_details")
    cached = (
        count(prompt.get("cached_tokens")) if isinstance(prompt, dict) else count(value.get("prompt_cache_hit_tokens"))
    )
    thinking = count(completion.get("reasoning_tokens")) if isinstance(completion, dict) else None
    return Usage(input=read or 0, output=written or 0, cache_read=cached or 0, thinking=thinking)
