import base64
import os
import socket
from pathlib import Path

import pytest

from acp_agent.llm.messages import Image
from acp_agent.schema import ImageContent, ResourceLink, ToolCallLocation, ToolContent
from acp_agent.tools.base import Subject
from tests.tools.desk import Desk, shown_text

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


async def test_lines_come_with_their_numbers(desk: Desk) -> None:
    path = desk.put("a.txt", "one\ntwo\n\nfour")
    result = await desk.run("read", filePath="a.txt")
    assert result.output == "1: one\n2: two\n3: \n4: four"
    assert shown_text(result) == "```\none\ntwo\n\nfour\n```"
    assert result.locations == [ToolCallLocation(path=str(path), line=1)]


@pytest.mark.parametrize(
    ("offset", "limit", "output"),
    [
        (2, 1, "2: b\n\n(lines 2-2 of 4; use offset=3 for more)"),
        (3, 10, "3: c\n4: d\n\n(lines 3-4 of 4)"),
        (1, 4, "1: a\n2: b\n3: c\n4: d"),
        (0, 0, "1: a\n2: b\n3: c\n4: d"),
        (4, 1, "4: d\n\n(lines 4-4 of 4)"),
    ],
)
async def test_a_part_is_read_and_the_next_offset_told(desk: Desk, offset: int, limit: int, output: str) -> None:
    desk.put("a.txt", "a\nb\nc\nd\n")
    result = await desk.run("read", filePath="a.txt", offset=offset, limit=limit)
    assert result.output == output
    assert result.locations == [ToolCallLocation(path=str(desk.path("a.txt")), line=max(1, offset))]


async def test_an_offset_behind_the_end_says_how_many_lines_there_are(desk: Desk) -> None:
    desk.put("a.txt", "a\nb\n")
    assert await desk.refusal("read", filePath="a.txt", offset=3) == "a.txt has 2 lines; offset 3 is behind its end."


async def test_a_long_file_is_read_up_to_two_thousand_lines(desk: Desk) -> None:
    desk.put("a.txt", "x\n" * 5000)
    for limit in (None, 100_000):
        arguments = {} if limit is None else {"limit": limit}
        output = (await desk.run("read", filePath="a.txt", **arguments)).output
        assert output.endswith("\n2000: x\n\n(lines 1-2000 of 5000; use offset=2001 for more)")


async def test_a_long_line_is_clipped_and_a_wide_file_cut(desk: Desk) -> None:
    desk.put("a.txt", ("é" * 5000 + "\n") * 50)
    output = (await desk.run("read", filePath="a.txt")).output
    assert output.startswith(f"1: {'é' * 2000}… [3000 more characters]\n2: é")
    assert output.endswith("(lines 1-12 of 50; use offset=13 for more)")


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (b"a\r\nb\r\n", "1: a\n2: b"),
        (b"a\rb", "1: a\n2: b"),
        (b"a\x0cb\xe2\x80\xa8c\n", "1: a\x0cb\u2028c"),
        (b"\xef\xbb\xbfa", "1: a"),
        ("aé\n".encode("utf-16"), "1: aé"),
        (b"\xfe\xff" + "aé".encode("utf-16-be"), "1: aé"),
        ("aé".encode("utf-32"), "1: aé"),
        (b"caf\xe9", "1: café"),
        (b"\n", "1: "),
    ],
)
async def test_text_of_any_kind_is_read(desk: Desk, content: bytes, output: str) -> None:
    desk.put("a.txt", content)
    assert (await desk.run("read", filePath="a.txt")).output == output


async def test_an_empty_file_is_said_to_be_empty(desk: Desk) -> None:
    desk.put("a.txt")
    assert (await desk.run("read", filePath="a.txt")).output == "The file is empty."


async def test_a_directory_gives_its_entries(desk: Desk) -> None:
    desk.put("src/b.py")
    desk.put("src/.hidden")
    desk.put("src/lib/x")
    desk.path("src/broken").symlink_to("nowhere")
    assert (await desk.run("read", filePath="src")).output == ".hidden\nb.py\nbroken\nlib/"
    desk.path("empty").mkdir()
    assert (await desk.run("read", filePath="empty")).output == "The directory is empty."


async def test_a_directory_of_many_files_is_cut(desk: Desk) -> None:
    for number in range(1003):
        desk.put(f"{number:04}")
    output = (await desk.run("read", filePath=".")).output
    assert output.endswith("\n0999\n(… 3 more; use glob)")


