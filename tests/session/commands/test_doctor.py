"""`/doctor`: each check in good and in bad condition."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness import Rig
from tests.session.commands.chat import app_with, chat

pytestmark = pytest.mark.anyio


def checks(text: str) -> dict[str, tuple[str, str]]:
    """What was checked: (verdict, what was said), the last one of a name."""
    found = {}
    for line in text.splitlines():
        if line.startswith("- **"):
            verdict, _, rest = line[4:].partition("** ")
            what, _, said = rest.partition(": ")
            found[what] = (verdict, said)
    return found


async def diagnosis(rig: Rig, configuration: str) -> dict[str, tuple[str, str]]:
    """What the doctor finds with just this configuration and the real models."""
    async with rig.client(app=app_with(rig, configuration)) as client:
        await client.initialize()
        await client.prompt(await client.new(rig.cwd), "/doctor")
        return checks(client.said())


async def test_a_good_set_up_has_nothing_but_ok(rig: Rig) -> None:
    (rig.cwd / "AGENTS.md").write_text("Be brief.")
    async with chat(rig) as it:
        text = await it.ask("/doctor")
        assert {verdict for verdict, _ in checks(text).values()} == {"ok"}
        assert list(checks(text)) == [
            "model",
            "key",
            "shell",
            "git",
            "ripgrep",
            "working directory",
            "instructions",
            "data directory",
            "log directory",
            "session store",
            "configuration",
        ]
        assert text.startswith("acp-agent ")
        assert text.endswith("Everything is as it should be.")


async def test_what_is_wrong_is_said_with_what_to_do(rig: Rig) -> None:
    found = await diagnosis(rig, '{"model": "anthropic/claude-sonnet-4-5", "shll": 1, "username": 2}')
    assert found["key"][0] == "fail"
    assert "set ANTHROPIC_API_KEY" in found["key"][1]
    assert found["instructions"] == ("warn", f"`{rig.cwd}` has no AGENTS.md: `/init` writes one.")
    assert found["configuration"][0] == "fail"
    assert "username" in found["configuration"][1]


async def test_a_missing_model_is_said_with_what_to_do(rig: Rig) -> None:
    verdict, said = (await diagnosis(rig, ""))["model"]
    assert verdict == "fail"
    assert "set a key such as ANTHROPIC_API_KEY" in said


async def test_what_was_assumed_about_the_model_is_a_warning(rig: Rig) -> None:
    rig.config = {"model": "scripted/dmo"}
    async with chat(rig) as it:
        verdict, said = checks(await it.ask("/doctor"))["model"]
    assert (verdict, said) == (
        "warn",
        "Scripted/dmo is not among the models known of scripted; it is asked for as written; did you mean demo?",
    )


async def test_a_key_that_is_there_is_found_and_not_shown(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    async with rig.client(app=app_with(rig, '{"model": "anthropic/claude-sonnet-4-5"}')) as client:
        await client.initialize()
        await client.prompt(await client.new(rig.cwd), "/doctor")
        assert checks(client.said())["key"] == (
            "ok",
            "found, asked at `https://api.anthropic.com`; whether it is valid shows with the first prompt",
        )
        assert "sk-ant" not in client.said()


async def test_a_path_without_git_and_bash_is_told(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    async with chat(rig) as it:
        found = checks(await it.ask("/doctor"))
    assert found["git"][0] == "warn"
    assert "not found on PATH" in found["git"][1]
    assert found["shell"][0] in ("ok", "warn"), "bash or sh of the system"


async def test_a_shell_that_does_not_work_is_a_failure(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bash").write_text("#!/bin/sh\nexit 3\n")
    (folder / "bash").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    async with chat(rig) as it:
        found = checks(await it.ask("/doctor"))
    assert found["shell"] == ("fail", "a shell starts but does not work (status 3): check bash and its set-up.")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_told(rig: Rig, home: Path) -> None:
    (home / ".local" / "state").mkdir(parents=True)
    (home / ".local" / "state").chmod(0o500)
    rig.cwd.chmod(0o500)
    async with chat(rig) as it:
        found = checks(await it.ask("/doctor"))
    rig.cwd.chmod(0o700)
    assert found["log directory"][0] == "fail"
    assert "XDG_STATE_HOME" in found["log directory"][1]
    assert found["working directory"] == ("warn", f"`{rig.cwd}` is read-only: nothing in it can be changed.")


async def test_a_file_in_the_place_of_a_folder_is_told(rig: Rig, home: Path) -> None:
    (home / ".local").mkdir()
    (home / ".local" / "state").write_text("no folder")
    async with chat(rig) as it:
        verdict, said = checks(await it.ask("/doctor"))["log directory"]
    assert (verdict, "XDG_STATE_HOME" in said) == ("fail", True)


async def test_a_working_directory_that_is_gone_is_told(rig: Rig) -> None:
    async with chat(rig) as it:
        rig.cwd.rmdir()
        found = checks(await it.ask("/doctor"))
    assert found["working directory"][0] == "fail"
    assert found["shell"][0] == "fail"


async def test_instructions_are_looked_for_at_the_root_of_the_worktree(rig: Rig) -> None:
    (rig.folder / ".git").mkdir()
    (rig.folder / "CLAUDE.md").write_text("Be brief.")
    async with chat(rig) as it:
        assert checks(await it.ask("/doctor"))["instructions"] == ("ok", f"`{rig.folder / 'CLAUDE.md'}`")
