import itertools
import json
import os
import stat
from collections.abc import Callable

import anyio
import pytest

from acp_agent.schema import DiffContent, ToolCallLocation, ToolContent
from acp_agent.tools.base import Subject
from tests.tools.desk import Desk, shown_text

pytestmark = pytest.mark.anyio

ENDINGS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode("utf-8"),
    "utf-8-sig": lambda text: text.encode("utf-8-sig"),
    "utf-16-le": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "latin-1": lambda text: text.encode("latin-1"),
}


@pytest.mark.parametrize("final", [True, False], ids=["final newline", "no final newline"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("given", ["\n", "\r\n"], ids=["given LF", "given CRLF"])
async def test_every_byte_outside_the_span_stays(
    desk: Desk, ending: str, encode: Callable[[str], bytes], given: str, final: bool
) -> None:
    before = ["éins", "zwei\t ", "", "drei", "vier"]
    after = ["éins", "zwei\t ", "", "dröi", "neu", "", "vier"]
    tail = ending if final else ""
    desk.put("a.txt", encode(ending.join(before) + tail))
    old, new = given.join(["", "drei", "vi"]), given.join(["", "dröi", "neu", "", "vi"])
    await desk.run("edit", filePath="a.txt", oldString=old, newString=new)
    assert desk.bytes("a.txt") == encode(ending.join(after) + tail)


@pytest.mark.parametrize(
    ("content", "old", "new", "result"),
    [
        ("a\r\nb\nc\r\nd\r", "b\nc", "b\nx\nc", "a\r\nb\nx\nc\r\nd\r"),
        ("a\r\nb\nc\r\nd\r", "a\nb", "a\nB", "a\r\nB\nc\r\nd\r"),
        ("a\r\nb\nc\r\nd\r", "c\nd\n", "c\nd\ne\n", "a\r\nb\nc\r\nd\re\r\n"),
        ("a\r\nb\nc", "b", "b1\nb2", "a\r\nb1\nb2\nc"),
        ("a\nb\r\nc", "b", "b1\nb2", "a\nb1\r\nb2\r\nc"),
        ("a\r\nb", "b", "b\nc\n", "a\r\nb\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "b\n", "", "a\r\nc\r\n"),
        ("a\r\nb", "a\nb", "", ""),
        ("a\r\n\r\nb", "\n\n", "\n", "a\r\nb"),
        ("a\rb\r\nc", "a", "x\ny", "x\ry\rb\r\nc"),
    ],
)
async def test_a_file_of_mixed_line_endings_changes_only_where_it_was_meant_to(
    desk: Desk, content: str, old: str, new: str, result: str
) -> None:
    desk.put("a.txt", content)
    await desk.run("edit", filePath="a.txt", oldString=old, newString=new)
    assert desk.bytes("a.txt").decode() == result


async def test_the_result_says_where_and_shows_it(desk: Desk) -> None:
    path = desk.put("src/a.py", "".join(f"line {n}\n" for n in range(1, 11)))
    result = await desk.run("edit", filePath="src/a.py", oldString="line 5\n", newString="five\n")
    assert result.output == (
        "Edited src/a.py, line 5.\n2: line 2\n3: line 3\n4: line 4\n5: five\n6: line 6\n7: line 7\n8: line 8\n9: line 9"
    )
    old = "".join(f"line {n}\n" for n in range(1, 11))
    assert result.content == [DiffContent(path=str(path), old_text=old, new_text=old.replace("line 5", "five"))]
    assert result.locations == [ToolCallLocation(path=str(path), line=5)]
    assert not result.is_error


async def test_text_that_occurs_twice_is_refused_with_its_places(desk: Desk) -> None:
    desk.put("a.txt", "x = 1\ny = 2\nx = 1\n")
    assert await desk.refusal("edit", filePath="a.txt", oldString="x = 1", newString="z") == (
        "oldString occurs 2 times in a.txt:\n1: x = 1\n3: x = 1\n"
        "Add the lines around the one you mean, or set replaceAll."
    )
    assert desk.bytes("a.txt") == b"x = 1\ny = 2\nx = 1\n"


async def test_text_that_occurs_often_names_ten_places(desk: Desk) -> None:
    desk.put("a.txt", "x\n" * 5000)
    words = await desk.refusal("edit", filePath="a.txt", oldString="x", newString="z")
    assert words.startswith("oldString occurs 5000 times in a.txt:\n1: x\n")
    assert "\n10: x\n… and 4990 more\n" in words


async def test_every_occurrence_is_replaced_when_asked_to(desk: Desk) -> None:
    desk.put("a.txt", "ab\r\nab\nxabab")
    result = await desk.run("edit", filePath="a.txt", oldString="ab", newString="a\nb", replaceAll=True)
    assert desk.bytes("a.txt") == b"a\r\nb\r\na\nb\nxa\nba\nb"
    assert result.output.startswith("Edited a.txt, 4 places: lines 1, 2, 3, 3.\n")


@pytest.mark.parametrize(
    ("old", "hint"),
    [
        (
            "def f(x):\n  return x",
            "Only the white space differs. The nearest text is:\n3: def f(x):\n4:     return x\n5: \n6: print(f(1))",
        ),
        ("def f(y):\n    return x", "The nearest text is:\n3: def f(x):\n4:     return x\n5: \n6: print(f(1))"),
        ("def g(x):", "The nearest text is:\n3: def f(x):\n4:     return x\n5: "),
        ("nothing of the kind at all", "Nothing there is like it."),
    ],
)
async def test_text_that_is_not_there_names_the_nearest(desk: Desk, old: str, hint: str) -> None:
    desk.put("a.py", "import os\n\ndef f(x):\n    return x\n\nprint(f(1))\n")
    words = await desk.refusal("edit", filePath="a.py", oldString=old, newString="z")
    assert words == f"oldString is not in a.py. {hint}\nRead the file again."


async def test_text_that_is_not_in_a_long_file_is_told_in_time(desk: Desk) -> None:
    desk.put("a.txt", "".join(f"some words and the number {n}\n" for n in range(60_000)))
    words = await desk.refusal("edit", filePath="a.txt", oldString="some words, and a number", newString="z")
    assert len(words) < 2000


async def test_an_empty_old_string_makes_a_file(desk: Desk) -> None:
    result = await desk.run("edit", filePath="new/a.txt", oldString="", newString="one\ntwo\n")
    assert desk.bytes("new/a.txt") == b"one\ntwo\n"
    assert result.output.startswith("Created new/a.txt, line 1.\n")
    assert result.content == [DiffContent(path=str(desk.path("new/a.txt")), old_text=None, new_text="one\ntwo\n")]


async def test_an_empty_old_string_fills_an_empty_file(desk: Desk) -> None:
    desk.put("a.txt")
    await desk.run("edit", filePath="a.txt", oldString="", newString="x")
    assert desk.bytes("a.txt") == b"x"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"oldString": "", "newString": "x"}, "oldString is empty, but a.txt is not."),
        ({"oldString": "a", "newString": "a"}, "are the same"),
        ({"oldString": "a", "newString": "b", "filePath": "b.txt"}, "There is no file b.txt. Did you mean a.txt?"),
        ({"oldString": "a", "newString": "b", "filePath": "sub"}, "sub is a directory"),
        ({"oldString": "a", "newString": "b", "filePath": "bin"}, "is a binary file"),
        ({"oldString": "a", "newString": "b", "filePath": "a\0b"}, "NUL"),
    ],
)
async def test_an_edit_that_cannot_be_made_says_why(desk: Desk, arguments: dict[str, str], words: str) -> None:
    desk.put("a.txt", "a")
    desk.put("bin", b"a\0b")
    desk.path("sub").mkdir()
    assert words in await desk.refusal("edit", **{"filePath": "a.txt", **arguments})
    assert desk.bytes("a.txt") == b"a"


