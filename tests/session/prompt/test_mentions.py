"""What counts as the mention of a file, before anybody looks whether it exists."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from acp_agent.session.prompt.addresses import Lines
from acp_agent.session.prompt.mentions import MOST_LOOKED_UP, mentions


def meant(text: str) -> list[tuple[str, Lines | None]]:
    """The last of the ways in which each mention can be read: the shortest path."""
    return [ways[-1] for ways in mentions(text)]


@pytest.mark.parametrize(
    ("text", "path", "lines"),
    [
        ("@a.py", "a.py", None),
        ("see @src/a.py, please", "src/a.py", None),
        ("(see @src/a.py).", "src/a.py", None),
        ("**@src/a.py**", "src/a.py", None),
        ("Why @src/a.py?", "src/a.py", None),
        ("@a.py:10", "a.py", Lines(10, 10)),
        ("@a.py:10-20: why", "a.py", Lines(10, 20)),
        ("@a.py#L10-L20", "a.py", Lines(10, 20)),
        ("@./a.py", "./a.py", None),
        ("@../a.py", "../a.py", None),
        ("@~/a.py", "~/a.py", None),
        ("@/w/a.py", "/w/a.py", None),
        ("@src/", "src/", None),
        ("@.", ".", None),
        ('@"two words.md"', "two words.md", None),
        ('@"two words.md":3-4', "two words.md", Lines(3, 4)),
        ('@"two words.md:3-4"', "two words.md", Lines(3, 4)),
        ("@'two words.md'", "two words.md", None),
        ("@two\\ words.md", "two words.md", None),
        ("@app/(group)/[id]/page.tsx", "app/(group)/[id]/page.tsx", None),
        ("@日本.md", "日本.md", None),
        ("@a.pyを見て", "a.py", None),
        ("@C:\\w\\a.py:10", "C:\\w\\a.py", Lines(10, 10)),
        ("`` @x `` and @a.py", "a.py", None),
        ("an unpaired ` and @a.py", "a.py", None),
        ("```\n@x\n```\n@a.py", "a.py", None),
    ],
)
def test_a_mention_is_found_as_people_write_it(text: str, path: str, lines: Lines | None) -> None:
    assert meant(text) == [(path, lines)]


@pytest.mark.parametrize(
    "text",
    [
        "no mention",
        "me@example.org",
        "first.last+tag@example.org",
        "git@github.com:a/b.git",
        "node_modules/@types/node",
        "the decorator `@property`",
        "```python\n@property\ndef f(): ...\n```",
        "~~~\n@a\n```\n@b\n~~~",
        "```\n@a",
        "@...",
        "@@",
        "@",
        "@//server/share",
        "@\\\\server\\share",
    ],
)
def test_what_is_no_mention_is_left_alone(text: str) -> None:
    assert list(mentions(text)) == []


def test_the_path_as_it_stands_comes_before_a_shorter_reading_of_it() -> None:
    assert [list(ways) for ways in mentions("@a.py:10.")] == [
        [("a.py:10.", None), ("a.py:10", None), ("a.py", Lines(10, 10))]
    ]


def test_mentions_in_a_row_are_all_found_up_to_a_limit() -> None:
    assert meant("@a.py,@b.py; @c.py") == [("a.py", None), ("b.py", None), ("c.py", None)]
    assert len(list(mentions("@a " * 1000))) == MOST_LOOKED_UP


def test_a_text_made_to_be_slow_is_not() -> None:
    started = time.monotonic()
    for text in ("`" * 200_000, "".join("`" * n + " " for n in range(600)), "@" * 200_000, "@" + ")" * 200_000):
        list(mentions(f"@a {text}"))
    assert time.monotonic() - started < 5


@given(st.text(alphabet="@ab./\\:-#L12`~ \n\"'()é", max_size=60))
def test_any_text_is_searched_without_an_error(text: str) -> None:
    assert all(path for ways in mentions(text) for path, _ in ways)
