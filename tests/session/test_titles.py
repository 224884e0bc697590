"""Titles: made of the first prompt, given by a person, and told to the clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from acp_agent.rpc.messages import RpcError
from acp_agent.schema import (
    Annotations,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session import made_title, title_text, titles
from acp_agent.session.record import events
from acp_agent.session.state import SessionState
from tests.harness import Rig
from tests.session.commands.chat import chat
from tests.session.unit import bench

pytestmark = pytest.mark.anyio

FAMILY = "👩\u200d👩\u200d👧"
LINK = ResourceLink(name="main.rs", uri="file:///src/main.rs")
DATA = ResourceLink(name="data.bin", uri="file:///data.bin")
FOR_THE_PERSON = ResourceLink(name="n.md", uri="file:///n.md", annotations=Annotations(audience=["user"]))


def made(text: str) -> str:
    return made_title.made_title([TextContent(text=text)])


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("fix the parser", "fix the parser"),
        ("Fix the parser. Then run the tests.", "Fix the parser"),
        ("Fix e.g. the parser of v1.2.3. It fails.", "Fix e.g. the parser of v1.2.3"),
        ("Why does it fail? It should not.", "Why does it fail?"),
        ("No. Do it in the other file", "No. Do it in the other file"),
        ("First line\nsecond line", "First line"),
        ("\n\n  # Heading **bold**  \ntext", "Heading bold"),
        ("- [ ] add tests\n- [ ] run them", "add tests"),
        ("```py\nx = 1\n```\nWhy does this fail?", "Why does this fail?"),
        ("~~~\n```\n~~~\nafter both", "after both"),
        ("```py\nx = compute()\n```", "x = compute()"),
        ("Look at this:\n```\nnever ended", "Look at this"),
        ("please fix it", "Fix it"),
        ("Can you please fix the parser?", "Fix the parser"),
        ("could you explain a and b", "Explain a and b"),
        ("I'd like you to rename `foo_bar`", "Rename foo_bar"),
        ("Hi, can you fix it", "Fix it"),
        ("Hello!\n\nThe build fails on CI", "The build fails on CI"),
        ("Hello world program in C", "Hello world program in C"),
        ("please", "please"),
        ("Hello?", ""),
        ("Hi?! Can you fix it?", "Fix it"),
        ("explain @src/deep/app.py:10-20 to @alice", "explain app.py to @alice"),
        ("[@main.rs](file:///src/main.rs) crashes", "main.rs crashes"),
        ("[@Makefile](file:///Makefile) fails", "Makefile fails"),
        ("please,", "please"),
        ("write to a@b.com", "write to a@b.com"),
        ("see https://github.com/org/repo/issues/123?x=1#y for more", "see github.com/…/123 for more"),
        ("https://www.example.com/", "example.com"),
        ("https://user:secret@host.example/a/b", "host.example/…/b"),
        ("/tmp is full", "/tmp is full"),
        ("\x1b[31mred\x1b[0m text\x00 here", "red text here"),
        ("修复解析器中的错误。然后运行测试。", "修复解析器中的错误"),
        ("パーサーを直してください!", "パーサーを直してください"),
        ("أصلح المحلل من فضلك؟ ثم شغل", "أصلح المحلل من فضلك؟"),
        ("תקן את הבאג", "תקן את הבאג"),
        ("a\u202eb\u2066c", "abc"),
        ("", ""),
        (" \n\t", ""),
        ("?!", ""),
        ("ok", ""),
        ("\u200b\u200d", ""),
    ],
)
def test_a_title_is_the_first_sentence_that_says_something(text: str, title: str) -> None:
    assert made(text) == title


def test_a_long_title_is_cut_at_a_word_or_where_there_are_none_anywhere() -> None:
    title = made("word " * 60)
    assert title == "word " * 13 + "word…"
    assert len(title) <= made_title.LONGEST
    assert made("x" * 300) == "x" * 71 + "…"
    assert made("字" * 300) == "字" * 71 + "…"
    assert made("e\u0301" * 300) == "e\u0301" * 35 + "…", "no letter loses its accent"
    assert made("go " + FAMILY * 100).removeprefix("go ").removesuffix("…").replace(FAMILY, "") == ""


@pytest.mark.parametrize(
    ("blocks", "title"),
    [
        ([TextContent(text="explain "), LINK, TextContent(text=" to me")], "explain main.rs to me"),
        ([TextContent(text="What does this show?"), LINK, DATA], "What does this show?"),
        ([TextContent(text="What does this show?"), LINK, TextContent(text=" \n")], "What does this show?"),
        ([TextContent(text="What does this show? "), LINK], "What does this show?"),
        ([TextContent(text="explain "), LINK, DATA], "explain main.rs"),
        ([LINK, TextContent(text=" crashes"), DATA], "main.rs crashes"),
        ([TextContent(text="compare "), LINK, FOR_THE_PERSON, TextContent(text=" to it")], "compare main.rs to it"),
        ([FOR_THE_PERSON], ""),
        ([TextContent(text="shown", annotations=Annotations(audience=["user"])), TextContent(text="mine")], "mine"),
        ([LINK], "main.rs"),
        ([EmbeddedResource(resource=TextResourceContents(uri="file:///a/b%20c.py", text="secret"))], "b c.py"),
        ([ImageContent(data="", mime_type="image/png", uri="file:///a/shot%201.png")], "shot 1.png"),
        ([ImageContent(data="", mime_type="image/png", uri="data:image/png;base64,AA")], ""),
        ([ImageContent(data="", mime_type="image/png")], ""),
        ([TextContent(text="  "), ImageContent(data="", mime_type="image/png", uri="C:\\a\\x.png")], "x.png"),
        (
            [TextContent(text="added", annotations=Annotations(audience=["assistant"])), TextContent(text="mine")],
            "mine",
        ),
        ([TextContent(text="added", annotations=Annotations(audience=["user", "assistant"]))], "added"),
        ([], ""),
    ],
)
def test_attachments_are_named_and_give_the_title_where_nothing_was_typed(blocks: Any, title: str) -> None:
    assert made_title.made_title(blocks) == title


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_any_text_gives_one_clean_short_line(text: str) -> None:
    for title, longest in ((made(text), made_title.LONGEST), (title_text.clean_title(text), title_text.LONGEST)):
        assert len(title) <= longest
        assert title == " ".join(title.split())
        assert not any(ord(character) < 32 or "\ud800" <= character <= "\udfff" for character in title)
        title.encode()


def test_a_very_long_prompt_costs_little() -> None:
    for unit in ("a", "@a/", "[", "https://", "`", "> ", "hi ", ". ", "\n", "1. "):
        assert len(made(unit * 1_000_000)) <= made_title.LONGEST


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  My\n title\t here ", "My title here"),
        ("a\x00b\x7f\ud800", "ab"),
        ("\u202eevil", "evil"),
        ("👍", "👍"),
        ("?", "?"),
        (" \u200b\u00ad ", ""),
        ("", ""),
        ("x" * 300, "x" * 200),
        ("y" * 199 + " z", "y" * 199),
        ("z" * 199 + "e\u0301", "z" * 199),
    ],
)
def test_a_given_title_is_one_line_of_at_most_200_characters(text: str, title: str) -> None:
    assert title_text.clean_title(text) == title


def given_titles(state: SessionState, store: Any) -> list[str]:
    return [event.title for event in store.events() if isinstance(event, events.Title)]


async def test_setting_a_title_records_it_and_tells_every_client(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.state.attach(it.client)
        assert await titles.set_title(it.state, " A  title ") == "A title"
        assert given_titles(it.state, it.store) == ["A title"]
        assert it.store.durable == ["title"]
        assert it.state.head.title == "A title"
        assert it.client.told == [
            {"sessionUpdate": "session_info_update", "title": "A title", "updatedAt": "2023-11-14T22:13:20.000Z"}
        ]


async def test_a_title_without_anything_visible_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await titles.set_title(it.state, "kept")
        with pytest.raises(RpcError) as caught:
            await titles.set_title(it.state, " \n\u200b")
        assert (caught.value.code, caught.value.message) == (-32602, "A title needs at least one visible character.")
        assert it.state.head.title == "kept"
        assert given_titles(it.state, it.store) == ["kept"]


async def test_the_first_prompt_gives_the_title_and_no_later_one_changes_it(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "One."}, {"text": "Two."}) as it:
        await it.run("Please fix the parser.")
        await it.run("Now something else entirely.")
        assert given_titles(it.state, it.store) == ["Fix the parser"]
        assert [update["title"] for update in it.client.told] == ["Fix the parser"]
        kinds = [event.type for event in it.store.events()]
        assert kinds.index("user_message") < kinds.index("title") < kinds.index("assistant_message")


async def test_a_prompt_without_anything_to_name_leaves_it_to_the_next(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "One."}, {"text": "Two."}) as it:
        await it.run("?!")
        assert it.client.told == []
        await it.run("Fix the parser.")
        assert it.state.head.title == "Fix the parser"


async def test_a_command_gives_no_title_and_a_path_does(tmp_path: Path) -> None:
    async with bench(tmp_path, {"text": "One."}) as it:
        await it.run("/help")
        await it.run("/nonsense")
        assert it.state.head.title is None
        await it.run("/usr/bin/python is broken")
        assert it.state.head.title == "/usr/bin/python is broken"


async def test_a_title_of_a_person_is_never_replaced_also_after_a_load(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with chat(rig, {"text": "One."}, {"text": "Two."}) as it:
        assert await it.ask("/title") == "This session has no title yet. `/title` with a text behind it changes it."
        assert await it.ask("/title My  own\ttitle") == "The title is now `My own title`."
        await it.ask("Fix the parser.")
        assert await it.ask("/title \u200b") == (
            "The title was not changed. A title needs at least one visible character."
        )
        await it.client.call("session/close", {"sessionId": it.session})
        await it.client.call("session/load", {"sessionId": it.session, "cwd": str(rig.cwd), "mcpServers": []})
        await it.ask("Fix the lexer.")
        assert (await it.ask("/title")).startswith("The title is `My own title`.")
        listed = await it.client.call("session/list", {})
        assert [session["title"] for session in listed["sessions"]] == ["My own title"]


async def test_the_title_is_told_before_the_response_to_its_prompt(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with chat(rig, {"text": "One."}) as it:
        await it.ask("Fix the parser.")
        agent = [message for who, message in it.client.lines if who == "agent"]
        titled = next(
            index
            for index, message in enumerate(agent)
            if message.get("method") == "session/update"
            and message["params"]["update"]["sessionUpdate"] == "session_info_update"
            and message["params"]["update"].get("title")
        )
        ended = next(index for index, message in enumerate(agent) if "stopReason" in (message.get("result") or {}))
        assert titled < ended
        assert it.requests[0].history[-1].content[0].text == "Fix the parser."  # type: ignore[union-attr]
        assert len(it.requests) == 1, "no model was asked for the title"