async def test_a_character_that_the_encoding_cannot_hold_is_named(desk: Desk) -> None:
    desk.put("a.txt", b"caf\xe9")
    words = await desk.refusal("edit", filePath="a.txt", oldString="caf", newString="→")
    assert "encoded as cp1252, which cannot hold '→' (U+2192)" in words
    assert desk.bytes("a.txt") == b"caf\xe9"


async def test_a_link_is_written_through(desk: Desk) -> None:
    target = desk.put("real/a.txt", "old")
    desk.path("link").symlink_to("real/a.txt")
    await desk.run("edit", filePath="link", oldString="old", newString="new")
    assert desk.path("link").is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
async def test_a_file_keeps_its_mode(desk: Desk, mode: int) -> None:
    desk.put("a.sh", "old").chmod(mode)
    await desk.run("edit", filePath="a.sh", oldString="old", newString="new")
    assert stat.S_IMODE(desk.path("a.sh").stat().st_mode) == mode


async def test_nothing_is_left_beside_the_file(desk: Desk) -> None:
    desk.put("a.txt", "old")
    await desk.run("edit", filePath="a.txt", oldString="old", newString="new")
    assert os.listdir(desk.root) == ["a.txt"]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_edits_side_by_side_all_hold(desk: Desk) -> None:
    desk.put("a.txt", "".join(f"<{n}>\n" for n in range(40)))
    desk.path("link").symlink_to("a.txt")
    names = itertools.cycle(["a.txt", "./a.txt", str(desk.path("a.txt")), "link"])
    async with anyio.create_task_group() as tasks:
        for number, name in zip(range(40), names, strict=False):
            arguments = {"filePath": name, "oldString": f"<{number}>", "newString": f"[{number}]"}
            tasks.start_soon(lambda arguments: desk.run("edit", **arguments), arguments)
    assert desk.bytes("a.txt").decode() == "".join(f"[{n}]\n" for n in range(40))


