"""The official Python SDK's client drives the real process. Order is judged by the raw messages, not by callbacks."""

from __future__ import annotations

import json
import logging
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

import acp
import anyio
import pytest

from tests.clients.python_sdk import Person, connected
from tests.e2e.test_turn import bash
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture(autouse=True)
def no_complaint_of_the_sdk(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_conversation_with_tools_permissions_modes_and_a_reload(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [
        Answer(["Hello ", "there."]),
        Answer("I run it. ", calls=[bash("echo ran > ran; echo out")]),
        Answer("Done."),
    ]
    person = Person("allow_once")
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        assert [mode.id for mode in session.modes.available_modes] == ["build", "plan"]

        first = await connection.prompt(session_id=id, prompt=[acp.text_block("hi")])
        assert first.stop_reason == "end_turn"
        assert wire.course()[2:] == ["agent_message_chunk", "agent_message_chunk", "answer"]
        assert wire.kinds().count("usage_update") == 1

        start = len(wire.messages)
        second = await connection.prompt(session_id=id, prompt=[acp.text_block("run it")])
        assert second.stop_reason == "end_turn"
        assert [kind for kind, _ in groupby(wire.course(start))] == [
            "agent_message_chunk",
            "tool_call pending",
            "session/request_permission",
            "tool_call_update in_progress",
            "tool_call_update completed",
            "agent_message_chunk",
            "answer",
        ]
        assert wire.kinds(start).count("usage_update") == 2
        assert (project / "ran").read_text() == "ran\n"
        assert len(person.asked) == 1

        await connection.set_session_mode(session_id=id, mode_id="plan")
        options = await connection.set_config_option(config_id="mode", session_id=id, value="build")
        assert {option.id: option.current_value for option in options.config_options} == {
            "model": "fake/small",
            "mode": "build",
        }
        await connection.close_session(session_id=id)
        start = len(wire.messages)
        await connection.load_session(cwd=str(project), session_id=id, mcp_servers=[])
        assert wire.course(start) == [
            "user_message_chunk",
            "agent_message_chunk",
            "user_message_chunk",
            "agent_message_chunk",
            "tool_call completed",
            "agent_message_chunk",
            "answer",
        ]
        listed = await connection.list_sessions(cwd=str(project))
        assert [each.session_id for each in listed.sessions] == [id]


@pytest.mark.parametrize("option", ["reject_once", None], ids=["rejected", "dismissed"])
async def test_a_refused_call_is_not_run(vendor: Vendor, project: Path, tmp_path: Path, option: str | None) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo > ran")]), Answer("Then not.")]
    person = Person(option)
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])

        answer = await connection.prompt(session_id=session.session_id, prompt=[acp.text_block("run")])

        assert answer.stop_reason == "end_turn"
        assert "tool_call_update failed" in wire.kinds()
        assert not (project / "ran").exists()
        assert len(person.asked) == 1


async def test_a_cancelled_turn_says_so_and_the_next_one_works(vendor: Vendor, project: Path, tmp_path: Path) -> None:
    vendor.replies += [Answer("Working.", pause=Event()), Answer("Next.")]
    async with connected(vendor, tmp_path, Person(None)) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        reasons = []

        async def ask() -> None:
            answer = await connection.prompt(session_id=id, prompt=[acp.text_block("work")])
            reasons.append(answer.stop_reason)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await wire.until_shown("Working.")
                await connection.cancel(session_id=id)
        await ask()

        assert reasons == ["cancelled", "end_turn"]


