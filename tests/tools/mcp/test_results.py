"""MCP content as the model and the person get it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, strategies as st

from acp_agent.llm.messages import Image
from acp_agent.tools.mcp.results import tool_result
from acp_agent.tools.truncate import MAX_BYTES

DATA = base64.b64encode(b"picture").decode()


def result(*blocks: Any, **more: Any) -> tuple[str, list[dict[str, Any]]]:
    """What the model and the person get."""
    made = tool_result({"content": list(blocks), **more})
    return made.output, [each.wire()["content"] for each in made.content]


def test_text_is_joined_for_the_model_and_shown_in_its_parts():
    assert result({"type": "text", "text": "one"}, {"type": "text", "text": "two"}) == (
        "one\ntwo",
        [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
    )


def test_an_image_goes_to_the_model_and_to_the_person():
    made = tool_result({"content": [{"type": "image", "data": DATA, "mimeType": "image/png"}]})
    assert made.images == (Image(data=DATA, mime_type="image/png"),)
    assert made.content[0].wire()["content"] == {"type": "image", "data": DATA, "mimeType": "image/png"}
    assert made.output == "[image image/png, attached]"


def test_an_image_that_no_model_sees_is_shown_only():
    made = tool_result({"content": [{"type": "image", "data": DATA, "mimeType": "image/tiff"}]})
    assert (made.images, made.output) == ((), "[image image/tiff, shown to the user only]")
    assert made.content[0].wire()["content"]["mimeType"] == "image/tiff"


@pytest.mark.parametrize(
    ("block", "told", "shown"),
    [
        (
            {"type": "audio", "data": DATA, "mimeType": "audio/wav"},
            "[audio audio/wav, 9 bytes, played to the user only]",
            {"type": "audio", "data": DATA, "mimeType": "audio/wav"},
        ),
        (
            {"type": "resource_link", "uri": "file:///a", "name": "a", "description": "An a.", "size": 3},
            "[resource a: file:///a (An a.)]",
            {"type": "resource_link", "uri": "file:///a", "name": "a", "description": "An a.", "size": 3},
        ),
        (
            {"type": "resource", "resource": {"uri": "x:a", "text": "inside", "mimeType": "text/plain"}},
            "x:a:\ninside",
            {"type": "resource", "resource": {"uri": "x:a", "text": "inside", "mimeType": "text/plain"}},
        ),
        (
            {"type": "resource", "resource": {"uri": "x:a", "blob": DATA, "mimeType": "application/pdf"}},
            "[x:a: application/pdf, 9 bytes, shown to the user only]",
            {"type": "resource", "resource": {"uri": "x:a", "blob": DATA, "mimeType": "application/pdf"}},
        ),
        (
            {"type": "resource", "resource": {"uri": "x:a", "blob": DATA, "mimeType": "image/png"}},
            "[image image/png, attached]",
            {"type": "image", "data": DATA, "mimeType": "image/png"},
        ),
    ],
)
def test_each_kind_of_content_is_described_to_the_model_and_shown_as_it_is(block, told, shown):
    assert result(block) == (told, [shown])


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "hologram", "x": 1}, "[content that cannot be read: hologram]"),
        ({"type": "image", "data": 5}, "[content that cannot be read: image]"),
        ("text", "[content that cannot be read]"),
        ({"type": "image", "data": "no base64!", "mimeType": "image/png"}, "that cannot be read: it is no base64]"),
        ({"type": "image", "data": "A" * 6_000_000, "mimeType": "image/png"}, "of 4500000 bytes, too large to show]"),
        ({"type": "resource", "resource": {"uri": "x:a"}}, "[x:a: without contents]"),
    ],
)
def test_of_what_cannot_be_shown_a_note_remains(block, told):
    output, shown = result(block)
    assert told in output
    assert [each["type"] for each in shown] == ["text"]


def test_structured_content_stands_in_where_there_is_no_text():
    made = tool_result({"content": [], "structuredContent": {"x": 1}})
    assert (made.output, dict(made.data)) == ('{\n "x": 1\n}', {"structuredContent": {"x": 1}})
    both = tool_result({"content": [{"type": "text", "text": "x is 1"}], "structuredContent": {"x": 1}})
    assert both.output == "x is 1"


def test_a_failure_is_one():
    assert tool_result({"content": [{"type": "text", "text": "no"}], "isError": True}).is_error
    assert tool_result({"isError": True}).output == "The tool failed and said nothing."
    assert tool_result({}).output == "Done; there is no output."


def test_a_long_output_is_cut_like_that_of_any_tool():
    made = tool_result({"content": [{"type": "text", "text": "word\n" * 100_000}]})
    assert len(made.output) <= MAX_BYTES + 100
    assert "lines left out" in made.output
    assert made.size == 500_000
    assert len(str(made.content)) <= MAX_BYTES + 1000


def test_many_large_parts_fit_on_a_line_of_the_wire():
    image = {"type": "image", "data": "A" * 4_000_000, "mimeType": "image/png"}
    _, shown = result(image, image, image)
    assert [each["type"] for each in shown] == ["image", "text"]
    assert shown[1]["text"] == "[the rest is too large to show]"


def test_a_hundred_parts_are_enough():
    output, shown = result(*[{"type": "text", "text": "x"}] * 150)
    assert len(shown) == 101
    assert output.endswith("[50 more parts left out]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "data", "mimeType", "uri", "resource", "blob", "name", "size", "title"]),
            inner | st.sampled_from(["text", "image", "audio", "resource", "resource_link"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(content=JSON, structured=JSON)
def test_no_answer_breaks_it(content, structured):
    made = tool_result({"content": content, "structuredContent": structured})
    assert made.output
    assert all(each.wire() for each in made.content)
