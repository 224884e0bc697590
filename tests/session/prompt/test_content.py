"""What the model reads of a prompt: files behind links and mentions, media, and what a person is told of the rest."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from acp_agent.llm.anthropic import AnthropicMessages
from acp_agent.llm.messages import Audio, Image, Text, UserMessage, UserPart
from acp_agent.llm.models import ModelInfo, ModelRef
from acp_agent.llm.openai_chat import OpenAIChat
from acp_agent.schema import (
    Annotations,
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session.permissions import Policy
from acp_agent.session.prompt import attachments
from acp_agent.session.prompt.attachments import Attachments
from acp_agent.session.prompt.block_parts import EMBEDDED_BYTES, NOTHING
from acp_agent.session.prompt.content import PromptContent, prompt_content
from acp_agent.session.prompt.modalities import NO_AUDIO, NO_IMAGES, seen_by
from acp_agent.session.record import events, history
from acp_agent.session.turn import run_turn
from acp_agent.session.turn_state import Turn
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.workspace import TextFile
from tests.fakes.vendor_rules import anthropic_fault, openai_fault
from tests.llm.requests import request
from tests.session.unit import Bench, bench

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
PNG_DATA = base64.b64encode(PNG).decode()
BLIND = {"modalities": {"input": ["text"]}}
HEARS = {"modalities": {"input": ["text", "image", "audio"]}}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def model(**about: Any) -> dict[str, Any]:
    """A configuration whose model has these properties."""
    script = {"script": "script.json"}
    return {"provider": {"scripted": {"options": script, "models": {"demo": {"name": "Demo", **about}}}}}


def text(words: str) -> TextContent:
    return TextContent(text=words)


def link(uri: str | Path, **more: Any) -> ResourceLink:
    address = uri.as_uri() if isinstance(uri, Path) else uri
    return ResourceLink(uri=address, name=more.pop("name", "a name"), **more)


def embedded(uri: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, text=words))


def blob(data: bytes, mime_type: str | None) -> EmbeddedResource:
    encoded = base64.b64encode(data).decode()
    return EmbeddedResource(resource=BlobResourceContents(uri="file:///w/blob", blob=encoded, mime_type=mime_type))


async def made(it: Bench, *blocks: ContentBlock) -> PromptContent:
    """The content of a prompt in the bench's session."""
    with anyio.fail_after(20):
        return await prompt_content(Turn("turn", it.state, it.client, it.state.workspace), blocks)


@asynccontextmanager
async def reading(folder: Path, **config: Any) -> AsyncIterator[Callable[..., Any]]:
    """Gives what the model reads of blocks, as texts where they are texts."""
    async with bench(folder, config=config) as it:

        async def read(*blocks: ContentBlock) -> list[Any]:
            content = (await made(it, *blocks)).message.content
            return [part.text if isinstance(part, Text) else part for part in content]

        yield read


async def attached(folder: Path, *blocks: ContentBlock, **config: Any) -> list[Any]:
    """What the model reads of blocks."""
    async with reading(folder, **config) as read:
        return list(await read(*blocks))


# Links.


async def test_a_linked_file_is_read_with_the_line_numbers_that_read_gives(tmp_path: Path) -> None:
    (tmp_path / "two words.py").write_bytes(b"a\r\nb\n")
    assert await attached(tmp_path, text("look"), link(tmp_path / "two words.py"), text("done")) == [
        "look",
        "[Attached: two words.py]\n1: a\n2: b\n[End of two words.py]",
        "done",
    ]