async def test_a_turn_is_cancelled_while_the_person_is_still_thinking(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    (project / "opencode.json").write_text('{"permission": {"bash": "ask"}}')
    vendor.replies += [Answer(calls=[bash("echo > ran")]), Answer("Next.")]
    person = Person("hold")
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        reasons = []

        async def ask() -> None:
            answer = await connection.prompt(session_id=id, prompt=[acp.text_block("run")])
            reasons.append(answer.stop_reason)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await wire.until_shown("session/request_permission")
                await connection.cancel(session_id=id)
        person.gave_up.set()
        await ask()

        assert reasons == ["cancelled", "end_turn"]
        assert not (project / "ran").exists()


async def test_an_unsaved_buffer_is_read_and_edited_and_a_new_file_is_written_through_the_client(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    (project / "a.txt").write_text("saved\n")
    vendor.replies += [
        Answer(calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer(calls=[Call("edit", '{"filePath": "a.txt", "oldString": "unsaved", "newString": "changed"}')]),
        Answer(calls=[Call("write", '{"filePath": "new/b.txt", "content": "fresh\\n"}')]),
        Answer("Done."),
    ]
    person = Person(None, **{"a.txt": "unsaved\n"})
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])

        answer = await connection.prompt(session_id=session.session_id, prompt=[acp.text_block("go")])

        assert answer.stop_reason == "end_turn"
        assert person.buffers == {"a.txt": "changed\n", "b.txt": "fresh\n"}
        assert "unsaved" in str(vendor.requests[1].body["messages"][-1])
        assert [Path(params["path"]).name for params in wire.asked("fs/write_text_file")] == ["a.txt", "b.txt"]


async def test_a_session_goes_on_in_another_process_without_a_replay(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    vendor.replies += [Answer("Hello there."), Answer("I do.")]
    async with connected(vendor, tmp_path, Person(None)) as (connection, _):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        await connection.prompt(session_id=id, prompt=[acp.text_block("hi")])

    person = Person(None)
    async with connected(vendor, tmp_path, person) as (connection, wire):
        everywhere = await connection.list_sessions()
        elsewhere = await connection.list_sessions(cwd=str(tmp_path))
        resumed = await connection.resume_session(session_id=id, cwd=str(project), mcp_servers=[])
        assert not wire.shown("_chunk", "session/resume")
        answer = await connection.prompt(session_id=id, prompt=[acp.text_block("do you remember?")])
        await connection.close_session(session_id=id)
        with pytest.raises(acp.RequestError) as unknown:
            await connection.load_session(session_id="ses_nobody", cwd=str(project), mcp_servers=[])

    assert [each.session_id for each in everywhere.sessions] == [id]
    assert elsewhere.sessions == []
    assert resumed.modes.current_mode_id == "build"
    assert answer.stop_reason == "end_turn"
    assert "Hello there." in str(vendor.requests[-1].body["messages"])
    assert (unknown.value.code, unknown.value.data) == (-32002, {"sessionId": "ses_nobody"})


async def test_what_does_not_exist_cannot_be_chosen(vendor: Vendor, project: Path, tmp_path: Path) -> None:
    async with connected(vendor, tmp_path, Person(None)) as (connection, _):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        codes = []
        for wrong in (
            connection.set_session_mode(session_id=id, mode_id="nonsense"),
            connection.set_config_option(config_id="nonsense", session_id=id, value="x"),
            connection.set_config_option(config_id="model", session_id=id, value="no/such"),
        ):
            with pytest.raises(acp.RequestError) as refused:
                await wrong
            codes.append(refused.value.code)

    assert codes == [-32602] * 3


async def test_one_logs_in_and_works_in_several_folders(vendor: Vendor, project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("over there\n")
    vendor.replies += [Answer(calls=[Call("read", json.dumps({"filePath": str(outside / "a.txt")}))]), Answer("Done.")]
    person = Person("reject_once", **{"a.txt": "over there\n"})
    async with connected(vendor, tmp_path, person) as (connection, _):
        await connection.authenticate(method_id="configuration")
        with pytest.raises(acp.RequestError) as unknown:
            await connection.authenticate(method_id="nobody")
        session = await connection.new_session(cwd=str(project), additional_directories=[str(outside)], mcp_servers=[])
        answer = await connection.prompt(session_id=session.session_id, prompt=[acp.text_block("look")])
        listed = await connection.list_sessions()

    assert unknown.value.code == -32602
    assert answer.stop_reason == "end_turn"
    assert person.asked == []
    assert "over there" in str(vendor.requests[-1].body["messages"][-1])
    assert listed.sessions[0].additional_directories == [str(outside)]


async def test_commands_titles_modes_and_grouped_models_arrive_as_the_sdks_own_types(
    vendor: Vendor, project: Path, tmp_path: Path
) -> None:
    vendor.replies.append(Answer("Hello."))
    person = Person(None)
    async with connected(vendor, tmp_path, person) as (connection, wire):
        session = await connection.new_session(cwd=str(project), mcp_servers=[])
        id = session.session_id
        await wire.until_shown("available_commands_update")
        start = len(wire.messages)
        await connection.prompt(session_id=id, prompt=[acp.text_block("/mode plan")])
        assert "current_mode_update" in wire.kinds(start)
        await connection.prompt(session_id=id, prompt=[acp.text_block("Please mend the build")])
        await wire.until_shown("session_info_update")

    [model] = [option for option in session.config_options if option.id == "model"]
    assert [(group.group, [each.value for each in group.options]) for group in model.options] == [
        ("fake", ["fake/small"])
    ]
    told = {update.session_update: update for update in person.updates}
    assert {"help", "mode", "model"} <= {
        command.name for command in told["available_commands_update"].available_commands
    }
    assert told["current_mode_update"].current_mode_id == "plan"
    assert [option.current_value for option in told["config_option_update"].config_options] == ["fake/small", "plan"]
    assert told["session_info_update"].title
    opened = wire.kinds().index("answer", 1)
    assert wire.kinds().index("available_commands_update") > opened
