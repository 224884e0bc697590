"""The official TypeScript SDK drives the real process; its stable schemas judge every message of the agent's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.stand import Report, Stand
from tests.harness import call, tools

pytestmark = pytest.mark.clients

CAPABILITIES = ".agentCapabilities.sessionCapabilities"
NEWER = {("initialize", f"{CAPABILITIES}.systemPrompt")}
"""Stable by now, and not yet in the schema of this version of the SDK."""

OUTSIDE = {
    *((f"session/{opening}", ".models") for opening in ("new", "load", "resume")),
    *(("initialize", f"{CAPABILITIES}.{name}") for name in ("status", "options", "title")),
}
"""What a client may ignore, and one that is known to be strict does not get (protocol/README.md, Extensions)."""


def play(stand: Stand, flow: str, **setup: Any) -> Report:
    """A flow of the SDK's client. It rejected and replaced nothing, and dropped nothing but what is documented."""
    report = stand.play("sdk_flows.mjs", flow, **setup)
    assert dropped(report) <= NEWER | OUTSIDE
    return report


def dropped(report: Report) -> set[tuple[str, str]]:
    """Method and path of every field that the stable schema does not have; whatever else it minds fails the test."""
    assert [each for each in report.problems if each["what"] != "stripped"] == []
    return {(each["method"], each["path"]) for each in report.problems}


def values(options: list[dict[str, Any]]) -> dict[str, Any]:
    return {option["id"]: option["currentValue"] for option in options}


def test_a_prompt_streams_text_and_ends_the_turn(stand: Stand) -> None:
    stand.script("Grüße aus dem Skript.")

    report = play(stand, "prompt")

    assert report.result["said"] == "Grüße aus dem Skript."
    assert report.result["response"]["stopReason"] == "end_turn"
    assert report.result["initialized"]["protocolVersion"] == 1
    assert len(report.wire.updates("agent_message_chunk")) > 1
    assert report.wire.kinds()[-1] == "answer"


@pytest.mark.parametrize(
    ("answer", "runs"), [("allow_once", True), ("allow_always", True), ("reject_once", False), ("cancelled", False)]
)
def test_a_permission_is_asked_for_and_obeyed(stand: Stand, answer: str, runs: bool) -> None:
    stand.config["permission"] = {"bash": "ask"}
    stand.script(tools(call("bash", command="echo ran > ran", description="run"), text="I run it."), "Done.")

    report = play(stand, "turn", answer=answer)

    assert report.result["response"]["stopReason"] == "end_turn"
    assert len(report.result["asked"]) == 1
    assert (stand.project / "ran").exists() is runs
    ends = [update.get("status") for update in report.wire.updates("tool_call_update")]
    assert ends[-1] == ("completed" if runs else "failed")
    kinds = report.wire.kinds()
    assert kinds.index("session/request_permission") > kinds.index("tool_call pending")


def test_an_unsaved_buffer_is_read_and_an_edit_is_written_to_the_editor(stand: Stand) -> None:
    file, new = stand.project / "a.txt", stand.project / "new" / "b.txt"
    file.write_text("saved\n")
    stand.script(
        tools(call("read", filePath="a.txt")),
        tools(call("edit", filePath="a.txt", oldString="unsaved", newString="changed")),
        tools(call("write", filePath="new/b.txt", content="fresh\n")),
        "Done.",
    )

    report = play(stand, "turn", buffers={str(file): "unsaved\n"})

    assert report.result["response"]["stopReason"] == "end_turn"
    assert report.result["buffers"] == {str(file): "changed\n", str(new): "fresh\n"}
    assert len(report.wire.asked("fs/write_text_file")) == 2
    shown = [update["status"] for update in report.wire.updates("tool_call_update") if "status" in update]
    assert shown.count("completed") == 3


def test_without_the_capability_the_disk_is_used(stand: Stand) -> None:
    (stand.project / "a.txt").write_text("saved\n")
    stand.script(
        tools(call("read", filePath="a.txt")),
        tools(call("edit", filePath="a.txt", oldString="saved", newString="changed")),
        "Done.",
    )

    report = play(stand, "turn", capabilities={})

    assert (stand.project / "a.txt").read_text() == "changed\n"
    assert not [kind for kind in report.wire.kinds() if kind.startswith("fs/")]


def test_a_cancelled_turn_is_answered_cancelled_and_the_next_one_works(stand: Stand) -> None:
    stand.script({"text": "Working on it.", "hold": True}, "Next.")

    report = play(stand, "cancel", until="Working")

    assert report.result["cancelled"]["stopReason"] == "cancelled"
    assert report.result["next"]["stopReason"] == "end_turn"


@pytest.mark.parametrize(("answer", "taken_back"), [("wait", 1), ("hold", 0)], ids=["taken back", "given up"])
def test_a_turn_is_cancelled_while_a_question_is_open(stand: Stand, answer: str, taken_back: int) -> None:
    stand.config["permission"] = {"bash": "ask"}
    stand.script(tools(call("bash", command="echo ran > ran", description="run")), "Next.")

    report = play(stand, "cancel", answer=answer)

    assert report.result["cancelled"]["stopReason"] == "cancelled"
    assert report.result["next"]["stopReason"] == "end_turn"
    assert report.result["takenBack"] == taken_back
    assert not (stand.project / "ran").exists()