@pytest.mark.parametrize("end", ["#L2-3", "#L2:3", "?line=2&end=3", "?symbol=f#L2:3"])
async def test_only_the_lines_that_a_link_names_are_read(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.py").write_text("1\n2\n3\n4\n")
    found = await attached(tmp_path, link(f"{(tmp_path / 'a.py').as_uri()}{end}"))
    assert found == ["[Attached: a.py, lines 2-3 of 4]\n2: 2\n3: 3\n[End of a.py]"]


async def test_lines_behind_the_end_are_named_and_a_range_is_cut_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n2\n")
    uri = (tmp_path / "a.py").as_uri()
    assert await attached(tmp_path, link(f"{uri}#L5-9"), link(f"{uri}#L2-900")) == [
        "[Attached by reference: a.py; not read: it has 2 lines, and lines 5-9 were asked for.]",
        "[Attached: a.py, lines 2-2 of 2]\n2: 2\n[End of a.py]",
    ]


async def test_a_plain_path_is_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "b#1.py").write_text("y")
    expected = ["[Attached: a.py]\n1: x\n[End of a.py]", "[Attached: b#1.py]\n1: y\n[End of b#1.py]"]
    assert await attached(tmp_path, link("a.py"), link(f"file://{tmp_path}/b#1.py")) == expected


async def test_a_long_file_is_cut_and_the_way_to_the_rest_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 99 + "\n" + ("y" * 99 + "\n") * 999)
    (found,) = await attached(tmp_path, link(tmp_path / "a.txt"))
    first, *_, behind, _ = found.splitlines()
    shown = len(found.splitlines()) - 3
    assert first == f"[Attached: a.txt, lines 1-{shown} of 1000]"
    assert behind == f"[… {100 * (1000 - shown)} more bytes; use read with offset={shown + 1}]"
    assert attachments.FILE_BYTES * 0.9 < len(found) < attachments.FILE_BYTES + 200


async def test_all_files_of_a_prompt_together_are_bounded(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text(("x" * 99 + "\n") * 1000)
    found = await attached(tmp_path, *(link(tmp_path / f"{number}.txt") for number in range(7)))
    assert len(found) == 7
    assert sum(map(len, found)) < attachments.PROMPT_BYTES + 2000
    assert found[-1] == (
        "[Attached by reference: 6.txt; not read: the files of this prompt take 256 KiB already. Use read.]"
    )


async def test_more_files_than_the_limit_are_named_only(tmp_path: Path) -> None:
    for number in range(attachments.MOST_FILES + 1):
        (tmp_path / f"{number}.txt").write_text("x")
    blocks = [link(tmp_path / f"{number}.txt") for number in range(attachments.MOST_FILES + 1)]
    found = await attached(tmp_path, *blocks)
    assert [part.startswith("[Attached: ") for part in found] == [True] * attachments.MOST_FILES + [False]


async def test_a_folder_is_listed_without_junk(tmp_path: Path) -> None:
    for name in ("src/b.py", "src/a.py", "src/.git/x", "src/node_modules/x", "src/lib/x", "src/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "empty").mkdir()
    assert await attached(tmp_path, link(tmp_path / "src"), link(f"{(tmp_path / 'empty').as_uri()}/")) == [
        "[Attached: src, a directory]\n.hidden\na.py\nb.py\nlib/\n[End of src]",
        "[Attached: empty, an empty directory]",
    ]


async def test_a_large_folder_is_listed_in_part(tmp_path: Path) -> None:
    for number in range(attachments.MOST_ENTRIES + 3):
        (tmp_path / f"{number:04}").write_text("")
    (found,) = await attached(tmp_path, link(tmp_path))
    assert found.endswith("\n0199\n[… 3 more entries; use glob]\n[End of .]")


async def test_an_image_file_is_attached_as_an_image(tmp_path: Path) -> None:
    (tmp_path / "shot.dat").write_bytes(PNG)
    assert await attached(tmp_path, link(tmp_path / "shot.dat")) == [
        f"[Attached image: shot.dat, image/png, {len(PNG)} bytes]",
        Image(data=PNG_DATA, mime_type="image/png"),
    ]


async def test_images_that_are_too_large_alone_or_together_are_named(tmp_path: Path) -> None:
    large = PNG + b"\0" * (3 * 1024 * 1024)
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(large)
    (tmp_path / "huge.png").write_bytes(large + large)
    blocks = [link(tmp_path / "huge.png"), *(link(tmp_path / f"{number}.png") for number in range(5))]
    found = await attached(tmp_path, *blocks)
    assert "more than 3.75 MB" in found[0]
    assert len([part for part in found if isinstance(part, Image)]) == 3
    assert "take all the room" in found[-1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7", "a PDF of 8 bytes, not shown]"),
        (b"\x7fELF\0\0", "a binary file of 6 bytes, not shown]"),
        (b"", "an empty file]"),
    ],
)
async def test_what_has_no_text_is_described(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "thing").write_bytes(content)
    assert await attached(tmp_path, link(tmp_path / "thing")) == [f"[Attached: thing, {said}"]


