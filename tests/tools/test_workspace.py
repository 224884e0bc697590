import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from acp_agent.session.permissions import Policy, rules
from acp_agent.tools import local
from acp_agent.tools.base import ToolError
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from tests.tools.desk import Desk

pytestmark = pytest.mark.anyio


def workspace(*roots: Path) -> LocalWorkspace:
    return LocalWorkspace(roots, ProcessTable(), {})


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("a.txt", "ROOT/a.txt"),
        ("./a/../b//c/", "ROOT/b/c"),
        ("../x", "UP/x"),
        ("/etc//hosts", "/etc/hosts"),
        ("//etc/hosts", "/etc/hosts"),
        ("/..", "/"),
        ("~", "HOME"),
        ("~/x", "HOME/x"),
        ("a~", "ROOT/a~"),
        ("", "ROOT"),
        (".", "ROOT"),
        ("trailing ", "ROOT/trailing "),
    ],
)
def test_a_path_is_made_absolute(desk: Desk, path: str, resolved: str) -> None:
    names = {"ROOT": str(desk.root), "UP": str(desk.root.parent), "HOME": os.environ["HOME"]}
    for name, value in names.items():
        resolved = resolved.replace(name, value)
    assert desk.workspace.resolve(path) == Path(resolved)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_is_no_path_is_refused(desk: Desk, path: str) -> None:
    with pytest.raises(ToolError):
        desk.workspace.resolve(path)


def test_links_are_followed_to_tell_what_is_inside(tmp_path: Path) -> None:
    (tmp_path / "ws" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "ws" / "to-out").symlink_to("../out")
    (tmp_path / "ws" / "chain").symlink_to("to-out")
    (tmp_path / "ws" / "to-sub").symlink_to("sub")
    (tmp_path / "ws" / "loop").symlink_to("loop")
    (tmp_path / "out" / "back").symlink_to("../ws")
    (tmp_path / "door").symlink_to("ws")
    for roots in ([tmp_path / "ws"], [tmp_path / "door"]):
        here = workspace(*roots)
        inside = ["ws", "ws/a", "ws/sub/new/deeper", "ws/to-sub/a", "door/a", "out/back/a", "ws/loop", "ws/..a"]
        outside = ["", "out", "ws-evil", "ws-evil/a", "ws/to-out", "ws/to-out/a", "ws/chain/new/a", "door/chain/a"]
        assert {path: here.contains(tmp_path / path) for path in inside} == dict.fromkeys(inside, True)
        assert {path: here.contains(tmp_path / path) for path in outside} == dict.fromkeys(outside, False)


def test_every_root_counts(tmp_path: Path) -> None:
    here = workspace(tmp_path / "a", tmp_path / "b")
    assert [here.contains(tmp_path / name / "x") for name in ("a", "b", "c")] == [True, True, False]
    assert here.resolve("x") == tmp_path / "a" / "x"


def test_the_root_of_the_disk_holds_everything() -> None:
    assert workspace(Path("/")).contains(Path("/etc/hosts"))
    assert workspace(Path("/")).display(Path("/etc/hosts")) == "etc/hosts"


def test_a_workspace_needs_a_root() -> None:
    with pytest.raises(ValueError, match="at least one root"):
        workspace()


def test_case_counts_where_the_disk_tells_cases_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = workspace(tmp_path / "Work")
    assert not here.contains(tmp_path / "work" / "a")
    monkeypatch.setattr(local, "_IGNORES_CASE", True)
    assert here.contains(tmp_path / "wORK" / "A")
    assert here.display(tmp_path / "WORK" / "Src" / "A") == "Src/A"
    assert not here.contains(tmp_path / "work-evil" / "a")


def test_a_path_is_shown_relative_to_its_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    here = workspace(tmp_path / "link", tmp_path / "other")
    names = {"link": ".", "link/a/b": "a/b", "real/a": "a", "other/c": "c", "else/d": f"{tmp_path}/else/d"}
    assert {path: here.display(tmp_path / path) for path in names} == names


async def test_whether_something_is_there(desk: Desk) -> None:
    desk.put("a")
    desk.path("broken").symlink_to("nowhere")
    found = [await desk.workspace.exists(desk.path(name)) for name in ("a", ".", "broken", "b", "a/b")]
    assert found == [True, True, False, False, False]


async def test_a_text_too_large_to_hold_is_refused(desk: Desk) -> None:
    with desk.put("big").open("wb") as file:
        file.seek(64 * 1024 * 1024)
        file.write(b"\n")
        file.seek(0)
        file.write(b"x" * 10_000)
    with pytest.raises(ToolError, match="big is larger than 64 MiB"):
        await desk.workspace.read_text(desk.path("big"))
    assert await desk.workspace.read_bytes(desk.path("big"), 10) == b"x" * 10


SHARED = Path(__file__).parents[2].parent / "shared" / "reference" / "faults"
FILE_TOOLS = {
    "read": {},
    "write": {"content": ""},
    "edit": {"oldString": "a", "newString": "b"},
    "list": {},
    "grep": {},
}


def known_cases(name: str) -> list[Any]:
    """Cases of others, where they stand beside the repository."""
    path = SHARED / name
    cases: list[Any] = json.loads(path.read_text())["cases"] if path.exists() else []
    return cases


PATH_CASES = [
    case
    for case in known_cases("path_cases.json")
    if case["platform"] == "linux" and case["tool"] in FILE_TOOLS and "/allowed" not in case["path"] + case["setup"]
]


@pytest.mark.parametrize("case", PATH_CASES, ids=lambda case: case["id"])
async def test_a_known_path_that_leads_outside_is_seen_to(
    desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch, case: Any
) -> None:
    names = {"{W}": str(desk.root), "{H}": str(home)}
    setup, path = case["setup"], case["path"]
    for name, value in names.items():
        setup, path = setup.replace(name, value), path.replace(name, value)
    await anyio.run_process(["/bin/bash", "-c", setup], cwd=desk.root)
    monkeypatch.chdir(desk.root)
    tool = "read" if case["tool"] == "list" else case["tool"]
    arguments = {"path": path, "pattern": "x"} if tool == "grep" else {"filePath": path, **FILE_TOOLS[tool]}
    try:
        subjects = desk.subjects(tool, **arguments)
    except ToolError:
        assert "error" in case["acceptable"]
        return
    outside = any(subject.permission == "external_directory" for subject in subjects)
    if case["expected"] == "error":
        assert outside or await desk.refusal(tool, **arguments)
    else:
        # What is asked about inside is for the rules to say, by its name.
        asked = (
            case["expected"] == "ask" and not case["path"].startswith("{W}/.") and case["path"] != "{W}/opencode.json"
        )
        assert outside == (asked and not case["path"].endswith(("/link.txt", "/race/x.txt")))


BASH_CASES = [case for case in known_cases("bash_permission_cases.json") if case["level"] == "L1"]


@pytest.mark.parametrize("case", BASH_CASES, ids=lambda case: case["id"])
def test_rules_for_lines_mean_what_they_say(desk: Desk, case: Any) -> None:
    desk.put("a.txt", "a")
    subjects = desk.subjects("bash", command=case["command"])
    assert Policy(rules({"bash": case["allowed_prefix_rules"]})).decide(subjects).action in case["acceptable"]
