"""The bounds of what a tool hands back, and the clean-up of what a terminal would have shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from acp_agent.tools.truncate import (
    OutputBuffer,
    Unshown,
    clip_bytes,
    clip_line,
    console_text,
    fenced,
    head_and_tail,
    size,
    unfenced,
)


def test_a_text_within_the_limits_is_unchanged() -> None:
    assert head_and_tail("a\nb\n") == "a\nb\n"


def test_a_long_text_keeps_its_head_and_its_tail_and_counts_the_rest() -> None:
    text = "\n".join(str(n) for n in range(10))
    assert head_and_tail(text, max_lines=6) == "0\n1\n[… 4 lines left out …]\n6\n7\n8\n9"


@given(st.text(max_size=400), st.integers(60, 200), st.integers(3, 20))
def test_a_cut_text_is_within_its_limits(text: str, most_bytes: int, most_lines: int) -> None:
    cut = head_and_tail(text, most_bytes, most_lines)
    assert cut.count("\n") <= most_lines
    assert size(cut) <= most_bytes + 60


def test_a_long_line_is_clipped_with_a_count() -> None:
    assert clip_line("abcdef", 4) == "abcd… [2 more characters]"
    assert clip_line("abcd", 4) == "abcd"


@given(st.text(max_size=50), st.integers(0, 60))
def test_clipped_bytes_are_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    clipped = clip_bytes(text, limit)
    assert text.startswith(clipped)
    assert size(clipped) <= limit
    assert clipped == text or size(text[: len(clipped) + 1]) > limit


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        ("a\x07b\x08c\x00d", "abcd"),
        ("tab\tkept", "tab\tkept"),
        ("\x1b(Bplain", "plain"),
    ],
)
def test_a_console_text_is_what_stays_on_the_screen(raw: str, shown: str) -> None:
    assert console_text(raw) == shown


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a") == "```\na\n```"
    assert fenced("x\n````\ny\n", "sh") == "`````sh\nx\n````\ny\n`````"


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 20), st.integers(4, 20))
def test_a_buffer_keeps_the_first_and_the_last_bytes(pieces: list[bytes], head: int, tail: int) -> None:
    buffer = OutputBuffer(head, tail)
    for piece in pieces:
        buffer.append(piece)
    data = b"".join(pieces)
    assert buffer.total == len(data)
    if len(data) <= head + tail:
        assert buffer.text() == data.decode("utf-8", "replace")
    else:
        assert f"\n[… {len(data) - head - tail} bytes left out …]\n" in buffer.text()


def test_a_character_that_is_cut_in_two_is_left_out() -> None:
    buffer = OutputBuffer(3, 3)
    buffer.append("éééééé".encode())
    assert buffer.text() == "é\n[… 6 bytes left out …]\né"
    assert buffer.last(3) == "é"


def test_invalid_bytes_are_replaced() -> None:
    buffer = OutputBuffer()
    buffer.append(b"a\xffb")
    assert buffer.text() == "a\ufffdb"


@given(text=st.text(alphabet="a`\n \r", max_size=30), after=st.sampled_from(["", "[exit code 0]", "[a]\n[b]"]))
@settings(max_examples=300)
def test_a_text_comes_out_of_its_fence_as_it_went_in(text: str, after: str) -> None:
    shown = fenced(text) + (f"\n{after}" if after else "")
    assert unfenced(shown) == (text.rstrip("\n"), after)


@pytest.mark.parametrize("text", ["", "[exit code 0]", "```\nnever closed", "a\n```\nb\n```"])
def test_a_text_without_a_fence_at_its_beginning_all_follows(text: str) -> None:
    assert unfenced(text) == ("", text)


@given(pieces=st.lists(st.text(alphabet="aé🙂\n", max_size=5), max_size=20), cut=st.integers(1, 4))
@settings(max_examples=200)
def test_what_is_new_each_time_makes_the_whole(pieces: list[str], cut: int) -> None:
    data = "".join(pieces).encode()
    unshown, seen = Unshown(30), ""
    for start in range(0, len(data), cut):
        unshown.append(data[start : start + cut])
        new, place = unshown.text()
        unshown.shown(place)
        seen += new
    assert seen + unshown.text(final=True)[0] == data.decode()


@given(
    pieces=st.lists(st.tuples(st.text(alphabet="aé🙂\n", max_size=9), st.booleans())),
    limit=st.integers(8, 40),
)
@settings(max_examples=300)
def test_what_is_shown_and_what_is_said_to_be_left_out_make_the_whole(
    pieces: list[tuple[str, bool]], limit: int
) -> None:
    unshown, seen, came = Unshown(limit), "", 0
    waiting: tuple[str, int] | None = None
    for text, asked in pieces:
        unshown.append(text.encode())
        came += len(text.encode())
        if waiting is not None and asked:  # more came while the client took this
            seen += waiting[0]
            unshown.shown(waiting[1])
            waiting = None
        elif asked:
            waiting = unshown.text()
    seen += unshown.text(final=True)[0]
    left_out = [int(number) for number in re.findall(r"\n\[… (\d+) bytes left out …\]\n", seen)]
    kept = re.sub(r"\n\[… \d+ bytes left out …\]\n", "", seen)
    assert len(kept.encode()) + sum(left_out) == came
    assert "\ufffd" not in kept
    if came <= limit:
        assert kept == "".join(text for text, _ in pieces)


def test_of_much_that_nobody_was_shown_little_is_kept() -> None:
    unshown = Unshown(1000)
    for _ in range(10_000):
        unshown.append(b"x" * 100)
    assert len(unshown._kept) <= 1250
    assert unshown.text(final=True) == (f"\n[… 999000 bytes left out …]\n{'x' * 1000}", 1_000_000)
