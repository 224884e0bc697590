"""One line to one message: what is valid, and how everything else is answered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from acp_agent.rpc.messages import (
    Invalid,
    Notification,
    Request,
    Response,
    decode,
    encode,
)


def test_a_request_keeps_its_id_with_value_and_type() -> None:
    for id in (0, 1, -5, 2**53 + 1, 2**80, "1", "", "x" * 300, None):
        line = encode({"jsonrpc": "2.0", "id": id, "method": "m", "params": {"a": 1}})
        message = decode(line)
        assert message == Request(id, "m", {"a": 1}, len(line))
        assert isinstance(message, Request)
        assert type(message.id) is type(id)


def test_a_message_without_id_is_a_notification() -> None:
    assert decode(b'{"jsonrpc":"2.0","method":"m"}') == Notification("m", None)


def test_an_answer_with_a_result_and_an_error_counts_as_an_error() -> None:
    message = decode(b'{"jsonrpc":"2.0","id":"a","result":1,"error":{"code":1,"message":"x"}}')
    assert isinstance(message, Response)
    assert message.result is None
    assert message.error["code"] == -32600


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'{"a":1,}',
        b'{"a":"\xff"}',
        b'{"a":"\x00"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 1_000_000,
        b'{"id":' + b"9" * 5000 + b"}",
        b"",
    ],
)
def test_what_is_not_json_is_a_parse_error_without_an_id(line: bytes) -> None:
    message = decode(line)
    assert isinstance(message, Invalid)
    assert (message.id, message.error.code) == (None, -32700)


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b"[]", None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"a"}]', None),
        (b"1", None),
        (b"null", None),
        (b'"x"', None),
        (b"{}", None),
        (b'{"id":7,"method":"m"}', 7),
        (b'{"jsonrpc":"1.0","id":"7","method":"m"}', "7"),
        (b'{"jsonrpc":"2.0","id":7,"method":1}', 7),
        (b'{"jsonrpc":"2.0","id":7}', 7),
        (b'{"jsonrpc":"2.0","id":{},"method":"m"}', None),
        (b'{"jsonrpc":"2.0","id":[1],"method":"m"}', None),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', None),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"m"}', None),
        (b'{"jsonrpc":"2.0","id":1e999,"method":"m"}', None),
    ],
)
def test_json_that_is_no_message_is_an_invalid_request(line: bytes, id: object) -> None:
    message = decode(line)
    assert isinstance(message, Invalid)
    assert (message.id, message.error.code) == (id, -32600)


@given(st.binary(max_size=200))
def test_no_line_raises(line: bytes) -> None:
    assert isinstance(decode(line), Request | Notification | Response | Invalid)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(_json)
def test_a_line_is_ascii_without_newlines_and_valid_json(value: object) -> None:
    line = encode({"params": value})
    assert line.isascii()
    assert b"\n" not in line
    json.loads(line, parse_constant=pytest.fail)


def test_half_characters_are_replaced_in_params_and_kept_in_the_id() -> None:
    message = decode(rb'{"jsonrpc":"2.0","id":"\ud800","method":"m","params":{"\udfff":["a\ud800b","\ud83d\ude00"]}}')
    assert isinstance(message, Request)
    assert message.id == "\ud800"
    assert message.params == {"\ufffd": ["a\ufffdb", "\U0001f600"]}
