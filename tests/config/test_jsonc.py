import json
import time

import pytest
from hypothesis import given, strategies as st

from acp_agent.config.jsonc import MAX_DEPTH, Problem, parse

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def with_comments(text: str) -> str:
    """Force the slow reader: the library refuses the comment."""
    return f"// a comment\n{text}\n/* another\n one */"


@given(JSON_VALUES)
def test_the_reader_agrees_with_the_library_on_plain_json(value):
    text = json.dumps(value, indent=1)
    expected = json.loads(text)
    assert parse(text).value == expected
    assert parse(with_comments(text)).value == expected


@given(JSON_VALUES)
def test_text_that_is_not_escaped_reads_the_same(value):
    text = json.dumps(value, ensure_ascii=False)
    assert parse(with_comments(text)).value == json.loads(text)


@given(st.text(alphabet='{}[]",:/*\\ue0trfalsn1.-+\n\t \ufeff"', max_size=40) | st.text(max_size=40))
def test_no_text_raises(text):
    document = parse(text)
    assert (document.fatal is None) or document.value is None
    line, column = document.position(("a", 0, "b"))
    assert line >= 1
    assert column >= 1


def test_comments_trailing_commas_and_a_byte_order_mark_are_read():
    text = '\ufeff{ // end of line\n "a": [1, 2,], /* in\nbetween */ "b": {"url": "http://x", }, }'
    document = parse(text)
    assert document.value == {"a": [1, 2], "b": {"url": "http://x"}}
    assert document.problems == ()


def test_positions_count_lines_of_every_kind_and_columns_in_characters():
    document = parse('{"a": 1,\r\n "ä": {"b":\r[true,\n  "x"]}}')
    assert document.position(("a",)) == (1, 7)
    assert document.position(("ä",)) == (2, 7)
    assert document.position(("ä",), of_key=True) == (2, 2)
    assert document.position(("ä", "b", 0)) == (3, 2)
    assert document.position(("ä", "b", 1)) == (4, 3)


def test_the_position_of_what_is_missing_is_its_nearest_parents_key():
    document = parse('{\n "a": {"b": 1}}')
    assert document.position(("a", "zzz", 3)) == (2, 2)
    assert document.position(("zzz",)) == (1, 1)


def test_of_repeated_keys_the_last_one_counts_and_is_said():
    document = parse('{"a": {"x": 1},\n "a": {"y": 2}}')
    assert document.value == {"a": {"y": 2}}
    assert document.problems == (Problem(1, 2, "this key is given again below, and the last one counts"),)
    assert document.position(("a", "y")) == (2, 13)


def test_a_missing_comma_is_said_and_survived():
    document = parse('{"a": 1\n "b": 2}')
    assert document.value == {"a": 1, "b": 2}
    assert document.problems == (Problem(1, 8, "a comma is missing here; it is read as if it stood there"),)


def test_deep_nesting_is_an_error_and_not_a_crash():
    for text in ("[" * 100_000, "[" * 100_000 + "]" * 100_000, "[" * 300 + "]" * 300, with_comments('{"a":' * 5_000)):
        fatal = parse(text).fatal
        assert fatal is not None
        assert fatal.message == f"more than {MAX_DEPTH} levels of nesting"


def test_nesting_up_to_the_limit_is_read():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse(text).fatal is None
    assert parse(text).value == parse(with_comments(text)).value


def test_huge_numbers_are_numbers():
    assert parse("9" * 4_000).value == int("9" * 4_000)
    assert parse("9" * 100_000).value == float("inf")
    assert parse(with_comments("[1e3, -0.5, 12]")).value == [1000.0, -0.5, 12]


def test_a_lone_surrogate_becomes_a_replacement_character():
    assert parse('{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}').value == {"a": "x\ufffdy", "b": "😀"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", Problem(1, 1, "the file is empty")),
        ("// only this", Problem(1, 1, "the file is empty")),
        ("{", Problem(1, 1, "this '{' is never closed")),
        ('{"a": [1, 2}', Problem(1, 12, "expected ',' or ']'")),
        ('{"a": ', Problem(1, 7, "the file ends where a value is expected")),
        ('{"a": "x', Problem(1, 7, "this string has no closing quote on its line")),
        ('{"a": "x\n"}', Problem(1, 7, "this string has no closing quote on its line")),
        ('{"a": "C:\\dir"}', Problem(1, 10, "this is no escape of JSON; a backslash itself is written \\\\")),
        ('{"a": "x\ty"}', Problem(1, 9, "a control character in a string is written as an escape, a tab as \\t")),
        ("{'a': 1}", Problem(1, 2, "expected a key in double quotes")),
        ("{a: 1}", Problem(1, 2, "expected a key in double quotes")),
        ("{\"a\": 'x'}", Problem(1, 7, "strings need double quotes")),
        ('{"a": \u201cx\u201d}', Problem(1, 7, "strings need plain double quotes, not typographic ones")),
        ('{"a" 1}', Problem(1, 6, "expected ':' after the key")),
        ('{"a": True}', Problem(1, 7, "write true in small letters")),
        ('{"a": None}', Problem(1, 7, "expected a value; a string needs double quotes")),
        ('{"a": NaN}', Problem(1, 7, "expected a value; a string needs double quotes")),
        ('{"a": 01}', Problem(1, 7, "expected a value")),
        ('{"a": +1}', Problem(1, 7, "numbers have no plus sign")),
        ('{"a":: 1}', Problem(1, 6, "there is a colon too many here")),
        ('{"a": 1,, "b": 2}', Problem(1, 9, "there is a comma too many here")),
        ('{"a": }', Problem(1, 7, "a value is missing before this '}'")),
        ("[1,,2]", Problem(1, 4, "there is a comma too many here")),
        ('{"a": 1} x', Problem(1, 10, "there is text after the end of the value")),
        ('{"a": 1 /* x', Problem(1, 9, "this comment is never closed")),
        ("# comment\n{}", Problem(1, 1, "comments start with // here")),
    ],
)
def test_a_syntax_error_is_said_with_its_place(text, problem):
    document = parse(text)
    assert document.value is None
    assert document.fatal == problem


def test_a_file_of_ten_kilobytes_is_read_in_milliseconds():
    value = {f"key{number}": {"name": "x" * 20, "list": [1, 2, 3]} for number in range(200)}
    text = with_comments(json.dumps(value))
    assert len(text) > 10_000
    fastest = min(_seconds(lambda: parse(text)) for _ in range(5))
    assert fastest < 0.05  # ten times what it takes, for a busy machine


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
