"""The flows of the VS Code extension "openspec", replayed by a client that does on the wire what the extension does:
it starts `opencode acp --port N --hostname 127.0.0.1`, runs `models` before each session, sends `initialize` again and
again, confuses requests with answers, and speaks to sessions that it never loaded."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.clients.stand import Report, Stand
from tests.e2e.process import vendor_config
from tests.fakes.vendor import Vendor, vendor_server
from tests.fakes.vendor_replies import Answer
from tests.harness import call, tools

pytestmark = pytest.mark.clients

BUILD_AND_PLAN = ["build", "plan"]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as vendor:
        yield vendor


def play(stand: Stand, flow: str, **setup: Any) -> Report:
    """A flow of the extension. Nobody saw a word on stderr, a method that the extension does not know, or "unknown"."""
    report = stand.play("openspec_flows.mjs", flow, **setup)
    for window in report.result if isinstance(report.result, list) else [report.result]:
        assert window["stderr"] == ""
        assert window["unexpected"] == []
        assert not [each for each in window["shown"] if each["text"].startswith("unknown")]
        assert window["ended"][-1] == {"code": 0, "signal": None}
        if window.get("models"):
            assert (window["models"]["code"], window["models"]["stderr"]) == (0, "")
    return report


def text(window: Any) -> list[str]:
    """What the chat shows as the agent's words, one a message."""
    return [each["text"] for each in window["shown"] if each["kind"] == "text"]


def test_activation_and_an_opening_view_connect_at_once_to_one_process(stand: Stand) -> None:
    stand.script("Grüße: 你好, 🙂.")

    report = play(stand, "activation")

    window = report.result
    assert [message["id"] for who, message in report.wire.messages[:2] if who == "client"] == [1, 2]
    assert len(report.wire.results("initialize")) == 2
    assert report.wire.results("initialize")[0] == report.wire.results("initialize")[1]
    assert window["listening"] is False
    assert window["models"]["stdout"].splitlines() == ["scripted/demo", "scripted/other"]
    assert window["pickers"] == {
        "modes": BUILD_AND_PLAN,
        "mode": "build",
        "models": ["scripted/demo", "scripted/other"],
        "model": "scripted/demo",
    }
    assert window["reason"] == "end_turn"
    assert text(window) == ["Grüße: 你好, 🙂."]


def test_the_configuration_file_may_come_in_the_environment(stand: Stand) -> None:
    folder = stand.home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text(json.dumps({**stand.config, "model": "scripted/other"}))
    stand.config_in_environment = False
    stand.script("Hello.")

    window = play(stand, "activation").result

    assert window["configured"] is True
    assert window["pickers"]["model"] == "scripted/other"
    assert text(window) == ["Hello."]


def test_initialize_is_repeated_after_a_time_out_and_late_answers_do_no_harm(stand: Stand) -> None:
    stand.script("Hello.")

    report = play(stand, "late")

    window = report.result
    asked = len(report.wire.sent("initialize"))
    assert asked >= 3
    assert len(report.wire.results("initialize")) == asked
    assert window["late"] == list(range(1, asked))
    assert window["reason"] == "end_turn"


def test_a_new_chat_cancels_the_idle_session_and_begins_another(stand: Stand) -> None:
    stand.script("First.", "Second.")

    report = play(stand, "newChat")

    window = report.result
    assert report.wire.sent("session/cancel") == [{"sessionId": window["old"]}]
    assert window["session"] != window["old"]
    assert window["pickers"]["modes"] == BUILD_AND_PLAN
    assert window["reason"] == "end_turn"
    assert text(window) == ["Second."]


def test_a_new_chat_in_the_middle_of_an_answer_ends_that_answer(stand: Stand) -> None:
    stand.script({"text": "Working on it.", "hold": True}, "Second.")

    window = play(stand, "newChatInTurn").result

    assert window["cancelled"] == "cancelled"
    assert window["reason"] == "end_turn"
    assert text(window)[-1].endswith("Second.")


def test_a_message_after_a_restart_reaches_the_old_session_though_nothing_was_loaded(
    stand: Stand, vendor: Vendor
) -> None:
    stand.config = vendor_config(vendor)
    vendor.replies += [Answer("Hello there."), Answer("I do.")]

    report = play(stand, "restart")

    window = report.result
    assert (window["first"], window["reason"]) == ("end_turn", "end_turn")
    _, second = report.wires
    assert [params["sessionId"] for params in second.sent("session/prompt")] == [window["session"]]
    assert not second.sent("session/load")
    assert second.said() == "I do."
    remembered = json.dumps(vendor.requests[-1].body["messages"])
    assert "Hello there." in remembered
    assert "do you remember?" in remembered


def test_mode_and_model_are_changed_after_a_restart_in_the_old_session(stand: Stand) -> None:
    stand.script("Hello.", "More.")

    report = play(stand, "restart", first={"mode": "plan", "model": "scripted/other"})

    assert report.result["again"] == [{}, {}]
    assert report.result["second"] == [{}, {}]
    assert report.result["reason"] == "end_turn"


