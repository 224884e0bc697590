"""The fake vendor refuses what the real ones refuse; otherwise a valid history would prove nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.vendor_rules import anthropic_fault, openai_fault

USER = {"role": "user", "content": "hi"}
ASKS = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "n", "arguments": "{}"}}]}
TOLD = {"role": "tool", "tool_call_id": "a", "content": "ok"}


def sound(form: str, data: str = "AAAA") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


def picture(mime_type: str, data: str = "AAAA") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{data}"}}


@pytest.mark.parametrize(
    ("messages", "valid"),
    [
        ([USER, ASKS, TOLD], True),
        ([], False),
        ([USER, ASKS], False),
        ([USER, ASKS, USER], False),
        ([USER, ASKS, TOLD, TOLD], False),
        ([USER, TOLD], False),
        ([{"role": "developer", "content": "x"}], False),
        ([{"role": "user", "content": ""}], False),
        ([{"role": "user", "content": []}], False),
        ([{"role": "user", "content": [{"type": "text", "text": ""}]}], False),
        ([{"role": "user", "content": [sound("wav")]}], True),
        ([{"role": "user", "content": [sound("ogg")]}], False),
        ([{"role": "user", "content": [sound("wav", "")]}], False),
        ([{"role": "user", "content": [sound("wav", "no base64")]}], False),
        ([USER, {"role": "assistant", "content": [sound("wav")]}], False),
        ([{"role": "user", "content": [picture("image/png")]}], True),
        ([{"role": "user", "content": [picture("image/svg+xml")]}], False),
        ([{"role": "user", "content": [picture("image/png", "")]}], False),
        ([{"role": "assistant", "content": None}], False),
        ([USER, {**ASKS, "tool_calls": ASKS["tool_calls"] * 2}, TOLD], False),  # type: ignore[operator]
        ([USER, {**ASKS, "tool_calls": [{"id": "a", "function": {"name": "n n", "arguments": "{}"}}]}, TOLD], False),
        ([USER, {**ASKS, "tool_calls": [{"id": "a", "function": {"name": "n", "arguments": "{"}}]}, TOLD], False),
    ],
)
def test_chat_completions_are_judged(messages: list[Any], valid: bool):
    assert (openai_fault({"model": "m", "messages": messages}) is None) == valid


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def model(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def image(media_type: str, data: str = "AAAA") -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


HI = {"type": "text", "text": "hi"}
USE = {"type": "tool_use", "id": "a", "name": "n", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": [HI]}


@pytest.mark.parametrize(
    ("messages", "valid"),
    [
        ([user(HI), model(HI, USE), user(RESULT, HI)], True),
        ([], False),
        ([model(HI)], False),
        ([user(HI), user(HI)], False),
        ([user(HI), model(HI)], False),
        ([user(HI), model(USE), user(HI)], False),
        ([user(HI), model(USE), user(HI, RESULT)], False),
        ([user(HI), model(USE), user(RESULT, RESULT)], False),
        ([user(RESULT)], False),
        ([user()], False),
        ([user({"type": "text", "text": " "})], False),
        ([user(image("image/png"))], True),
        ([user(image("image/bmp"))], False),
        ([user(image("image/png", ""))], False),
        ([user(image("image/png", "A" * (5 * 1024 * 1024 + 4)))], False),
        ([user(sound("wav"))], False),
        ([user(HI), model({"type": "thinking", "thinking": "x"}), user(HI)], False),
        ([user(HI), model({**USE, "input": "{}"}), user(RESULT)], False),
        ([user(*[{**HI, "cache_control": {}}] * 5)], False),
    ],
)
def test_messages_are_judged(messages: list[Any], valid: bool):
    tools = [{"name": "n", "input_schema": {"type": "object"}}]
    body = {"model": "m", "max_tokens": 1, "messages": messages, "tools": tools}
    assert (anthropic_fault(body) is None) == valid
    assert anthropic_fault({**body, "max_tokens": 0}) is not None