async def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    blocks = [
        link(tmp_path / "mian.py", name="mian.py"),
        link(tmp_path / "pipe"),
        link("file://server/share/a.py"),
        link("file:///a%00b"),
        link(f"file:///{'x' * 5000}"),
    ]
    found = await attached(tmp_path, *blocks)
    assert found[0] == (
        f"[Attached by reference: mian.py at {tmp_path}/mian.py; not read: "
        "There is no file mian.py. Did you mean main.py?]"
    )
    assert "not a regular file" in found[1]
    assert found[2].endswith("not read: it lies on another machine (server).]")
    assert all("; not read: " in part for part in found)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
async def test_a_file_without_permission_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0)
    (found,) = await attached(tmp_path, link(tmp_path / "a"))
    assert "Permission denied" in found


async def test_any_other_link_is_left_as_a_link_with_what_it_says_of_itself(tmp_path: Path) -> None:
    blocks = [
        link("https://x.org/a?b#L1", name="doc", title="The manual", description="how\nto"),
        link("zed:///agent/thread/1", name="thread"),
    ]
    async with bench(tmp_path) as it:
        content = await made(it, *blocks)
    assert content == PromptContent(
        UserMessage(
            content=(
                Text(text="[Attached by reference: The manual at https://x.org/a?b#L1: how to]"),
                Text(text="[Attached by reference: thread at zed:///agent/thread/1]"),
            )
        ),
        recorded=None,
    )


