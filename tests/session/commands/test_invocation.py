"""Which prompts are commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acp_agent.schema import (
    Annotations,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session.commands import COMMANDS, available_commands, invocation, unknown_command
from acp_agent.session.commands.base import LONGEST_ANSWER, Invocation, page
from tests.session.unit import bench

pytestmark = pytest.mark.anyio

IMAGE = ImageContent(data="aGk=", mime_type="image/png")
LINK = ResourceLink(name="main.rs", uri="file:///src/main.rs")
FILE = EmbeddedResource(resource=TextResourceContents(uri="file:///src/a%20b.py", text="x = 1"))
FOR_THE_MODEL = TextContent(text="/help is what the editor adds", annotations=Annotations(audience=["assistant"]))


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("/help", "help", ""),
        ("/help\n", "help", ""),
        ("  /help", "help", ""),
        ("/model anthropic/claude", "model", "anthropic/claude"),
        ("/title  Two  words\nand a line ", "title", "Two  words\nand a line"),
        ("/no-such_command:here now", "no-such_command:here", "now"),
        ("/Übung", None, None),
        ("/Help", "Help", ""),
        ("/usr/bin/python is broken", None, None),
        ("/etc/hosts please", None, None),
        ("/usr/", None, None),
        ("/ hello", None, None),
        ("/", None, None),
        ("//x", None, None),
        ("/main.py fails", None, None),
        ("/help?", None, None),
        ("/3d", None, None),
        ("/" + "a" * 101, None, None),
        ("say /help", None, None),
        ("", None, None),
        (" \n", None, None),
    ],
)
async def test_a_command_is_a_slash_with_a_word_at_the_beginning(
    tmp_path: Path, text: str, name: str | None, arguments: str | None
) -> None:
    async with bench(tmp_path) as it:
        found = invocation(it.state, [TextContent(text=text)])
        assert (found and (found.name, found.arguments)) == (name and (name, arguments))


async def test_a_word_that_names_a_path_at_the_root_is_a_prompt_unless_there_is_such_a_command(tmp_path: Path) -> None:
    there = next(path.name for path in Path("/").iterdir() if path.name.isalpha())
    async with bench(tmp_path) as it:
        assert invocation(it.state, [TextContent(text=f"/{there}")]) is None
        assert invocation(it.state, [TextContent(text=f"/{there} is full")]) is None
        assert invocation(it.state, [TextContent(text="/there-is-no-such-path")]) is not None


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([IMAGE, TextContent(text="/init look")], Invocation("init", "look", (IMAGE,))),
        ([TextContent(text="/init look"), IMAGE], Invocation("init", "look", (IMAGE,))),
        (
            [TextContent(text="/title Fix "), LINK, TextContent(text=" now")],
            Invocation("title", "Fix main.rs now", (LINK,)),
        ),
        ([TextContent(text="/title"), FILE, TextContent(text="fails")], Invocation("title", "a b.py fails", (FILE,))),
        ([TextContent(text="\n"), LINK, TextContent(text="/help")], Invocation("help", "", (LINK,))),
        ([FOR_THE_MODEL, TextContent(text="/mode plan")], Invocation("mode", "plan", (FOR_THE_MODEL,))),
        ([FOR_THE_MODEL], None),
        ([TextContent(text="look"), TextContent(text="/help")], None),
        ([IMAGE], None),
        ([], None),
    ],
)
async def test_what_else_stands_in_a_prompt_may_be_before_or_behind_the_command(
    tmp_path: Path, blocks: Any, expected: Invocation | None
) -> None:
    async with bench(tmp_path) as it:
        assert invocation(it.state, blocks) == expected


async def test_an_unknown_command_is_answered_with_the_nearest_and_all_that_exist(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        text = unknown_command(it.state, Invocation("hlep"))
        assert "There is no command `/hlep`. Did you mean `/help`?" in text
        assert all(f"`/{command.name}" in text for command in COMMANDS)
        assert "Did you mean" not in unknown_command(it.state, Invocation("qqqqqq"))
        assert "Did you mean `/usage`" in unknown_command(it.state, Invocation("USAGE"))


async def test_the_commands_are_told_in_their_order_with_hints_where_they_take_arguments(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        told = [command.wire() for command in available_commands(it.state)]
        assert " ".join(command["name"] for command in told) == (
            "help init model mode agents mcp permissions usage context config doctor export title"
        )
        with_input = {command["name"] for command in told if "input" in command}
        assert with_input == {"init", "model", "mode", "mcp", "config", "export", "title"}
        assert all(command["description"] for command in told)
        assert told == [command.wire() for command in available_commands(it.state)]


def test_every_command_has_either_an_answer_or_a_prompt() -> None:
    assert all((command.answer is None) != (command.prompt is None) for command in COMMANDS)


def test_a_long_answer_is_cut_at_a_line_and_an_open_block_of_code_is_closed() -> None:
    assert page("a", "", "b") == "a\n\nb"
    text = page("```\n" + "line\n" * 10_000 + "```")
    assert len(text) <= LONGEST_ANSWER
    assert text.count("```") == 2
    assert text.endswith("(Cut here: the whole answer has 50,007 characters.)")
