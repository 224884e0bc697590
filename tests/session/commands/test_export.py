"""`/export`: the file, its name, and what stands in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acp_agent.llm.messages import AssistantMessage, Text, Thinking
from acp_agent.schema import DiffContent, EmbeddedResource, PlanEntry, TextContent, TextResourceContents
from acp_agent.session.record import events
from acp_agent.session.record.store import SessionHead
from acp_agent.session.record.transcript import LONGEST_PIECE, markdown
from tests.harness import Rig, call, tools
from tests.session.commands.chat import chat

pytestmark = pytest.mark.anyio

HEAD = SessionHead("ses_1", Path("/work"), (Path("/work"),), 0.0, 0.0, "Mending")


def edit(old: str | None, new: str, status: str = "completed") -> events.ToolCallFinal:
    diff = DiffContent(path="/home/me/a.py", old_text=old, new_text=new)
    about = {"call_id": "c", "name": "edit", "title": "a.py", "output": "Edited.", "started": 0.0, "ended": 1.0}
    return events.ToolCallFinal.model_validate({**about, "status": status, "content": (diff,), "raw_input": {"x": 1}})


async def test_the_conversation_is_written_into_the_working_directory_and_the_answer_names_the_file(rig: Rig) -> None:
    (rig.cwd / "a.txt").write_text("text\n")
    steps = [{"thinking": "Let me see.", **tools(call("bash", command="cat a.txt"))}, {"text": "It says *text*."}]
    async with chat(rig, *steps) as it:
        await it.ask("What does it say?")
        path = rig.cwd / f"session-{it.session}.md"
        answer = await it.ask("/export")
        assert answer.startswith(f"The conversation stands in `{path}` now (")
        text = path.read_text()
    assert text.startswith(
        f"# What does it say?\n\nSession `{it.session}` in `{rig.cwd}`, begun on 2023-11-14 22:13 UTC."
    )
    assert "## User\n\nWhat does it say?\n\n## Agent\n\n" in text
    assert "<details>\n<summary>Thoughts</summary>\n\nLet me see.\n\n</details>" in text
    assert "<details>\n<summary>bash: cat a.txt</summary>\n\n```sh\ncat a.txt\n```\n\n```\ntext\n" in text
    assert text.endswith("It says *text*.\n")
    assert "/export" not in text
    assert len(it.requests) == 2


async def test_a_second_export_has_a_number_and_a_given_file_is_never_overwritten(rig: Rig) -> None:
    async with chat(rig, {"text": "Hello."}) as it:
        await it.ask("Hi.")
        await it.ask("/export")
        assert f"session-{it.session}-2.md" in await it.ask("/export")
        (rig.cwd / "kept.md").write_text("mine")
        assert await it.ask("/export kept.md") == (
            "Nothing was exported. kept.md exists, and nothing is overwritten: name another file."
        )
        (rig.cwd / "dangling.md").symlink_to(rig.folder / "nowhere")
        assert "exists" in await it.ask("/export dangling.md")
        assert (rig.cwd / "kept.md").read_text() == "mine"
        assert not (rig.folder / "nowhere").exists()


async def test_a_path_may_be_anywhere_in_a_new_folder_or_an_existing_one(rig: Rig) -> None:
    async with chat(rig, {"text": "Hello."}) as it:
        await it.ask("Hi.")
        await it.ask('/export "notes/to day.md"')
        assert (rig.cwd / "notes" / "to day.md").read_text().endswith("Hello.\n")
        assert str(rig.cwd / "notes" / f"session-{it.session}.md") in await it.ask("/export notes")
        assert "Nothing was exported." in await it.ask("/export notes/to day.md/below")


async def test_there_is_nothing_to_export_at_the_beginning(rig: Rig) -> None:
    async with chat(rig) as it:
        assert await it.ask("/export") == "There is nothing to export yet."
        assert list(rig.cwd.iterdir()) == []


async def test_the_editor_writes_the_file_where_it_offers_to(rig: Rig) -> None:
    async with chat(rig, {"text": "Hello."}, fs={"writeTextFile": True}) as it:
        it.client.answers["fs/write_text_file"] = lambda params: (
            (Path(params["path"]).write_text(params["content"]) and {}) or {}
        )
        await it.ask("Hi.")
        await it.ask("/export talk.md")
        (asked,) = [m["params"] for _, m in it.client.lines if m.get("method") == "fs/write_text_file"]
        assert asked["path"] == str(rig.cwd / "talk.md")
        assert asked["content"].endswith("Hello.\n")


def test_a_change_is_shown_as_a_diff_with_some_lines_around_it() -> None:
    old = "".join(f"line {number}\n" for number in range(100))
    text = markdown(HEAD, [edit(old, old.replace("line 50\n", "new\n"))])
    assert (
        "`/home/me/a.py`\n\n```diff\n@@ -4,7 +4,7 @@\n" not in text  # numbers of the part are left to the reader
    )
    assert " line 49\n-line 50\n+new\n line 51\n" in text
    assert "line 40" not in text
    assert '"x": 1' not in text, "the diff says it already"


def test_a_new_file_and_a_change_too_large_to_compare_are_shown_too() -> None:
    assert "+a\n+b\n" in markdown(HEAD, [edit(None, "a\nb\n")])
    old, new = "\n".join(map(str, range(5_000))), "\n".join(map(str, range(5_000, 10_000)))
    text = markdown(HEAD, [edit(old, new, "failed")])
    assert "-4999\n+5000\n" in text
    assert "@@" not in text, "nothing was compared"
    assert "<summary>edit: a.py (failed)</summary>" in text


def test_text_that_looks_like_markup_stays_inside_its_block() -> None:
    final = edit(None, "```\n</details>\n```").model_copy(update={"title": "a <b>\n& c", "output": "````x"})
    text = markdown(HEAD, [final])
    assert "<summary>edit: a &lt;b&gt; &amp; c</summary>" in text
    assert "````diff\n" in text
    assert "`````\n````x\n`````" in text


def test_titles_and_names_are_no_markup_and_stay_on_their_line() -> None:
    head = replace(HEAD, title="**Fix** <b> foo_bar & C# [x](y)")
    link = EmbeddedResource(resource=TextResourceContents(uri="file:///a%0A%0A<script>.md", text="x"))
    plan = events.PlanChanged(entries=(PlanEntry(content="Do\n\n# it", priority="high", status="pending"),))
    text = markdown(head, [events.UserMessage(message_id="1", blocks=(link,)), plan])
    assert text.startswith("# \\*\\*Fix\\*\\* \\<b> foo_bar & C\\# \\[x\\](y)\n\n")
    assert "<summary>Attached: a &lt;script&gt;.md</summary>" in text
    assert "- [ ] Do # it" in text


def test_plans_thoughts_notes_and_summaries_are_part_of_it_and_long_pieces_are_cut() -> None:
    record: list[events.Event] = [
        events.UserMessage(message_id="1", blocks=(TextContent(text="Go."),)),
        events.PlanChanged(entries=(PlanEntry(content="Do it", priority="high", status="completed"),)),
        events.AssistantMessage(
            message_id="2",
            message=AssistantMessage(content=(Thinking(text="T" * 200_000), Text(text="Note."))),
            for_model=False,
        ),
        events.Compaction(summary="Short."),
    ]
    text = markdown(HEAD, record)
    assert text.startswith("# Mending\n")
    assert "Plan:\n\n- [x] Do it" in text
    assert "Note." in text
    assert "<summary>Summary of what was said before</summary>\n\nShort." in text
    assert f"[… {200_000 - LONGEST_PIECE:,} more characters]" in text
    assert text.count("## ") == 2