async def test_names_that_are_no_text_can_be_sent(desk: Desk) -> None:
    Path(os.fsdecode(os.fsencode(desk.root) + b"/caf\xe9.txt")).write_text("x")
    assert (await desk.run("read", filePath=".")).output == "caf\ufffd.txt"
    (await desk.refusal("read", filePath="cafe.txt")).encode()


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg"),
        (b"GIF89a" + b"\0" * 20, "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_an_image_is_shown_to_both(desk: Desk, content: bytes, mime_type: str) -> None:
    desk.put("picture", content)
    result = await desk.run("read", filePath="picture")
    data = base64.b64encode(content).decode()
    assert result.output == f"picture is an image ({mime_type}, {len(content)} bytes); it is attached."
    assert result.images == [Image(data=data, mime_type=mime_type)]
    assert result.content == [ToolContent(content=ImageContent(data=data, mime_type=mime_type))]


async def test_a_large_image_is_shown_to_the_model_and_the_person_gets_a_link(desk: Desk) -> None:
    content = PNG + b"\0" * 1024 * 1024
    path = desk.put("a picture.png", content)
    result = await desk.run("read", filePath="a picture.png")
    assert [len(image.data) for image in result.images] == [4 * ((len(content) + 2) // 3)]
    assert result.content == [
        ToolContent(
            content=ResourceLink(name="a picture.png", uri=path.as_uri(), mime_type="image/png", size=len(content))
        )
    ]


async def test_an_image_too_large_is_refused(desk: Desk) -> None:
    desk.put("picture.png", PNG + b"\0" * (5 * 1024 * 1024))
    assert "more than 3.75 MB" in await desk.refusal("read", filePath="picture.png")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x7fELF\0\0", "a binary file"),
        (b"%PDF-1.7\n%x", "a PDF"),
        ("é".encode("utf-16-le") * 9 + b"\0", "a binary file"),
    ],
)
async def test_what_is_no_text_is_named_and_not_shown(desk: Desk, content: bytes, kind: str) -> None:
    desk.put("thing", content)
    result = await desk.run("read", filePath="thing")
    assert result.output == (
        f"thing is {kind} of {len(content)} bytes, so its text is not shown. "
        "Use bash with a program that understands it."
    )
    assert not result.is_error


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("src/mian.py", "src/main.py"),
        ("src/Main.py", "src/main.py"),
        ("scr/main.py", "src/main.py"),
        ("main.py", "src/main.py"),
    ],
)
async def test_a_file_that_is_not_there_names_the_nearest(desk: Desk, asked: str, nearest: str) -> None:
    desk.put("src/main.py", "x")
    assert await desk.refusal("read", filePath=asked) == f"There is no file {asked}. Did you mean {nearest}?"


async def test_a_file_that_nothing_is_like_is_just_not_there(desk: Desk) -> None:
    assert await desk.refusal("read", filePath="zzz") == "There is no file zzz."
    desk.put("a.txt", "x")
    assert await desk.refusal("read", filePath="a.txt/b") == "There is no file a.txt/b."
    assert "cannot be read" in await desk.refusal("read", filePath="x" * 300)
    assert await desk.refusal("read", filePath="/".join("d" * 3000))


async def test_a_pipe_a_socket_and_a_device_are_refused_at_once(desk: Desk) -> None:
    os.mkfifo(desk.path("pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        place = os.open(desk.root, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{place}/sock")
        os.close(place)
        for name in ("pipe", "sock", "/dev/zero", "/dev/tty"):
            words = await desk.refusal("read", filePath=name)
            assert words == f"{name} is not a regular file (a pipe, socket or device)."


async def test_a_loop_of_links_is_refused(desk: Desk) -> None:
    desk.path("a").symlink_to("b")
    desk.path("b").symlink_to("a")
    assert await desk.refusal("read", filePath="a")


async def test_what_reading_touches(desk: Desk) -> None:
    desk.put(".env", "K=1")
    desk.path("link").symlink_to(".env")
    assert desk.subjects("read", filePath="link") == [
        Subject("read", "link", "link"),
        Subject("read", ".env", ".env"),
    ]
    assert desk.subjects("read", filePath="/etc/../etc/hosts") == [
        Subject("read", "/etc/hosts", "/etc/hosts"),
        Subject("external_directory", "/etc/*", "/etc/*"),
    ]
    summary = desk.summary("read", filePath="a", offset=7)
    assert list(summary.locations) == [ToolCallLocation(path=str(desk.path("a")), line=7)]
    assert await desk.preview("read", filePath="a") == ()
