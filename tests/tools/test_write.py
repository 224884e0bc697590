import os
import stat

import pytest

from acp_agent.schema import DiffContent, ToolCallLocation
from acp_agent.tools.base import Subject
from tests.tools.desk import Desk

pytestmark = pytest.mark.anyio


async def test_a_new_file_is_made_with_its_folders(desk: Desk) -> None:
    result = await desk.run("write", filePath="a/b/c.txt", content="one\r\ntwo")
    path = desk.path("a/b/c.txt")
    assert path.read_bytes() == b"one\r\ntwo"
    assert result.output == "Created a/b/c.txt (2 lines)."
    assert result.content == [DiffContent(path=str(path), old_text=None, new_text="one\r\ntwo")]
    assert result.locations == [ToolCallLocation(path=str(path), line=1)]


async def test_a_file_is_replaced(desk: Desk) -> None:
    path = desk.put("a.txt", "old\n")
    result = await desk.run("write", filePath=str(path), content="")
    assert path.read_bytes() == b""
    assert result.output == "Replaced a.txt (0 lines)."
    assert result.content == [DiffContent(path=str(path), old_text="old\n", new_text="")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xef\xbb\xbfold", b"\xef\xbb\xbfn\xc3\xa9w"),
        (b"\xff\xfe" + "old".encode("utf-16-le"), b"\xff\xfe" + "néw".encode("utf-16-le")),
        (b"caf\xe9", b"n\xe9w"),
        (b"old", "néw".encode()),
    ],
)
async def test_a_file_keeps_its_encoding(desk: Desk, old: bytes, new: bytes) -> None:
    desk.put("a.txt", old)
    await desk.run("write", filePath="a.txt", content="néw")
    assert desk.bytes("a.txt") == new


async def test_a_link_and_a_mode_are_kept(desk: Desk) -> None:
    desk.put("run.sh", "old").chmod(0o750)
    desk.path("link").symlink_to("run.sh")
    await desk.run("write", filePath="link", content="new")
    assert desk.path("link").is_symlink()
    assert stat.S_IMODE(desk.path("run.sh").stat().st_mode) == 0o750
    assert desk.bytes("run.sh") == b"new"


async def test_a_link_to_nothing_makes_its_target(desk: Desk) -> None:
    desk.path("link").symlink_to("sub/target")
    await desk.run("write", filePath="link", content="x")
    assert desk.bytes("sub/target") == b"x"


async def test_a_hard_link_shares_no_half_written_text(desk: Desk) -> None:
    desk.put("a", "old")
    with desk.path("a").open() as reader:
        await desk.run("write", filePath="a", content="new")
        assert reader.read() == "old"


async def test_a_new_file_has_the_mode_that_the_mask_leaves(desk: Desk) -> None:
    before = os.umask(0o027)
    try:
        await desk.run("write", filePath="a", content="x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(desk.path("a").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sub", "sub is a directory"),
        ("file/x", "cannot be written"),
        ("pipe", "is not a regular file"),
        ("bin", "is a binary file"),
        ("a\0", "NUL"),
        ("x" * 300, "cannot be written"),
    ],
)
async def test_a_write_that_cannot_be_made_says_why(desk: Desk, name: str, words: str) -> None:
    desk.path("sub").mkdir()
    desk.put("file", "x")
    desk.put("bin", b"\0")
    os.mkfifo(desk.path("pipe"))
    assert words in await desk.refusal("write", filePath=name, content="new")
    assert sorted(os.listdir(desk.root)) == ["bin", "file", "pipe", "sub"]


async def test_a_name_as_long_as_a_name_may_be_can_be_written(desk: Desk) -> None:
    for name in ("n" * 255, "é" * 127):
        await desk.run("write", filePath=name, content="x")
        assert desk.bytes(name) == b"x"


async def test_a_preview_shows_the_change_and_makes_none(desk: Desk) -> None:
    shown = await desk.preview("write", filePath="a", content="new")
    assert shown == [DiffContent(path=str(desk.path("a")), old_text=None, new_text="new")]
    assert not desk.path("a").exists()


async def test_what_writing_touches(desk: Desk) -> None:
    assert desk.subjects("write", filePath="new/../../x/y", content="") == [
        Subject("edit", str(desk.root.parent / "x/y"), str(desk.root.parent / "x/y")),
        Subject("external_directory", f"{desk.root.parent}/x/*", f"{desk.root.parent}/x/*"),
    ]
