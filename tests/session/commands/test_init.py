"""`/init`: what the model is told, what it leaves behind, and what the next session knows."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Rig, call, tools
from tests.session.commands.chat import chat

pytestmark = pytest.mark.anyio

WRITTEN = "# Project\nBuild with `make`.\n"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def repository(rig: Rig) -> None:
    git = ["git", "-C", str(rig.cwd), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", str(rig.cwd)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "First"], check=True)


def initialized(rig: Rig) -> list[bool]:
    """Of every project that the store knows, whether it is marked."""
    with closing(sqlite3.connect(rig.store)) as database:
        return [row[0] is not None for row in database.execute("SELECT initialized FROM project")]


async def test_the_written_file_marks_the_project_and_is_in_the_next_sessions_system_prompt(rig: Rig) -> None:
    repository(rig)
    steps = [tools(call("write", filePath="AGENTS.md", content=WRITTEN)), {"text": "Written."}, {"text": "Hello."}]
    async with chat(rig, *steps) as it:
        assert await it.ask("/init") == "Written."
        assert (rig.cwd / "AGENTS.md").read_text() == WRITTEN
        assert initialized(rig) == [True]
        assert "Build with `make`." not in it.requests[1].system, "a session's prefix stays as it is"
        it.session = await it.client.new(rig.cwd)
        await it.ask("Hi.")
        assert WRITTEN.strip() in it.requests[2].system


async def test_the_model_is_told_what_to_write_and_the_transcript_shows_what_was_typed(rig: Rig) -> None:
    repository(rig)
    async with chat(rig, {"text": "Done."}) as it:
        await it.ask("/init mind the tests")
        (task,) = it.sent()
        for word in ("build", "lint", "single test", "imports", "formatting", "types", "naming", "error handling"):
            assert word in task, word
        assert "about 20 lines" in task
        assert f"`{rig.cwd / 'AGENTS.md'}` does not exist yet" in task
        assert "no Cursor or Copilot rules" in task
        assert task.endswith("The user adds: mind the tests")
        assert "/init" not in task
        await it.client.call("session/close", {"sessionId": it.session})
        await it.client.call("session/load", {"sessionId": it.session, "cwd": str(rig.cwd), "mcpServers": []})
        (shown,) = it.client.updates("user_message_chunk")
        assert shown["content"]["text"] == "/init mind the tests"


async def test_after_a_load_the_model_still_has_the_task_and_not_the_command(rig: Rig) -> None:
    async with chat(rig, {"text": "Done."}, {"text": "Yes."}) as it:
        await it.ask("/init")
        await it.client.call("session/close", {"sessionId": it.session})
        await it.client.call("session/load", {"sessionId": it.session, "cwd": str(rig.cwd), "mcpServers": []})
        await it.ask("And?")
        assert it.sent() == [*it.sent(0), "And?"]


async def test_an_existing_file_is_improved_and_rules_of_other_tools_are_named(rig: Rig) -> None:
    repository(rig)
    for name in (
        "AGENTS.md", "CLAUDE.md", ".cursorrules", ".cursor/rules/a.mdc", ".cursor/rules/deep/b.mdc",
        ".github/copilot-instructions.md",
    ):  # fmt: skip
        (rig.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (rig.cwd / name).write_text("rule")
    (rig.cwd / ".cursor/rules/outside.mdc").symlink_to(rig.folder / "script.json")
    async with chat(rig, {"text": "Done."}) as it:
        await it.ask("/init")
        (task,) = it.sent()
        assert f"`{rig.cwd / 'AGENTS.md'}` exists: read it first, then improve it in place" in task
        for name in (
            ".cursorrules",
            ".cursor/rules/a.mdc",
            ".cursor/rules/deep/b.mdc",
            ".github/copilot-instructions.md",
        ):
            assert f"  - `{name}`" in task
        assert "outside.mdc" not in task
        assert "use what they say: `CLAUDE.md`." in task
        assert initialized(rig) == [True]


async def test_without_a_file_at_the_end_the_project_is_not_marked_and_the_person_is_told(rig: Rig) -> None:
    repository(rig)
    async with chat(rig, {"text": "I would rather not."}) as it:
        said = await it.ask("/init")
        assert said.endswith("There is no AGENTS.md, so the project does not count as initialised.")
        assert initialized(rig) == [False]


async def test_a_turn_that_does_not_end_well_marks_nothing(rig: Rig) -> None:
    repository(rig)
    (rig.cwd / "AGENTS.md").write_text(WRITTEN)
    async with chat(rig, {"error": {"kind": "overloaded", "message": "no"}}) as it:
        await it.client.error("session/prompt", it.client.text_prompt(it.session, "/init"))
        assert initialized(rig) == [False]


async def test_the_file_belongs_to_the_root_of_the_worktree_also_from_a_folder_below(rig: Rig) -> None:
    repository(rig)
    below = rig.cwd / "src"
    below.mkdir()
    path = str(rig.cwd / "AGENTS.md")
    rig.config = {"permission": {"external_directory": "allow"}}
    steps = [tools(call("write", filePath=path, content=WRITTEN)), {"text": "Written."}]
    async with chat(rig, *steps) as it:
        it.session = await it.client.new(below)
        await it.ask("/init")
        assert f"`{path}` does not exist yet" in it.sent(0)[0]
        assert initialized(rig) == [True]


async def test_what_is_attached_goes_to_the_model_with_the_task(rig: Rig, tmp_path: Path) -> None:
    link = {"type": "resource_link", "name": "site", "uri": "https://example.com/style"}
    async with chat(rig, {"text": "Done."}) as it:
        await it.ask([{"type": "text", "text": "/init as in "}, link])
        assert "The user adds: as in site" in it.sent()[0]
        assert "https://example.com/style" in it.sent()[0]


async def test_init_gives_no_title_but_the_next_prompt_does(rig: Rig) -> None:
    async with chat(rig, {"text": "Done."}, {"text": "Done."}) as it:
        await it.ask("/init")
        assert it.client.updates("session_info_update") == []
        await it.ask("Rename the parser.")
        (told,) = it.client.updates("session_info_update")
        assert told["title"] == "Rename the parser"
