"""How the address of a file is read, as editors, browsers and people write it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from acp_agent.session.prompt.addresses import FileAddress, Lines, file_address, without_lines


@pytest.mark.parametrize(
    ("uri", "paths", "lines"),
    [
        ("file:///w/a.py", ("/w/a.py",), None),
        ("file:///w/a%20b.py", ("/w/a b.py", "/w/a%20b.py"), None),
        ("file://localhost/w/a.py", ("/w/a.py",), None),
        ("FILE:///w/a.py", ("/w/a.py",), None),
        ("file:/w/a.py", ("/w/a.py",), None),
        ("file:///w/src/", ("/w/src/",), None),
        ("file:///w/a.py#L10", ("/w/a.py",), Lines(10, 10)),
        ("file:///w/a.py#L10-20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py#L10-L20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py#L10:20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py?symbol=f#L10:20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py#10,5-20,1", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py#L20C3-L10C5", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py?line=10", ("/w/a.py",), Lines(10, 10)),
        ("file:///w/a.py?lines=10-20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py?startLine=10&endLine=20", ("/w/a.py",), Lines(10, 20)),
        ("file:///w/a.py?line=x", ("/w/a.py",), None),
        ("file:///w/a.py#L0", ("/w/a.py",), None),
        ("file:///w/a #1.md", ("/w/a ", "/w/a #1.md"), None),
        ("file:///w/what?.md", ("/w/what", "/w/what?.md"), None),
        ("file:///w/100%25.md", ("/w/100%.md", "/w/100%25.md"), None),
        ("/w/a.py", ("/w/a.py",), None),
        ("/w/a%20b.py", ("/w/a%20b.py", "/w/a b.py"), None),
        ("/w/a.py#L3-4", ("/w/a.py", "/w/a.py#L3-4"), Lines(3, 4)),
        ("src/a.py:3-4", ("src/a.py", "src/a.py:3-4"), Lines(3, 4)),
        ("a.py:10", ("a.py", "a.py:10"), Lines(10, 10)),
        ("C:\\w\\a.py", ("C:\\w\\a.py",), None),
        ("file://C:/w/a.py", ("C:/w/a.py",), None),
    ],
)
def test_a_file_is_found_in_its_address(uri: str, paths: tuple[str, ...], lines: Lines | None) -> None:
    assert file_address(uri, windows=False) == FileAddress(paths, lines)


@pytest.mark.parametrize("uri", ["file:///C:/w/a.py", "file:///c%3A/w/a.py", "file://C:/w/a.py", "C:/w/a.py"])
def test_a_drive_stands_first_on_windows(uri: str) -> None:
    address = file_address(uri, windows=True)
    assert address is not None
    assert address.paths[0].lower() == "c:/w/a.py"


@pytest.mark.parametrize(
    "uri", ["", " ", "https://x.org/a.py", "untitled:Untitled-1", "zed:///agent/thread/1", "file://", "file://[x/y"]
)
def test_another_address_is_no_file(uri: str) -> None:
    assert file_address(uri) is None


def test_a_file_of_another_machine_keeps_its_name() -> None:
    assert file_address("file://server/share/a.py") == FileAddress(("/share/a.py",), host="server")


@pytest.mark.parametrize(
    ("written", "path", "lines"),
    [
        ("a.py:10", "a.py", Lines(10, 10)),
        ("a.py:10:5", "a.py", Lines(10, 10)),
        ("a.py:10-20", "a.py", Lines(10, 20)),
        ("a.py:L10-L20", "a.py", Lines(10, 20)),
        ("a.py#L10", "a.py", Lines(10, 10)),
        ("C:\\a.py:10", "C:\\a.py", Lines(10, 10)),
        ("a.py", "a.py", None),
        ("a.py:0", "a.py:0", None),
        (":10", ":10", None),
    ],
)
def test_lines_stand_behind_a_path(written: str, path: str, lines: Lines | None) -> None:
    assert without_lines(written) == (path, lines)


@given(st.text() | st.from_regex(r"file://[^/]*/.*", fullmatch=True), st.booleans())
def test_any_text_is_read_without_an_error(uri: str, windows: bool) -> None:
    address = file_address(uri, windows=windows)
    assert address is None or address.paths