async def test_a_preview_shows_the_change_and_makes_none(desk: Desk) -> None:
    path = desk.put("a.txt", "old")
    shown = await desk.preview("edit", filePath="a.txt", oldString="old", newString="new")
    assert shown == [DiffContent(path=str(path), old_text="old", new_text="new")]
    assert desk.bytes("a.txt") == b"old"


async def test_a_change_too_large_for_the_wire_becomes_hunks_with_a_mark(desk: Desk) -> None:
    lines = [f"line {n} {'x' * 60}\n" for n in range(60_000)]
    desk.put("big.txt", "".join(lines))
    marks = {100: "first\n", 30_000: "second\n"}
    await desk.run("edit", filePath="big.txt", oldString=lines[100], newString="first\n")
    result = await desk.run("edit", filePath="big.txt", oldString=lines[30_000], newString=marks[30_000])
    note, hunk = result.content
    assert isinstance(note, ToolContent)
    assert isinstance(hunk, DiffContent)
    assert note.content.text.startswith("The change of big.txt is too large to show as a whole")  # type: ignore[union-attr]
    assert hunk.meta == {"acp-agent/hunk": {"oldLine": 29_951, "newLine": 29_951}}
    assert hunk.old_text == "".join(lines[29_950:30_051])
    assert hunk.new_text == "".join([*lines[29_950:30_000], "second\n", *lines[30_001:30_051]])


async def test_a_change_of_everything_stays_below_what_a_line_holds(desk: Desk) -> None:
    desk.put("big.txt", "é\n" * 300_000)
    result = await desk.run("edit", filePath="big.txt", oldString="é", newString="→→", replaceAll=True)
    note = result.content[0]
    assert isinstance(note, ToolContent)
    assert note.content.text.endswith("and not all of them.")  # type: ignore[union-attr]
    assert len(json.dumps([content.model_dump(mode="json", by_alias=True) for content in result.content])) < 8 << 20
    assert desk.bytes("big.txt") == "→→\n".encode() * 300_000


async def test_the_output_for_the_model_is_bounded(desk: Desk) -> None:
    desk.put("a.txt", "x\n")
    result = await desk.run("edit", filePath="a.txt", oldString="x", newString="y" * 100_000 + "\nz" * 1000)
    assert len(result.output) < 3000


async def test_what_an_edit_touches(desk: Desk) -> None:
    desk.put("a.txt", "x")
    desk.path("out").symlink_to("/etc")
    assert desk.subjects("edit", filePath="./a.txt", oldString="", newString="") == [Subject("edit", "a.txt", "a.txt")]
    assert desk.subjects("edit", filePath="out/hosts", oldString="", newString="") == [
        Subject("edit", "out/hosts", "out/hosts"),
        Subject("edit", "/etc/hosts", "/etc/hosts"),
        Subject("external_directory", "/etc/*", "/etc/*"),
    ]
    summary = desk.summary("edit", filePath="a.txt", oldString="", newString="")
    assert (summary.title, list(summary.locations)) == ("a.txt", [ToolCallLocation(path=str(desk.path("a.txt")))])


async def test_the_person_sees_the_file_that_is_a_diff(desk: Desk) -> None:
    result = await desk.run("todowrite", todos=[])
    assert shown_text(result) == "No steps."
