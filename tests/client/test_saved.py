"""What editors make of a write as they save it: what is set right, what is left alone, and what the model is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from acp_agent.client.saved import SAVE_WAITS, Form, Write, as_on_disk, difference, outcome
from acp_agent.client.workspace import ClientWorkspace
from acp_agent.log import NO_LOG
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import ClientCapabilities, FileSystemCapabilities
from acp_agent.tools import BUILTIN
from acp_agent.tools.base import ToolContext
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.text_codec import encode
from acp_agent.tools.workspace import TextFile

pytestmark = pytest.mark.anyio

MARK = b"\xef\xbb\xbf"
TOOLS = {tool.name: tool for tool in BUILTIN}
OLD = "one\ntwo\nthree\n"
NEW = "one\n2\nthree\n"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Editor:
    """`decode` makes a buffer of bytes, `encode` bytes of a buffer as it is saved; `formats` changes the buffer first.

    `saves` is False for an editor that leaves saving to the person.
    """

    def __init__(self, path: Path, **how: Any) -> None:
        self.path = path
        self.decode: Callable[[bytes], str] = how.get("decode", lambda data: data.decode())
        self.encode: Callable[[str], bytes] = how.get("encode", lambda text: text.encode())
        self.formats: Callable[[str], str] = how.get("formats", lambda text: text)
        self.saves: bool = how.get("saves", True)
        self.unsaved: str | None = how.get("unsaved")
        self.asked: list[str] = []

    async def request(self, method: str, params: dict[str, Any], size: int = 256, undo: Any = None) -> Any:
        await anyio.lowlevel.checkpoint()
        self.asked.append(method)
        if method == "fs/read_text_file":
            if self.unsaved is None and not self.path.exists():
                raise RpcError(-32002, "no such file")
            return {"content": self.decode(self.path.read_bytes()) if self.unsaved is None else self.unsaved}
        self.unsaved = self.formats(params["content"])
        if self.saves:
            self.path.write_bytes(self.encode(self.unsaved))
            self.unsaved = None
        return {}


async def edited(
    editor: Editor, old: str, new: str, *, tool: str = "edit", reads: bool = True, **arguments: Any
) -> tuple[str, Any]:
    """Run a tool through the editor; gives what the model is told, and the diff."""
    offers = ClientCapabilities(fs=FileSystemCapabilities(read_text_file=reads, write_text_file=True))
    local = LocalWorkspace((editor.path.parent,), ProcessTable(), {})
    workspace = ClientWorkspace("ses", local, editor, offers, NO_LOG, waits=(0.0, 0.0))

    async def emit(_: Any) -> None:
        raise AssertionError("a file tool shows nothing meanwhile")

    context = ToolContext("call", editor.path.parent, workspace, emit)
    said = {
        "filePath": editor.path.name,
        **({"oldString": old, "newString": new} if tool == "edit" else {}),
        **arguments,
    }
    result = await TOOLS[tool].run(TOOLS[tool].params.model_validate(said), context)
    return result.output, result.content[0]


def crlf(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


BEYOND = {
    "reformatted as a whole": (lambda text: text.upper().encode(), "lines that were not edited"),
    "line endings turned": (crlf, "its line endings"),
    "a mark added": (lambda text: MARK + text.encode(), "its byte order mark"),
    "a final newline added": (lambda text: text.encode() + b"\n", "its last line ending"),
    "the final newline taken": (lambda text: text.rstrip("\n").encode(), "its last line ending"),
    "another encoding": (lambda text: (text + "é\n").encode("latin-1"), "its encoding"),
    "trailing blanks taken": (lambda text: text.replace("one ", "one").encode(), "lines that were not edited"),
    "cut off": (lambda text: text[:5].encode(), "lines that were not edited"),
    "empty": (lambda _text: b"", "lines that were not edited"),
}


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(("saved", "what"), BEYOND.values(), ids=BEYOND)
async def test_what_changes_beyond_the_edit_is_set_right_once_and_told(
    tmp_path: Path, saved: Any, what: str, reads: bool
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one \ntwo\nthree\n")
    editor = Editor(path, encode=saved, decode=lambda data: data.decode("latin-1") if reads else "")
    if reads:  # the editor's text is what was meant; saving changed it
        editor.decode = lambda _data: (
            "one \n2\nthree\n" if "fs/write_text_file" in editor.asked else "one \ntwo\nthree\n"
        )
    output, diff = await edited(editor, "two", "2", reads=reads)
    assert path.read_bytes() == b"one \n2\nthree\n"
    assert f"The editor changed {what} as it saved a.txt. That was set right on the disk" in output
    assert editor.asked.count("fs/write_text_file") == 1
    assert (diff.old_text, diff.new_text) == ("one \ntwo\nthree\n", "one \n2\nthree\n")


async def test_a_formatter_that_keeps_to_the_new_lines_is_let_be_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(OLD)
    output, diff = await edited(Editor(path, formats=lambda text: text.replace("2", "2;  // two")), "two", "2")
    assert path.read_text() == "one\n2;  // two\nthree\n"
    assert output.endswith("The editor changed the new lines as it saved them. Read the file before you edit it again.")
    assert diff.new_text == NEW, "a person sees what was meant"


async def test_a_new_file_is_all_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    output, _ = await edited(Editor(path, encode=crlf), "", "", tool="write", content="one\ntwo\n")
    assert path.read_bytes() == b"one\r\ntwo\r\n"
    assert "changed the new lines" in output


async def test_a_new_file_in_another_encoding_is_set_right(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    editor = Editor(path, encode=lambda text: text.encode("latin-1"))
    output, _ = await edited(editor, "", "", tool="write", reads=False, content="né\n")
    assert path.read_bytes() == "né\n".encode()
    assert "its encoding" in output


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("new_file", [True, False])
async def test_an_editor_that_has_not_saved_keeps_its_buffer_and_the_disk_is_let_be(
    tmp_path: Path, reads: bool, new_file: bool
) -> None:
    path = tmp_path / "a.txt"
    if not new_file:
        path.write_text(OLD)
    editor = Editor(path, saves=False)
    if new_file:
        output, _ = await edited(editor, "", "", tool="write", reads=reads, content=NEW)
    else:
        output, _ = await edited(editor, "two", "2", reads=reads)
    assert "The editor has the change and has not saved it" in output
    assert editor.unsaved == NEW
    assert not path.exists() if new_file else path.read_text() == OLD


async def test_an_editor_that_confirms_and_does_nothing_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(OLD)
    editor = Editor(path, formats=lambda _text: OLD, saves=False)
    output, _ = await edited(editor, "two", "2")
    assert "shows no change yet" in output
    assert path.read_text() == OLD


async def test_a_person_who_types_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(OLD)
    for saves in (True, False):
        editor = Editor(path, encode=lambda text: text.upper().encode(), saves=saves)
        if not saves:
            editor.formats = lambda text: text + "typed"
        else:
            editor.decode = lambda _data, editor=editor: "typed" if "fs/write_text_file" in editor.asked else OLD
        path.write_text(OLD)
        output, _ = await edited(editor, "two", "2")
        assert "The text was changed in the editor meanwhile" in output
        assert path.read_text() == (NEW.upper() if saves else OLD)


async def test_a_correction_that_fails_is_told_and_the_edit_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(OLD)

    def replaced(text: str) -> bytes:
        path.with_name("b").mkdir(exist_ok=True)
        return crlf(text)

    class Full(LocalWorkspace):
        async def write_text(self, file: TextFile, before: str | None = None) -> str:
            from acp_agent.tools.base import ToolError

            raise ToolError("a.txt cannot be written: No space left on device.")

    offers = ClientCapabilities(fs=FileSystemCapabilities(write_text_file=True))
    local = Full((tmp_path,), ProcessTable(), {})
    workspace = ClientWorkspace("ses", local, Editor(path, encode=replaced), offers, NO_LOG, waits=(0.0,))
    note = await workspace.write_text(TextFile(path, NEW), OLD)
    assert note == (
        "The editor changed its line endings as it saved a.txt, and that could not be set right: "
        "a.txt cannot be written: No space left on device."
    )


# The matrix of line endings, marks and editors: five edits leave all other bytes as they were.


ENDINGS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r", "mixed": None}


def _body(ending: str | None) -> str:
    endings = itertools.cycle(["\n", "\r\n"]) if ending is None else itertools.repeat(ending)
    return "".join(f"line {number}{end}" for number, end in zip(range(8), endings, strict=False))


def universal(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n").replace("\r", "\n")


EDITORS = {
    "as it is": {},
    "reads and writes LF": {"decode": universal, "encode": lambda text: universal(text.encode()).encode()},
    "reads LF and writes CRLF": {"decode": universal, "encode": lambda text: text.replace("\n", "\r\n").encode()},
    "takes the mark away": {
        "decode": lambda data: data.removeprefix(MARK).decode(),
        "encode": lambda text: text.removeprefix("\ufeff").encode(),
    },
    "adds a mark": {"encode": lambda text: MARK + text.removeprefix("\ufeff").encode()},
    "knows marks": {"decode": lambda data: data.decode("utf-8-sig"), "encode": lambda text: text.encode("utf-8-sig")},
}


@pytest.mark.parametrize("how", EDITORS.values(), ids=EDITORS)
@pytest.mark.parametrize("mark", [b"", MARK], ids=["no mark", "mark"])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_five_edits_change_nothing_but_what_they_edit(
    tmp_path: Path, ending: str | None, mark: bytes, how: Any
) -> None:
    path = tmp_path / "a.txt"
    expected = mark + _body(ending).encode()
    path.write_bytes(expected)
    editor = Editor(path, **how)
    for number in range(5):
        await edited(editor, f"line {number}", f"zeile {number}", replaceAll=False)
        expected = expected.replace(f"line {number}".encode(), f"zeile {number}".encode())
        assert path.read_bytes() == expected
    assert editor.asked.count("fs/write_text_file") == 5


async def test_an_unsaved_buffer_in_lf_keeps_the_endings_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\r\n")
    editor = Editor(path, unsaved="one\ntwo\nunsaved\n", encode=lambda text: text.replace("\n", "\r\n").encode())
    output, diff = await edited(editor, "two", "2")
    assert path.read_bytes() == b"one\r\n2\r\nunsaved\r\n"
    assert diff.new_text == "one\r\n2\r\nunsaved\r\n"
    assert "editor" not in output


# Looking at the disk.


def _write(**more: Any) -> Write:
    given: dict[str, Any] = {
        "file": TextFile(Path("/a"), NEW),
        "before": OLD,
        "old": OLD.encode(),
        "form": Form(),
        **more,
    }
    return Write(**given)


@pytest.mark.parametrize("anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))])
@pytest.mark.parametrize(
    ("seen", "said", "seconds"),
    [
        ([NEW], "as meant", 0.0),
        ([OLD, NEW], "as meant", SAVE_WAITS[0]),
        ([OLD, OLD, "one\n", NEW], "as meant", sum(SAVE_WAITS)),
        ([OLD], "not saved", sum(SAVE_WAITS)),
        (["ONE\n", "ONE\n"], "altered outside", SAVE_WAITS[0]),
        (["", "ONE\n", "ONE\n"], "altered outside", SAVE_WAITS[0] + SAVE_WAITS[1]),
    ],
)
async def test_the_disk_is_looked_at_until_it_is_as_meant_or_stays(seen: list[str], said: str, seconds: float) -> None:
    looks = iter(seen)
    last = seen[-1]

    async def look() -> bytes | None:
        return next(looks, last).encode()

    async def buffer() -> str | None:
        return None

    begin = anyio.current_time()
    found, _ = await outcome(_write(), look, buffer, SAVE_WAITS)
    assert found == said
    assert anyio.current_time() - begin == pytest.approx(seconds)


_TEXT = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=6).map("\n".join)


@given(before=_TEXT, after=_TEXT, found=_TEXT)
@settings(max_examples=300)
def test_a_text_that_differs_only_inside_keeps_every_line_around_the_edit(before: str, after: str, found: str) -> None:
    async def look() -> bytes | None:
        return found.encode()

    async def buffer() -> str | None:
        return None

    write = _write(file=TextFile(Path("/a"), after), before=before, old=b"\x00 something else")
    said, data = anyio.run(outcome, write, look, buffer, ())
    assert (said == "as meant") == (found == after)
    lines, old = after.split("\n"), before.split("\n")
    if said == "altered inside":
        kept = found.split("\n")
        head = next((n for n, pair in enumerate(zip(lines, old, strict=False)) if pair[0] != pair[1]), 0)
        assert kept[: max(head - 1, 0)] == lines[: max(head - 1, 0)]
    if said == "altered outside":
        assert difference(write.file, data or b"")


@given(text=st.text(alphabet="ab\n", max_size=8), ending=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_a_buffer_in_lf_becomes_the_text_of_the_disk_and_goes_back_as_it_came(
    text: str, ending: str, mark: bool
) -> None:
    disk = TextFile(Path("/a"), text.replace("\n", ending), "utf-8", MARK if mark else b"")
    buffer = ("\ufeff" if mark else "") + text
    file, form = as_on_disk(buffer, disk)
    assert file == disk
    assert form.given(file) == buffer
    assert encode(file) == encode(disk)
