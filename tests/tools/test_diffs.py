"""A change of a file as the person sees it, whole or in hunks."""

from __future__ import annotations

import json

import anyio
import pytest

from acp_agent.schema import DiffContent, ToolContent
from tests.tools.desk import Desk

pytestmark = pytest.mark.anyio


async def test_a_change_too_large_for_a_line_is_shown_in_hunks(desk: Desk) -> None:
    lines = [f"line {n} {'x' * 90}\n" for n in range(60_000)]
    path = desk.put("big.txt", "".join(lines))
    old = list(lines)
    lines[100], lines[1000] = "first\n", "second\n"
    result = await desk.run("write", filePath="big.txt", content="".join(lines))
    note, *hunks = result.content
    assert note.content.text == ("The change of big.txt is too large to show as a whole: these are its changed places.")
    assert hunks == [
        DiffContent(
            path=str(path),
            old_text="".join(old[at - 50 : at + 51]),
            new_text="".join(lines[at - 50 : at + 51]),
            meta={"acp-agent/hunk": {"oldLine": at - 49, "newLine": at - 49}},
        )
        for at in (100, 1000)
    ]


@pytest.mark.parametrize(
    "text", ["é" * 4_000_000, "\x01" * 3_000_000, "line\n" * 2_000_000], ids=["one", "control", "many"]
)
async def test_no_change_is_ever_larger_than_a_line_of_the_wire(desk: Desk, text: str) -> None:
    desk.put("big.txt", "x\n" * 1_000_000)
    with anyio.fail_after(10):
        result = await desk.run("write", filePath="big.txt", content=text)
    assert sum(len(json.dumps(each.wire())) for each in result.content) < 7 * 1024 * 1024
    note = result.content[0]
    assert isinstance(note, ToolContent)
    assert note.content.text.endswith("and not all of them.")
    assert desk.bytes("big.txt") == text.encode()
