from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, strategies as st

from acp_agent.llm.sse import EventReader, EventTooLong, ServerEvent


def read(*chunks: bytes) -> list[ServerEvent]:
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.finish()]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [("", "a"), ("", "b")], id="line feeds"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [("", "a"), ("", "b")], id="carriage returns and line feeds"),
        pytest.param(b"data: a\r\rdata: b\r\r", [("", "a"), ("", "b")], id="carriage returns"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\n", [("", "a"), ("", "b")], id="mixed endings"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("", "a")], id="byte order mark"),
        pytest.param(b"data:a\n\ndata:  b\n\n", [("", "a"), ("", " b")], id="one blank after the colon is dropped"),
        pytest.param(b"data: a\ndata: b\n\n", [("", "a\nb")], id="several data lines"),
        pytest.param(b"event: ping\nid: 7\nretry: 9\ndata: a\n\ndata: b\n\n", [("ping", "a"), ("", "b")], id="fields"),
        pytest.param(b": comment\n\n:\n\ndata: a\n\n", [("", "a")], id="comments"),
        pytest.param(b"event: nothing\n\ndata\n\n", [("", "")], id="no data is no event, empty data is one"),
        pytest.param(b"data: [DONE]", [("", "[DONE]")], id="the end stands in for the blank line"),
        pytest.param("data: ü€😀\n\n".encode(), [("", "ü€😀")], id="utf-8"),
        pytest.param(b"data: \xff\n\n", [("", "\ufffd")], id="not utf-8"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_a_stream_is_read_by_the_rules(stream: bytes, events: list[tuple[str, str]]):
    assert read(stream) == [ServerEvent(*event) for event in events]
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == [ServerEvent(*event) for event in events]


line = st.sampled_from(["data: ", "data:", "event: x", ": note", "", "data: ü€😀", "id: 1", "nonsense", "data: {}"])
ending = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(st.tuples(line, ending), max_size=30), st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_any_split_of_the_bytes_gives_equal_events(lines: list[tuple[str, str]], cuts: list[int], mark: bool):
    stream = ("\ufeff" if mark else "").encode() + "".join(text + end for text, end in lines).encode()
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert read(*(stream[a:b] for a, b in itertools.pairwise(at))) == read(stream)


@pytest.mark.parametrize("piece", [b"1234567890", b"data: 1234567890\n"])
def test_an_event_without_end_is_refused(piece: bytes):
    reader = EventReader(limit=100)
    assert not list(reader.feed(b"data: "))
    with pytest.raises(EventTooLong):
        list(itertools.chain.from_iterable(map(reader.feed, [piece] * 20)))


def test_many_short_events_are_not_one_long_event():
    reader = EventReader(limit=100)
    assert len(list(itertools.chain.from_iterable(map(reader.feed, [b"data: 1234567890\n\n"] * 50)))) == 50


def test_five_thousand_events_take_well_under_fifty_milliseconds():
    stream = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n' * 5000
    chunks = [stream[at : at + 4096] for at in range(0, len(stream), 4096)]
    times = []
    for _ in range(5):
        start = time.process_time()
        assert len(read(*chunks)) == 5000
        times.append(time.process_time() - start)
    assert min(times) < 0.05
