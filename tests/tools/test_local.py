"""Paths of the local workspace: which file is meant, whether it is inside, and how it is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acp_agent.tools.base import Subject, ToolError
from acp_agent.tools.workspace import TextFile
from tests.tools.desk import Desk


def test_a_path_is_made_absolute_without_following_links(desk: Desk, home: Path) -> None:
    desk.path("link").symlink_to("/etc")
    resolve = desk.workspace.resolve
    assert {
        path: resolve(path) for path in ("a", "./a/../b", "link/passwd", "/etc//x/.", "//etc", "~", "~/x", ".")
    } == {
        "a": desk.root / "a",
        "./a/../b": desk.root / "b",
        "link/passwd": desk.root / "link/passwd",
        "/etc//x/.": Path("/etc/x"),
        "//etc": Path("/etc"),
        "~": home,
        "~/x": home / "x",
        ".": desk.root,
    }


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"], ids=["NUL", "half a pair"])
def test_what_no_file_can_be_called_is_no_path(desk: Desk, path: str) -> None:
    with pytest.raises(ToolError, match="is not a path"):
        desk.workspace.resolve(path)


def test_inside_is_decided_after_links_and_by_whole_names(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "ws", tmp_path / "second")
    (tmp_path / "out").mkdir()
    (tmp_path / "ws-evil").mkdir()
    desk.path("out").symlink_to(tmp_path / "out")
    desk.path("back").symlink_to(tmp_path / "second")
    (tmp_path / "way in").symlink_to(desk.root)
    contains = desk.workspace.contains
    inside = {
        "ws": True,
        "ws/new/deep/file": True,
        "ws/back/file": True,
        "second/file": True,
        "way in/file": True,
        "ws-evil": False,
        "ws/out/file": False,
        "ws/../other": False,
        ".": False,
    }
    assert {name: contains(tmp_path / name) for name in inside} == inside
    assert contains(Path(f"/proc/self/cwd/{os.path.relpath(desk.root)}")) is True


def test_a_name_is_relative_to_its_root(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "ws").symlink_to(real)
    desk = Desk(tmp_path / "ws", tmp_path / "second")
    shown = [desk.workspace.display(tmp_path / name) for name in ("ws", "ws/a/b", "real/a", "second/c", "wsx")]
    assert shown == [".", "a/b", "a", "c", (tmp_path / "wsx").as_posix()]


@pytest.mark.anyio
async def test_a_read_only_file_stays_as_it_is(desk: Desk) -> None:
    path = desk.put("f.txt", "a")
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write everything")
    with pytest.raises(ToolError, match="read-only"):
        await desk.workspace.write_text(TextFile(path, "b"))
    assert path.read_text() == "a"


@pytest.mark.anyio
async def test_a_failed_write_leaves_the_old_text_and_nothing_else(desk: Desk) -> None:
    path = desk.put("f.txt", "old")
    with pytest.raises(ToolError, match="cannot hold"):
        await desk.workspace.write_text(TextFile(path, "→", "latin-1"))
    assert [(each.name, each.read_text()) for each in desk.root.iterdir()] == [("f.txt", "old")]


@pytest.mark.anyio
async def test_a_file_of_another_root_is_inside_and_named_so_that_it_is_found_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "f.txt").write_text("a\n")
    subjects = desk.subjects("edit", filePath=str(tmp_path / "two" / "f.txt"), oldString="a", newString="b")
    assert subjects == [Subject("edit", "f.txt", "f.txt")]
    result = await desk.run("edit", filePath=str(tmp_path / "two" / "f.txt"), oldString="a", newString="b")
    assert result.output.startswith(f"Edited {tmp_path}/two/f.txt, line 1.")


def test_the_subjects_of_a_file_are_its_names_and_what_lies_outside(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "ws-evil").mkdir()
    desk.put(".env", "K=1")
    desk.path("link.txt").symlink_to(".env")
    desk.path("away").symlink_to(tmp_path / "out")
    assert desk.subjects("read", filePath="a/../b.txt") == [Subject("read", "b.txt", "b.txt")]
    assert desk.subjects("read", filePath="link.txt") == [
        Subject("read", "link.txt", "link.txt"),
        Subject("read", ".env", ".env"),
    ]
    out = tmp_path.resolve() / "out"
    assert desk.subjects("edit", filePath="away/x.txt", oldString="a", newString="b") == [
        Subject("edit", "away/x.txt", "away/x.txt"),
        Subject("edit", f"{out}/x.txt", f"{out}/x.txt"),
        Subject("external_directory", f"{out}/*", f"{out}/*"),
    ]
    evil = f"{tmp_path.resolve()}/ws-evil"
    assert desk.subjects("write", filePath=f"{evil}/x", content="")[-1] == (
        Subject("external_directory", f"{evil}/*", f"{evil}/*")
    )
    assert desk.subjects("read", filePath="//etc/passwd")[-1] == Subject("external_directory", "/etc/*", "/etc/*")