async def test_a_file_is_attached_once(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x\ny\n")
    uri = (tmp_path / "a.py").as_uri()
    found = await attached(tmp_path, text("@a.py and @./a.py and @a.py:2"), link(uri), link(f"{uri}#L2"))
    assert found[1] == "[Attached: a.py]\n1: x\n2: y\n[End of a.py]"
    assert [part.endswith("not read: it stands in this message once already.]") for part in found[2:]] == [True, True]


async def test_what_the_client_embedded_is_not_read_from_the_disk_again(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("on the disk")
    found = await attached(tmp_path, text("@a.py"), embedded((tmp_path / "a.py").as_uri(), "unsaved"))
    assert found == ["@a.py", f"[Attached: {tmp_path}/a.py]\n1: unsaved\n[End of {tmp_path}/a.py]"]


async def test_a_link_that_a_rule_refuses_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("secret")
    found = await attached(
        tmp_path, link(tmp_path / "key.pem"), text("@key.pem"), permission={"read": {"*.pem": "deny"}}
    )
    assert len(found) == 2
    assert 'refused by the rule "read": "*.pem" = deny' in found[0]


async def test_a_link_may_lead_out_of_the_directory(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "out.txt").write_text("x")
    assert await attached(project, link(tmp_path / "out.txt")) == [
        f"[Attached: {tmp_path}/out.txt]\n1: x\n[End of {tmp_path}/out.txt]"
    ]


# Mentions.


async def test_a_mentioned_file_stands_behind_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x\ny\n")
    (tmp_path / "two words.md").write_text("z")
    found = await attached(tmp_path, text('Fix @a.py:2, as "@two words.md" and @"two words.md" say.'), text("Thanks."))
    assert found == [
        'Fix @a.py:2, as "@two words.md" and @"two words.md" say.',
        "[Attached: a.py, lines 2-2 of 2]\n2: y\n[End of a.py]",
        "[Attached: two words.md]\n1: z\n[End of two words.md]",
        "Thanks.",
    ]


async def test_a_mention_of_nothing_is_left_alone(tmp_path: Path) -> None:
    words = "@property, @types/node, me@x.org, @nobody: what is `@a.py`?"
    (tmp_path / "a.py").write_text("x")
    async with bench(tmp_path) as it:
        content = await made(it, text(words))
    assert content == PromptContent(UserMessage(content=(Text(text=words),)))


async def test_a_file_of_secrets_is_attached_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("K=1")
    found = await attached(tmp_path, text("@./"), text("@.env"))
    assert found[1] == "[Attached: ., a directory]\n.env\n[End of .]"
    assert found[3] == "[Attached: .env]\n1: K=1\n[End of .env]"


@pytest.mark.parametrize("way", ["{out}", "../out.txt", "~/out.txt", "link"])
async def test_a_mention_that_leads_out_of_the_directory_is_left_to_read(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "out.txt").write_text("x")
    (project / "link").symlink_to(tmp_path / "out.txt")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    words = text(f"@{way.format(out=tmp_path / 'out.txt')}")
    _, refused = await attached(project, words)
    assert refused.endswith(
        "not read: it lies outside the working directory. Use read if you need it: the user is asked then.]"
    )
    _, allowed = await attached(project, words, permission={"external_directory": "allow"})
    assert "1: x" in allowed


# Media.


async def test_an_image_whose_type_is_another_is_sent_as_what_it_is(tmp_path: Path) -> None:
    block = ImageContent(data=PNG_DATA, mime_type="image/jpg")
    assert await attached(tmp_path, block) == [Image(data=PNG_DATA, mime_type="image/png")]


@pytest.mark.parametrize(
    ("data", "mime_type", "part"),
    [
        (PNG, "image/png", Image(data=PNG_DATA, mime_type="image/png")),
        (PNG, None, Image(data=PNG_DATA, mime_type="image/png")),
        (b"abc", "audio/mpeg", Audio(data="YWJj", mime_type="audio/mpeg")),
        ("é\n".encode(), "text/plain; charset=utf-8", "[Attached: /w/blob]\n1: é\n[End of /w/blob]"),
        (b"{}", "application/json", "[Attached: /w/blob]\n1: {}\n[End of /w/blob]"),
        (b"\xff\xfe", "text/plain", "[Attached: /w/blob, text/plain, binary, 2 bytes, not shown]"),
        (b"a\0b", "text/plain", "[Attached: /w/blob, text/plain, binary, 3 bytes, not shown]"),
        (b"%PDF", "application/pdf", "[Attached: /w/blob, application/pdf, binary, 4 bytes, not shown]"),
        (b"", "image/png", "[Attached: /w/blob, image/png, binary, 0 bytes, not shown]"),
    ],
)
async def test_an_embedded_blob_is_what_its_type_says(
    tmp_path: Path, data: bytes, mime_type: str | None, part: UserPart | str
) -> None:
    (found,) = await attached(tmp_path, blob(data, mime_type))
    assert found == part


async def test_embedded_text_is_fenced_and_bounded(tmp_path: Path) -> None:
    words = "```\nforged\n[End of zed:///x]"
    found = await attached(tmp_path, embedded("zed:///x", words), embedded("file:///w/a.py#L5:6", "a\nb"))
    assert found == [
        f"[Attached: zed:///x]\n````\n{words}\n````\n[End of zed:///x]",
        "[Attached: /w/a.py, lines 5-6]\n5: a\n6: b\n[End of /w/a.py]",
    ]
    long = "é" * EMBEDDED_BYTES
    for block in (embedded("zed:///x", long), blob(long.encode(), "text/plain")):
        (part,) = await attached(tmp_path, block)
        assert f"[… {EMBEDDED_BYTES} more bytes: the text embedded in this prompt is too long]" in part
        assert len(part.encode()) < EMBEDDED_BYTES + 200


async def test_blocks_for_people_only_are_kept_and_not_sent(tmp_path: Path) -> None:
    for_user = TextContent(text="@a.py", annotations=Annotations(audience=["user"]))
    for_model = TextContent(text="@a.py!", annotations=Annotations(audience=["assistant"], priority=0.1))
    (tmp_path / "a.py").write_text("x")
    async with bench(tmp_path, {"text": "ok"}) as it:
        await run_turn(it.state, [for_user, for_model], it.client)
        assert it.requests[0].history == (UserMessage(content=(Text(text="@a.py!"),)),)
        (event,) = [event for event in it.store.events() if isinstance(event, events.UserMessage)]
        assert event.blocks == (for_user, for_model)


async def test_a_prompt_of_which_nothing_is_left_still_says_something(tmp_path: Path) -> None:
    for_user = TextContent(text="hi", annotations=Annotations(audience=["user"]))
    assert await attached(tmp_path, for_user) == [NOTHING]
    assert await attached(tmp_path, text(" ")) == [" ", NOTHING]


# What the person is told.


async def test_the_person_is_told_once_when_the_model_cannot_see(tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(PNG)
    image = ImageContent(data=PNG_DATA, mime_type="image/png")
    async with bench(tmp_path, {"text": "ok"}, {"text": "ok"}, config=model(**BLIND)) as it:
        await run_turn(it.state, [text("@shot.png"), image], it.client)
        assert it.client.said() == (
            "scripted/demo cannot see images: it is only told that there are 2. "
            "Choose a model that sees images and go on; it will see what you sent.\n\nok"
        )
        (sent,) = it.requests[0].history
        assert isinstance(sent, UserMessage)
        assert [part.text for part in sent.content if isinstance(part, Text)][-2:] == [NO_IMAGES, NO_IMAGES]
        assert [part for part in it.state.history[0].content if isinstance(part, Image)]  # type: ignore[union-attr]
        await it.run("and now?")
        assert it.client.said().count("cannot see") == 1


async def test_a_model_that_hears_is_sent_audio_and_any_other_told_of_it(tmp_path: Path) -> None:
    audio = AudioContent(data="AAAA", mime_type="audio/x-wav")
    async with bench(tmp_path, {"text": "ok"}, config=model(**HEARS)) as it:
        await run_turn(it.state, [audio], it.client)
        assert it.requests[0].history == (UserMessage(content=(Audio(data="AAAA", mime_type="audio/x-wav"),)),)
        assert it.client.said() == "ok"
    async with bench(tmp_path, {"text": "ok"}) as it:
        await run_turn(it.state, [audio, audio], it.client)
        assert it.requests[0].history == (UserMessage(content=(Text(text=NO_AUDIO),) * 2),)
        assert it.client.said().startswith("scripted/demo is not known to hear audio: ")


async def test_audio_that_no_model_takes_is_told_to_both(tmp_path: Path) -> None:
    audio = AudioContent(data="AAAA", mime_type="audio/ogg")
    async with bench(tmp_path, {"text": "ok"}, config=model(**HEARS)) as it:
        await run_turn(it.state, [audio], it.client)
        said = "[Audio of type audio/ogg was attached, which cannot be sent to a model: wav and mp3 can.]"
        assert it.requests[0].history == (UserMessage(content=(Text(text=said),)),)
        assert it.client.said() == "Audio of type audio/ogg cannot be sent to any model: send wav or mp3.\n\nok"


# The record.


async def test_what_was_read_is_the_same_after_a_load_though_the_file_changed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("old")
    image = ImageContent(data=PNG_DATA, mime_type="image/png")
    blocks: Sequence[ContentBlock] = [text("see @a.py"), image, link("https://x.org", name="x")]
    async with bench(tmp_path, {"text": "ok"}) as it:
        await run_turn(it.state, blocks, it.client)
        (tmp_path / "a.py").write_text("new")
        stored = [events.event_adapter().validate_json(event.model_dump_json()) for event in it.store.events()]
        assert history.history(stored) == it.state.history
        assert "1: old" in it.state.history[0].content[1].text  # type: ignore[union-attr]
        (event,) = [event for event in stored if isinstance(event, events.UserMessage)]
        assert event.content is not None
        assert [part.type for part in event.content] == ["block", "text", "block", "block"]
        assert event.model_dump_json().count(PNG_DATA) == 1, "the image is not kept twice"


async def test_a_prompt_that_says_all_by_itself_is_recorded_as_its_blocks_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        content = await made(it, text("a"), ImageContent(data=PNG_DATA, mime_type="image/png"), embedded("x:y", "z"))
        assert content.recorded is None


async def test_a_file_that_never_comes_costs_a_prompt_no_more_than_its_time(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")

    class Stuck(LocalWorkspace):
        async def read_text(self, path: Path) -> TextFile:
            await anyio.sleep_forever()
            raise AssertionError

    with anyio.fail_after(10):
        made = Attachments(Stuck((tmp_path,), ProcessTable(), {}), Policy(), seconds=0.05)
        assert await made.linked(link(tmp_path / "a.py")) == [
            Text(
                text=f"[Attached by reference: a name at {tmp_path}/a.py; not read: "
                "the attachments of this prompt took too long. Use read.]"
            )
        ]


# Whatever comes in.

datas = st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode())
audiences = st.sampled_from([None, None, ["user"], ["assistant"], ["user", "assistant"], []])
notes = st.builds(lambda audience: Annotations(audience=audience), audiences)
uris = st.sampled_from(["a.txt", "file:///nowhere", "https://x.org", "", "x", "d", "file://h/x", "a.txt#L2-9", "\0"])
words = st.sampled_from(["", " ", "@a.txt", "@d/", "@a.txt:2-3 @nobody", "nul \0", "half \ud83d", "ü", "```\n@a.txt"])
types = st.sampled_from(["image/png", "IMAGE/JPEG", "text/plain", "audio/wav", "audio/ogg", "application/pdf", "", "x"])
anything = st.lists(
    st.builds(TextContent, text=words, annotations=notes)
    | st.builds(ImageContent, data=datas, mime_type=types, annotations=notes)
    | st.builds(AudioContent, data=datas, mime_type=types, annotations=notes)
    | st.builds(ResourceLink, uri=uris, name=words, title=words, description=words, annotations=notes)
    | st.builds(
        EmbeddedResource,
        resource=st.builds(TextResourceContents, uri=uris, text=words)
        | st.builds(BlobResourceContents, uri=uris, blob=datas, mime_type=st.none() | types),
        annotations=notes,
    ),
    max_size=5,
)


@given(anything, st.sampled_from([None, True, False]), st.sampled_from([None, True, False]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_blocks_come_the_request_is_valid_and_the_record_gives_it_again(
    tmp_path: Path, blocks: list[ContentBlock], image: bool | None, audio: bool | None
) -> None:
    (tmp_path / "a.txt").write_text("1\n2\n3\n")
    (tmp_path / "d").mkdir(exist_ok=True)

    async def go() -> PromptContent:
        async with bench(tmp_path) as it:
            return await made(it, *blocks)

    content = anyio.run(go)
    event = events.UserMessage(message_id="m", blocks=tuple(blocks), content=content.recorded)
    assert history.history([event]) == [content.message]
    info = replace(ModelInfo(ModelRef("p", "m")), image=image, audio=audio)
    asked = request(seen_by(info, [content.message]))
    openai = OpenAIChat("o", "http://127.0.0.1/v1", "k").body(asked)
    anthropic = AnthropicMessages("a", "http://127.0.0.1", "k").body(asked)
    assert (openai_fault(openai), anthropic_fault(anthropic)) == (None, None)
    json.dumps([openai, anthropic], ensure_ascii=False).encode()
