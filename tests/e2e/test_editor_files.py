"""Files through the editor: where the client offers it, and only there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.lines import PeerError
from tests.e2e.process import AgentProcess, vendor_config
from tests.e2e.test_turn import call_updates, tool_results
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call

pytestmark = pytest.mark.e2e

OFFERED = {"fs": {"readTextFile": True, "writeTextFile": True}}


class Editor:
    """The client's buffers; a write is kept, and reaches no disk."""

    def __init__(self, **buffers: str) -> None:
        self.buffers = buffers
        self.written: list[dict[str, Any]] = []

    def read(self, params: Any) -> Any:
        assert set(params) == {"sessionId", "path"}, "whole files only"
        name = Path(params["path"]).name
        if name not in self.buffers:
            raise PeerError(-32002, "no such buffer")
        return {"content": self.buffers[name]}

    def write(self, params: Any) -> Any:
        self.written.append(params)
        self.buffers[Path(params["path"]).name] = params["content"]
        return {}


@pytest.fixture(scope="module")
def editor_process(tmp_path_factory: pytest.TempPathFactory, package_vendor: Vendor) -> Any:
    home = tmp_path_factory.mktemp("editor") / "home"
    home.mkdir()
    process = AgentProcess(home, vendor_config(package_vendor))
    process.initialize(**OFFERED)
    yield process
    process.close()


@pytest.fixture
def editor_agent(editor_process: AgentProcess, vendor: Vendor) -> Any:
    editor_process.answers.clear()
    yield editor_process
    editor_process.check()


def asked(agent: AgentProcess, session: str) -> list[str]:
    return [
        line.message["method"]
        for line in agent.lines
        if str(line.message.get("method", "")).startswith("fs/") and line.message["params"]["sessionId"] == session
    ]


def edit(old: str, new: str, file: str = "a.txt") -> Call:
    return Call("edit", json.dumps({"filePath": file, "oldString": old, "newString": new}))


def test_an_unsaved_buffer_wins_and_an_edit_is_exactly_one_write(
    editor_agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    agent, file = editor_agent, project / "a.txt"
    file.write_text("saved\n")
    editor = Editor(**{"a.txt": "unsaved\n"})
    agent.answers.update({"fs/read_text_file": editor.read, "fs/write_text_file": editor.write})
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[edit("unsaved", "changed")]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert editor.written == [{"sessionId": session, "path": str(file), "content": "changed\n"}]
    assert file.read_text() == "saved\n"
    diff = {"type": "diff", "path": str(file), "oldText": "unsaved\n", "newText": "changed\n"}
    assert call_updates(agent, session)[-1]["content"] == [diff]
    assert asked(agent, session).count("fs/write_text_file") == 1


def test_a_new_file_is_written_through_the_editor(editor_agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    agent, editor = editor_agent, Editor()
    agent.answers.update({"fs/read_text_file": editor.read, "fs/write_text_file": editor.write})
    call = Call("write", json.dumps({"filePath": "new/b.txt", "content": "fresh\n"}))
    vendor.replies += [Answer(calls=[call]), Answer("Done.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    path = str(project / "new" / "b.txt")
    assert editor.written == [{"sessionId": session, "path": path, "content": "fresh\n"}]


def test_a_client_that_does_not_know_the_method_after_all_is_gone_around(
    editor_agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    def unknown(_params: Any) -> Any:
        raise PeerError(-32601, "Method not found")

    agent, file = editor_agent, project / "a.txt"
    file.write_text("saved\n")
    agent.answers.update({"fs/read_text_file": unknown, "fs/write_text_file": unknown})
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[edit("saved", "changed")]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert "saved" in str(vendor.requests[1].body["messages"][-1])
    assert file.read_text() == "changed\n"


def test_a_file_that_is_not_utf_8_never_passes_through_the_editor(
    editor_agent: AgentProcess, vendor: Vendor, project: Path
) -> None:
    agent, file = editor_agent, project / "a.txt"
    file.write_bytes("Grüße\r\n".encode("latin-1"))
    editor = Editor(**{"a.txt": "Gr\ufffd\ufffde\n"})
    agent.answers.update({"fs/read_text_file": editor.read, "fs/write_text_file": editor.write})
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[edit("Gr", "gr")]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert file.read_bytes() == "grüße\r\n".encode("latin-1")
    assert editor.written == []


def test_a_client_that_offers_nothing_is_not_asked(agent: AgentProcess, vendor: Vendor, project: Path) -> None:
    (project / "a.txt").write_text("saved\n")
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[edit("saved", "changed")]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert asked(agent, session) == []
    assert (project / "a.txt").read_text() == "changed\n"
    assert len(tool_results(vendor)) == 1


def test_a_client_that_only_reads_is_only_read_from(spawn: Spawn, vendor: Vendor, project: Path) -> None:
    agent = spawn(vendor_config(vendor), initialize=False)
    agent.initialize(fs={"readTextFile": True})
    editor = Editor(**{"a.txt": "unsaved\n"})
    agent.answers.update({"fs/read_text_file": editor.read})
    (project / "a.txt").write_text("saved\n")
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[edit("unsaved", "changed")]),
        Answer("Done."),
    ]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert set(asked(agent, session)) == {"fs/read_text_file"}
    assert (project / "a.txt").read_text() == "changed\n"


class SavingEditor(Editor):
    """An editor on the real disk: `saved` is what it makes of a text as it saves it."""

    def __init__(self, saved: Any) -> None:
        super().__init__()
        self.saved = saved

    def read(self, params: Any) -> Any:
        assert set(params) == {"sessionId", "path"}, "whole files only"
        return {"content": self.buffers.get(params["path"]) or Path(params["path"]).read_text()}

    def write(self, params: Any) -> Any:
        self.written.append(params)
        self.buffers[params["path"]] = params["content"]
        Path(params["path"]).write_bytes(self.saved(params["content"]))
        return {}


@pytest.mark.parametrize(
    ("saved", "left", "told"),
    [
        (
            lambda text: text.replace("\n", "\r\n").encode(),
            "one\n2\nthree\n",
            "changed its line endings as it saved a.txt",
        ),
        (lambda text: text.upper().encode(), "one\n2\nthree\n", "changed lines that were not edited as it saved a.txt"),
        (lambda text: text.replace("2", "2;").encode(), "one\n2;\nthree\n", "changed the new lines as it saved them"),
        (lambda text: text.encode(), "one\n2\nthree\n", None),
    ],
    ids=["line endings", "whole file", "new lines", "nothing"],
)
def test_what_an_editor_changes_beyond_the_edit_as_it_saves_is_set_right_and_told(
    editor_agent: AgentProcess, vendor: Vendor, project: Path, saved: Any, left: str, told: str | None
) -> None:
    agent, file = editor_agent, project / "a.txt"
    file.write_text("one\ntwo\nthree\n")
    editor = SavingEditor(saved)
    agent.answers.update({"fs/read_text_file": editor.read, "fs/write_text_file": editor.write})
    vendor.replies += [Answer(calls=[edit("two", "2")]), Answer("Done.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert file.read_bytes().decode() == left
    assert len(editor.written) == 1
    result = str(tool_results(vendor)[-1])
    assert told in result if told else "The editor" not in result
    diff = {"type": "diff", "path": str(file), "oldText": "one\ntwo\nthree\n", "newText": "one\n2\nthree\n"}
    assert call_updates(agent, session)[-1]["content"] == [diff]