def test_a_reloaded_window_shows_the_conversation_and_goes_on(stand: Stand) -> None:
    stand.script("Hello there.", "More.")
    session = play(stand, "activation").result["session"]

    window = play(stand, "reload", session=session).result

    assert window["pickers"]["modes"] == BUILD_AND_PLAN
    assert window["pickers"]["model"] == "scripted/demo"
    assert window["replayed"] == [{"kind": "text", "text": "Hello there."}]
    assert window["reason"] == "end_turn"
    assert len(text(window)) == 1


def test_two_windows_work_side_by_side(stand: Stand) -> None:
    stand.script("Hello.")

    one, other = play(stand, "twoWindows").result

    assert (one["reason"], other["reason"]) == ("end_turn", "end_turn")
    assert one["session"] != other["session"]
    assert text(one) == text(other) == ["Hello."]


RUNS = {
    "allow_once": (2, ["ran\n", "ran\n"]),
    "allow_always": (1, ["ran\n", "ran\n"]),
    "reject_once": (2, []),
    None: (2, []),
}


@pytest.mark.parametrize("kind", RUNS, ids=str)
def test_a_dialog_has_one_button_for_each_kind_and_its_answer_counts(stand: Stand, kind: str | None) -> None:
    times, written = RUNS[kind]
    stand.config["permission"] = {"bash": "ask"}
    run = tools(call("bash", command="echo ran >> ran", description="run"), text="I run it.")
    stand.script(run, "Done.", run, "Done.")

    report = play(stand, "dialogs", kind=kind)

    window = report.result
    assert window["reasons"] == ["end_turn", "end_turn"]
    assert len(window["asked"]) == times
    for dialog in window["asked"]:
        options = {option["kind"]: option["optionId"] for option in dialog["options"]}
        assert options == {each: each for each in ("allow_once", "allow_always", "reject_once")}
        assert len(dialog["options"]) == len(options)
    ran = stand.project / "ran"
    assert (ran.read_text().splitlines(keepends=True) if ran.exists() else []) == written
    shown = [each["text"] for each in window["shown"] if each["kind"] == "tool"]
    assert shown[-1] == f"echo ran >> ran: {'completed' if written else 'failed'}"


def test_a_request_of_the_agent_is_not_taken_for_the_answer_to_the_prompt(stand: Stand) -> None:
    """The extension's mistake needs equal ids: those of its own requests are numbers, so ours are strings."""
    stand.config["permission"] = {"bash": "ask"}
    run = tools(call("bash", command="true", description="run"))
    stand.script(run, run, run, "Done.", "Bye.")

    report = play(stand, "dialogs", kind="allow_once")

    asked = [
        message["id"] for who, message in report.wire.messages if who == "agent" and {"method", "id"} <= set(message)
    ]
    assert len(asked) == 3
    assert all(isinstance(id, str) for id in asked)
    assert report.result["reasons"] == ["end_turn", "end_turn"]


def test_a_dialog_that_is_still_open_does_not_keep_a_turn_from_being_cancelled(stand: Stand) -> None:
    stand.config["permission"] = {"bash": "ask"}
    stand.script(tools(call("bash", command="echo ran > ran", description="run")), "Next.")

    window = play(stand, "cancelInDialog").result

    assert window["cancelled"] == "cancelled"
    assert window["reason"] == "end_turn"
    assert not (stand.project / "ran").exists()


def test_an_unsaved_buffer_is_read_whole_and_edited_in_the_editor(stand: Stand) -> None:
    """Of a part the extension would give the wrong lines, so the whole file is asked for, and cut here."""
    file = stand.project / "a.txt"
    file.write_text("saved\n")
    stand.script(
        tools(call("read", filePath="a.txt", offset=2, limit=1)),
        tools(call("edit", filePath="a.txt", oldString="two", newString="2")),
        tools(call("write", filePath="deep/er/b.txt", content="fresh\n")),
        "Done.",
        "Bye.",
    )

    report = play(stand, "dialogs", buffers={str(file): "one\ntwo\nthree\n"})

    assert report.result["buffers"] == {str(file): "one\n2\nthree\n"}
    assert file.read_text() == "one\n2\nthree\n"
    assert (stand.project / "deep" / "er" / "b.txt").read_text() == "fresh\n"
    assert all(set(params) == {"sessionId", "path"} for params in report.wire.asked("fs/read_text_file"))


def test_an_occupied_port_is_passed_over_and_none_is_opened(stand: Stand) -> None:
    stand.script("Hello.")
    with somebody_listening() as taken:
        window = play(stand, "activation").result

    assert taken < window["port"] < 5000
    assert window["listening"] is False


@contextmanager
def somebody_listening() -> Iterator[int]:
    """A listener on the first port that the extension would try and that is still free."""
    with socket.socket() as listener:
        for port in range(4090, 5000):
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                break
        listener.listen()
        yield listener.getsockname()[1]
