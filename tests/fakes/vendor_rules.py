"""What the real vendors refuse: each function names the first fault of a request body, None if there is none."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_LARGEST_IMAGE = 5 * 1024 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _FaultError(Exception):
    pass


def openai_fault(body: Any) -> str | None:
    """Chat completions."""
    try:
        _chat(body)
    except _FaultError as fault:
        return str(fault)
    return None


def anthropic_fault(body: Any) -> str | None:
    """Messages."""
    try:
        _messages(body)
    except _FaultError as fault:
        return str(fault)
    return None


def _need(condition: object, fault: str) -> None:
    if not condition:
        raise _FaultError(fault)


def _chat(body: Any) -> None:
    _need(isinstance(body, dict) and isinstance(body.get("model"), str) and body["model"], "model is required")
    messages = body.get("messages")
    _need(isinstance(messages, list) and messages, "messages must not be empty")
    _tools([tool.get("function", {}) for tool in body.get("tools", [])], "parameters")
    waiting: list[str] = []
    for at, message in enumerate(messages):
        where, role = f"messages[{at}]", message.get("role")
        _need(role in ("system", "user", "assistant", "tool"), f"{where}: role {role!r}")
        if role == "tool":
            call_id = message.get("tool_call_id")
            _need(call_id in waiting, f"{where}: tool_call_id {call_id!r} answers no call of the message before")
            waiting.remove(call_id)
        else:
            _need(not waiting, f"{where}: tool_calls {waiting} have no answer")
        calls = message.get("tool_calls")
        if calls is not None:
            _need(role == "assistant" and calls, f"{where}: tool_calls")
            waiting = [call["id"] for call in calls]
            _need(len(set(waiting)) == len(waiting), f"{where}: two calls have the same id")
            for call in calls:
                _need(_NAME.fullmatch(call["function"]["name"]), f"{where}: name {call['function']['name']!r}")
                _json_object(call["function"]["arguments"], where)
        _chat_content(message, where)
    _need(not waiting, f"tool_calls {waiting} have no answer")


def _chat_content(message: Mapping[str, Any], where: str) -> None:
    content = message.get("content")
    if content is None:
        _need(message.get("tool_calls"), f"{where}: content is null")
    elif isinstance(content, list):
        _need(content, f"{where}: content is empty")
        for part in content:
            if part.get("type") == "text":
                _need(part.get("text"), f"{where}: an empty text part")
                continue
            _need(message["role"] == "user", f"{where}: {part.get('type')} in a message of {message['role']}")
            if part.get("type") == "input_audio":
                _need(part["input_audio"].get("format") in ("wav", "mp3"), f"{where}: audio format")
                _base64(part["input_audio"].get("data"), where)
            else:
                _need(part.get("type") == "image_url", f"{where}: {part.get('type')}")
                kind, _, data = part["image_url"]["url"].partition(";base64,")
                _need(kind.removeprefix("data:") in _IMAGE_TYPES, f"{where}: unsupported image {kind!r}")
                _base64(data, where)
    else:
        _need(isinstance(content, str) and content, f"{where}: content is empty")


def _base64(data: object, where: str) -> None:
    try:
        _need(isinstance(data, str) and base64.b64decode(data, validate=True), f"{where}: no data")
    except ValueError:
        raise _FaultError(f"{where}: data is not base64") from None


def _json_object(text: object, where: str) -> None:
    try:
        _need(isinstance(text, str) and isinstance(json.loads(text), dict), f"{where}: arguments are no object")
    except ValueError:
        raise _FaultError(f"{where}: arguments are no JSON") from None


def _tools(tools: list[Mapping[str, Any]], schema: str) -> None:
    names = [tool.get("name", "") for tool in tools]
    _need(len(set(names)) == len(names), "two tools have the same name")
    for tool in tools:
        _need(_NAME.fullmatch(tool.get("name", "")), f"tool name {tool.get('name')!r}")
        _need(tool.get(schema, {}).get("type") == "object", f"tool {tool['name']}: {schema} is no object schema")


def _messages(body: Any) -> None:
    _need(isinstance(body, dict) and isinstance(body.get("model"), str) and body["model"], "model is required")
    _need(isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0, "max_tokens is required")
    messages = body.get("messages")
    _need(isinstance(messages, list) and messages, "messages must not be empty")
    _tools(body.get("tools", []), "input_schema")
    blocks = list(_all_blocks(body))
    _need(sum("cache_control" in block for block in blocks) <= 4, "more than four blocks with cache_control")
    uses = any(block.get("type") == "tool_use" for block in blocks)
    _need(body.get("tools") or not uses, "tool_use needs tools to be defined")
    waiting: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        _need(message.get("role") == ("assistant" if at % 2 else "user"), f"{where}: roles must alternate")
        content = message.get("content")
        _need(isinstance(content, list) and content, f"{where}: content is empty")
        results = [block["tool_use_id"] for block in content if block.get("type") == "tool_result"]
        _need(sorted(results) == sorted(waiting), f"{where}: tool_use {waiting} answered by {results}")
        first = [block.get("type") for block in content[: len(results)]]
        _need(set(first) <= {"tool_result"}, f"{where}: tool_result blocks must come first")
        waiting = [block["id"] for block in content if block.get("type") == "tool_use"]
        _need(len(set(waiting)) == len(waiting), f"{where}: two calls have the same id")
        for block in content:
            _block(block, message["role"], where)
    _need(messages[-1]["role"] == "user", "the conversation must end with a user message")


def _all_blocks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    system = body.get("system", [])
    yield from [system] if isinstance(system, Mapping) else [part for part in system if isinstance(part, Mapping)]
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            yield from message["content"]


def _block(block: Mapping[str, Any], role: str, where: str) -> None:
    match block.get("type"):
        case "text":
            _need(block.get("text", "").strip(), f"{where}: text content blocks must contain non-whitespace text")
        case "image":
            source = block["source"]
            _need(role == "user" and source.get("type") == "base64", f"{where}: image")
            _need(source.get("media_type") in _IMAGE_TYPES, f"{where}: media_type {source.get('media_type')!r}")
            _base64(source.get("data"), where)
            _need(len(source["data"]) <= _LARGEST_IMAGE, f"{where}: image exceeds 5 MB maximum")
        case "thinking":
            _need(role == "assistant" and block.get("signature"), f"{where}: thinking without its signature")
            _need("cache_control" not in block, f"{where}: thinking cannot be cached")
        case "redacted_thinking":
            _need(role == "assistant" and block.get("data"), f"{where}: redacted_thinking without data")
        case "tool_use":
            _need(role == "assistant" and isinstance(block.get("input"), dict), f"{where}: tool_use input")
            _need(_NAME.fullmatch(block["name"]) and _NAME.fullmatch(block["id"]), f"{where}: tool_use name or id")
        case "tool_result":
            for inner in block.get("content", []):
                _block(inner, "user", where)
        case other:
            raise _FaultError(f"{where}: block type {other!r}")
