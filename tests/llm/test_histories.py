"""No history that the types allow is refused by a vendor."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, strategies as st

from acp_agent.llm.anthropic import AnthropicMessages
from acp_agent.llm.messages import (
    AssistantMessage,
    Audio,
    Image,
    Step,
    Text,
    Thinking,
    ToolCall,
    ToolOutcome,
    UserMessage,
)
from acp_agent.llm.openai_chat import OpenAIChat
from tests.fakes.vendor_rules import anthropic_fault, openai_fault
from tests.llm.requests import PIXEL, READ, SOUND, request, said

words = st.sampled_from(["", " ", "\n", "word", "two words", "nul \0", "half \ud83d", "\x1b[2J\u202e", "ü€😀"])
arguments = st.sampled_from(["{}", "", '{"a": 1}', '{"a"', "[]", "null", '"{}"', "\ud800", "text"])
names = st.sampled_from(["read", "no such tool", "", "x" * 100, "mcp__a.b"])
texts = st.builds(lambda text: Text(text=text), words)
thoughts = st.builds(
    lambda text, signature, redacted: Thinking(text=text, signature=signature, redacted=redacted),
    words,
    st.sampled_from([None, "signature"]),
    st.sampled_from([None, None, "hidden"]),
)
pictures = st.builds(
    Image,
    data=st.sampled_from(["", "AAAA"]),
    mime_type=st.sampled_from(["image/png", "image/JPG", "image/svg+xml", "", "\ud800"]),
)
sounds = st.builds(
    Audio, data=st.sampled_from(["", "AAAA"]), mime_type=st.sampled_from(["audio/wav", "audio/ogg", "é\0"])
)
media = pictures | sounds | st.sampled_from([PIXEL, SOUND])
users = st.builds(lambda parts: UserMessage(content=tuple(parts)), st.lists(texts | media, max_size=3))
ids = itertools.count()


@st.composite
def steps(draw: st.DrawFn) -> Step:
    parts: list[Any] = draw(st.lists(texts | thoughts | st.tuples(names, arguments), max_size=5))
    content = [
        ToolCall(id=f"call-{next(ids)}", name=part[0], arguments=part[1]) if isinstance(part, tuple) else part
        for part in parts
    ]
    message = AssistantMessage(content=tuple(content))
    outcomes = tuple(
        ToolOutcome(
            call_id=call.id,
            name=call.name,
            output=draw(words),
            is_error=draw(st.booleans()),
            images=tuple(draw(st.lists(pictures, max_size=2))),
        )
        for call in message.tool_calls
    )
    return Step(message=message, outcomes=outcomes)


@given(st.lists(users | steps(), max_size=6), st.booleans(), words)
def test_any_history_is_mapped_to_a_valid_request(history: list[UserMessage | Step], tools: bool, reminder: str):
    asked = request([*history, said("go on")], tools=(READ,) if tools else (), reminder=reminder)
    for provider, fault in (
        (OpenAIChat("o", "http://127.0.0.1/v1", "k"), openai_fault),
        (AnthropicMessages("a", "http://127.0.0.1", "k"), anthropic_fault),
    ):
        body = provider.body(asked)
        assert fault(body) is None
        json.dumps(body, ensure_ascii=False).encode()
