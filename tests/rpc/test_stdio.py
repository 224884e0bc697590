"""Cutting bytes into lines."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from acp_agent.rpc.stdio import TOO_LONG, split_lines


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@given(
    st.lists(st.binary(max_size=30).map(lambda each: each.replace(b"\n", b"").strip(b"\r \t"))),
    st.lists(st.integers(0)),
)
def test_lines_do_not_depend_on_how_the_bytes_arrive(lines: list[bytes], places: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    assert list(split_lines(iter(_cut(data, places)))) == [line for line in lines if line]


def test_carriage_returns_and_blank_lines_vanish() -> None:
    assert list(split_lines(iter([b"a\r\n\r\n\n  \nb\n"]))) == [b"a", b"b"]


def test_only_the_newline_byte_ends_a_line() -> None:
    line = "a\u2028b\u0085c\x0bd\x0ce".encode()
    assert list(split_lines(iter([line + b"\n"]))) == [line]


def test_a_last_line_without_its_newline_is_no_message() -> None:
    assert list(split_lines(iter([b"a\nb"]))) == [b"a"]


def test_a_line_of_just_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    assert list(split_lines(iter([b"x" * 10, b"\n"]), limit=10)) == [b"x" * 10]
    assert list(split_lines(iter([b"x" * 10, b"x\nnext\n"]), limit=10)) == [TOO_LONG, b"next"]


def test_a_line_that_is_too_long_is_told_once_and_not_kept() -> None:
    def endless() -> object:
        for _ in range(10_000):
            yield b"x" * 1000
        yield b"\nafter\n"

    assert list(split_lines(endless(), limit=1000)) == [TOO_LONG, b"after"]  # type: ignore[arg-type]
