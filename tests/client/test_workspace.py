"""Text files as the editor has them: unsaved buffers, one write, and what happens when the editor does not help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from acp_agent.client.workspace import ClientWorkspace
from acp_agent.log import NO_LOG
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import ClientCapabilities, FileSystemCapabilities
from acp_agent.tools.base import ToolError
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.workspace import TextFile
from tests.harness import Rig, call, tools

pytestmark = pytest.mark.anyio

READS = FileSystemCapabilities(read_text_file=True)
WRITES = FileSystemCapabilities(write_text_file=True)
BOTH = FileSystemCapabilities(read_text_file=True, write_text_file=True)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


FAKE_CLOCK = pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))]
)


class Editor:
    """The client's side of `fs/*`: unsaved texts by path; `answer` replaces its answers."""

    def __init__(self, **buffers: str) -> None:
        self.buffers = buffers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: Callable[[str, dict[str, Any]], Any] | None = None

    async def request(self, method: str, params: dict[str, Any], size: int = 256, undo: Any = None) -> Any:
        self.asked.append((method, params))
        await anyio.lowlevel.checkpoint()
        if self.answer is not None:
            answer = self.answer(method, params)
            if answer is Ellipsis:
                await anyio.sleep_forever()
            if isinstance(answer, Exception):
                raise answer
            return answer
        name = Path(params["path"]).name
        if method == "fs/write_text_file":
            self.buffers[name] = params["content"]
            return None
        if name not in self.buffers:
            raise RpcError(-32002, "no such file")
        return {"content": self.buffers[name]}


class OneThreadLess(LocalWorkspace):
    """Files without a thread, so that a clock that jumps when all are idle does not jump over the disk."""

    async def read_text(self, path: Path) -> TextFile:
        return TextFile(path, path.read_text())

    async def write_text(self, file: TextFile, before: str | None = None) -> str:
        file.path.write_text(file.text)
        return ""

    async def exists(self, path: Path) -> bool:
        return path.exists()


def _workspace(folder: Path, editor: Editor, offers: FileSystemCapabilities, local: Any = LocalWorkspace) -> Any:
    local_one = local((folder,), ProcessTable(), {})
    return ClientWorkspace("ses", local_one, editor, ClientCapabilities(fs=offers), NO_LOG, waits=())


async def test_an_unsaved_buffer_wins_over_the_disk_and_the_whole_file_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("saved\n")
    editor = Editor(**{"a.txt": "unsaved\n"})
    file = await _workspace(tmp_path, editor, BOTH).read_text(tmp_path / "a.txt")
    assert file == TextFile(tmp_path / "a.txt", "unsaved\n")
    assert editor.asked == [("fs/read_text_file", {"sessionId": "ses", "path": str(tmp_path / "a.txt")})]


async def test_a_file_that_only_the_editor_has_is_read_from_it(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, Editor(**{"new.txt": "not saved yet\n"}), BOTH)
    assert await workspace.exists(tmp_path / "new.txt")
    assert (await workspace.read_text(tmp_path / "new.txt")).text == "not saved yet\n"


@pytest.mark.parametrize(
    "answer",
    [RpcError(-32601, "no"), None, {}, {"content": None}, {"content": 5}, {"text": "x"}, "text", [], 7],
)
async def test_an_editor_that_gives_no_text_is_gone_around(tmp_path: Path, answer: Any) -> None:
    (tmp_path / "a.txt").write_text("saved\n")
    editor = Editor()
    editor.answer = lambda _method, _params: answer
    workspace = _workspace(tmp_path, editor, BOTH)
    assert (await workspace.read_text(tmp_path / "a.txt")).text == "saved\n"
    with pytest.raises(ToolError):
        await workspace.read_text(tmp_path / "missing.txt")


async def test_an_editor_that_answers_a_missing_file_with_nothing_does_not_make_it_exist(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, Editor(**{"missing.txt": ""}), BOTH)
    assert not await workspace.exists(tmp_path / "missing.txt")
    with pytest.raises(ToolError):
        await workspace.read_text(tmp_path / "missing.txt")