def test_a_session_is_loaded_closed_resumed_and_listed_by_another_process(stand: Stand) -> None:
    stand.script("Hello.", "More.")
    session = play(stand, "talk").result

    report = play(stand, "reopen", session=session)

    told = report.result
    replayed = [each["update"]["sessionUpdate"] for each in told["replayed"]]
    assert replayed[:2] == ["user_message_chunk", "agent_message_chunk"]
    assert told["again"]["stopReason"] == "end_turn"
    assert told["closed"] == {}
    assert not [each for each in told["silent"] if each["update"]["sessionUpdate"].endswith("_chunk")]
    assert not report.wire.shown("_chunk", "session/resume")
    for opened in (told["loaded"], told["resumed"]):
        assert opened["modes"]["currentModeId"] == "build"
        assert values(opened["configOptions"]) == {"model": "scripted/demo", "mode": "build"}
    assert [each["sessionId"] for each in told["here"]["sessions"]] == [session]
    assert [each["sessionId"] for each in told["everywhere"]["sessions"]] == [session]
    assert told["unknown"] == {"code": -32002, "data": {"sessionId": "ses_nobody"}}


def test_mode_and_model_are_changed_and_the_whole_list_comes_back(stand: Stand) -> None:
    report = play(stand, "options")

    told = report.result
    assert [mode["id"] for mode in told["modes"]["availableModes"]] == ["build", "plan"]
    assert values(told["configOptions"]) == {"model": "scripted/demo", "mode": "build"}
    assert told["mode"] == {}
    assert values(told["model"]["configOptions"]) == {"model": "scripted/other", "mode": "plan"}
    assert values(told["back"]["configOptions"]) == {"model": "scripted/other", "mode": "build"}
    assert [each["code"] for each in told["wrong"]] == [-32602, -32602, -32602]
    updates = report.wire.updates("current_mode_update", "config_option_update")
    assert {update["sessionUpdate"] for update in updates} == {"current_mode_update", "config_option_update"}
    assert values(updates[-1]["configOptions"]) == values(told["back"]["configOptions"])


def test_models_are_grouped_by_provider_and_the_schema_takes_it(stand: Stand) -> None:
    stand.config["provider"]["more"] = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": "http://127.0.0.1:9/v1", "apiKey": "unused"},
        "models": {"small": {"name": "Small"}},
    }

    told = play(stand, "options").result

    [model] = [option for option in told["configOptions"] if option["id"] == "model"]
    groups = {group["group"]: [option["value"] for option in group["options"]] for group in model["options"]}
    assert groups == {"scripted": ["scripted/demo", "scripted/other"], "more": ["more/small"]}


def test_a_strict_client_gets_nothing_outside_of_the_stable_schema(stand: Stand) -> None:
    stand.script("Hello.", "More.")
    session = play(stand, "talk").result

    report = play(stand, "reopen", session=session, name="acp-tck")

    assert dropped(report) <= NEWER


def test_authenticate_is_answered_and_a_session_can_be_opened_after_it(stand: Stand) -> None:
    told = play(stand, "authenticate").result

    assert len(told["offered"]) == 1
    assert told["done"] == {}
    assert told["wrong"]["code"] == -32602
    assert told["session"]


def test_a_deleted_session_is_gone_and_may_be_deleted_again(stand: Stand) -> None:
    stand.script("Hello.")

    told = play(stand, "remove").result

    assert len(told["before"]["sessions"]) == 1
    assert (told["deleted"], told["again"]) == ({}, {})
    assert told["after"]["sessions"] == []
    assert (told["load"]["code"], told["prompt"]["code"]) == (-32002, -32002)


def test_a_file_in_a_further_folder_is_read_without_a_question(stand: Stand) -> None:
    outside = stand.folder / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("there\n")
    stand.script(tools(call("read", filePath=str(outside / "a.txt"))), "Done.")

    told = play(stand, "roots", roots=[str(outside)], capabilities={}, answer="reject_once").result
    without = play(stand, "roots", roots=[], capabilities={}, answer="reject_once").result

    assert told["wrong"]["code"] == -32602
    assert told["asked"] == []
    assert len(without["asked"]) == 1
    assert {tuple(each["additionalDirectories"]) for each in without["listed"]["sessions"]} == {(), (str(outside),)}


def test_a_request_for_a_prompt_is_cancelled_by_its_id(stand: Stand) -> None:
    stand.script({"text": "Working on it.", "hold": True}, "Next.")

    report = play(stand, "cancelRequest")

    assert report.wire.sent("$/cancel_request")
    assert report.result["cancelled"]["stopReason"] == "cancelled"
    assert report.result["next"]["stopReason"] == "end_turn"


def test_commands_a_title_and_changes_of_the_mode_are_told_unasked(stand: Stand) -> None:
    stand.script("Hello.")

    report = play(stand, "unasked")

    told = report.result
    assert (told["command"]["stopReason"], told["response"]["stopReason"]) == ("end_turn", "end_turn")
    kinds = report.wire.kinds()
    opened = kinds.index("answer", kinds.index("answer") + 1)
    assert kinds.index("available_commands_update") > opened
    [commands] = report.wire.updates("available_commands_update")
    assert {"help", "init", "mode", "model"} <= {each["name"] for each in commands["availableCommands"]}
    assert [each["currentModeId"] for each in report.wire.updates("current_mode_update")] == ["plan"]
    assert [values(each["configOptions"])["mode"] for each in report.wire.updates("config_option_update")] == ["plan"]
    titles = [each["title"] for each in report.wire.updates("session_info_update") if "title" in each]
    assert titles
    assert titles[-1] == told["listed"]["sessions"][0]["title"]