async def test_a_write_is_one_request_and_leaves_the_disk_to_the_editor(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old\n")
    editor = Editor()
    await _workspace(tmp_path, editor, WRITES).write_text(TextFile(tmp_path / "a.txt", "new\n"))
    request = {"sessionId": "ses", "path": str(tmp_path / "a.txt"), "content": "new\n"}
    assert editor.asked == [("fs/write_text_file", request)]
    assert (tmp_path / "a.txt").read_text() == "old\n"


async def test_the_directories_of_a_new_file_are_made(tmp_path: Path) -> None:
    await _workspace(tmp_path, Editor(), WRITES).write_text(TextFile(tmp_path / "x" / "y" / "a.txt", "new\n"))
    assert (tmp_path / "x" / "y").is_dir()


async def test_what_is_not_offered_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("saved\n")
    editor = Editor(**{"a.txt": "unsaved\n"})
    assert (await _workspace(tmp_path, editor, WRITES).read_text(tmp_path / "a.txt")).text == "saved\n"
    await _workspace(tmp_path, editor, READS).write_text(TextFile(tmp_path / "a.txt", "new\n"))
    assert editor.asked == []
    assert (tmp_path / "a.txt").read_text() == "new\n"


async def test_a_write_that_the_editor_refuses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old\n")
    editor = Editor()
    editor.answer = lambda _method, _params: RpcError(-32603, "the user declined")
    with pytest.raises(ToolError, match=r"did not write a\.txt: the user declined"):
        await _workspace(tmp_path, editor, BOTH).write_text(TextFile(tmp_path / "a.txt", "new\n"))
    assert (tmp_path / "a.txt").read_text() == "old\n"


async def test_a_write_that_the_editor_does_not_know_goes_to_the_disk(tmp_path: Path) -> None:
    editor = Editor()
    editor.answer = lambda _method, _params: RpcError(-32601, "Method not found")
    await _workspace(tmp_path, editor, BOTH).write_text(TextFile(tmp_path / "a.txt", "new\n"))
    assert (tmp_path / "a.txt").read_text() == "new\n"
    assert len(editor.asked) == 1


async def test_a_file_that_is_not_utf_8_on_the_disk_bypasses_the_editor(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("grün".encode("latin-1"))
    editor = Editor(**{"a.txt": "gr\ufffdn"})
    workspace = _workspace(tmp_path, editor, BOTH)
    file = await workspace.read_text(tmp_path / "a.txt")
    assert file.text == "grün"
    await workspace.write_text(TextFile(file.path, "grüner", file.encoding, file.bom))
    assert (tmp_path / "a.txt").read_bytes() == "grüner".encode("latin-1")
    assert editor.asked == []


@pytest.mark.parametrize("handed_over", ["\ufefftext\n", "text\n"])
async def test_a_byte_order_mark_stays_one_mark_when_a_write_falls_back_to_the_disk(
    tmp_path: Path, handed_over: str
) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbftext\n")
    editor = Editor()
    editor.answer = lambda method, _params: (
        {"content": handed_over} if method == "fs/read_text_file" else RpcError(-32601, "no")
    )
    workspace = _workspace(tmp_path, editor, BOTH)
    file = await workspace.read_text(tmp_path / "a.txt")
    await workspace.write_text(TextFile(file.path, file.text.replace("text", "more"), file.encoding, file.bom))
    assert (tmp_path / "a.txt").read_bytes() == b"\xef\xbb\xbfmore\n"


@FAKE_CLOCK
async def test_a_read_that_is_not_answered_within_30_seconds_falls_back_to_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("saved\n")
    editor = Editor()
    editor.answer = lambda _method, _params: ...
    before = anyio.current_time()
    file = await _workspace(tmp_path, editor, BOTH, OneThreadLess).read_text(tmp_path / "a.txt")
    assert (file.text, anyio.current_time() - before) == ("saved\n", 30.0)


async def test_a_write_that_is_not_confirmed_within_30_seconds_is_told_and_not_made_twice(tmp_path: Path) -> None:
    """The thread that makes directories must not count, so time stands still until the request is out."""
    import trio

    clock = MockClock()
    editor = Editor()

    def asked(_method: str, _params: dict[str, Any]) -> Any:
        clock.jump(30.0)
        return ...

    editor.answer = asked

    async def main() -> str:
        with pytest.raises(ToolError) as raised:
            await _workspace(tmp_path, editor, BOTH).write_text(TextFile(tmp_path / "a.txt", "new\n"))
        return str(raised.value)

    message = await anyio.to_thread.run_sync(lambda: trio.run(main, clock=clock))
    assert message == (
        "The editor did not confirm the write of a.txt within 30 s. "
        "It may still happen: read the file before trying again."
    )
    assert not (tmp_path / "a.txt").exists()
    assert len(editor.asked) == 1


async def test_an_edit_of_an_unsaved_buffer_keeps_it_and_writes_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (rig.cwd / "a.txt").write_text("one\n")
    editor = Editor(**{"a.txt": "one\nunsaved\n"})
    steps = [tools(call("edit", filePath="a.txt", oldString="one", newString="two")), "Ok."]
    async with rig.client(*steps) as client:
        await client.initialize(fs={"readTextFile": True, "writeTextFile": True})

        def read(params: Any) -> Any:
            return {"content": editor.buffers[Path(params["path"]).name]}

        def write(params: Any) -> Any:
            editor.buffers[Path(params["path"]).name] = params["content"]
            return {}

        client.answers.update({"fs/read_text_file": read, "fs/write_text_file": write})
        session = await client.new(rig.cwd)
        await client.prompt(session)
        asked = [
            message["method"]
            for who, message in client.lines
            if who == "agent" and "id" in message
            if "method" in message
        ]
        assert asked.count("fs/write_text_file") == 1
        assert editor.buffers == {"a.txt": "two\nunsaved\n"}
        diff = client.updates("tool_call_update")[-1]["content"][0]
        assert (diff["oldText"], diff["newText"]) == ("one\nunsaved\n", "two\nunsaved\n")
        assert all(
            "line" not in message["params"]
            for who, message in client.lines
            if message.get("method") == "fs/read_text_file"
        )
