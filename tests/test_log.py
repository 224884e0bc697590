"""The log file: what it keeps, what it never shows, and which questions one turn's lines answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acp_agent.log import NO_LOG, Log
from acp_agent.places import state_directory
from tests.harness import Rig, call, scripted_config, tools

KEY = "sk-live-0123456789abcdef"
MEGABYTE = "x" * 1024 * 1024


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_a_line_is_one_json_object_with_time_level_event_and_process(tmp_path: Path) -> None:
    log = Log(tmp_path / "log" / "agent.log")
    log("turn.ended", session="ses_1", text="grün\nund zwei", odd={"a": Path("/x")})
    (line,) = _lines(tmp_path / "log" / "agent.log")
    assert line.pop("time") > 1_600_000_000
    assert (
        line
        == {
            "level": "INFO",
            "event": "turn.ended",
            "pid": os.getpid(),
            "session": "ses_1",
            "text": "grün\nund zwei",
            "odd": {"a": "/x"},
        }
        or line["odd"] == "{'a': PosixPath('/x')}"
    )


def test_lines_below_the_level_are_not_written(tmp_path: Path) -> None:
    log = Log(tmp_path / "agent.log", "warn")
    for level in ("DEBUG", "INFO", "WARN", "ERROR"):
        log("x", level=level)
    assert [line["level"] for line in _lines(tmp_path / "agent.log")] == ["WARN", "ERROR"]


def test_nothing_is_opened_before_the_first_line(tmp_path: Path) -> None:
    Log(tmp_path / "log" / "agent.log")
    assert list(tmp_path.iterdir()) == []
    NO_LOG("nobody reads this")


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    Log(tmp_path / "log" / "agent.log")("x")
    assert (tmp_path / "log" / "agent.log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_a_log_of_five_megabytes_is_rotated_and_three_old_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    log = Log(path)
    for number in range(40):
        log("line", number=number, text=MEGABYTE)
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["agent.1.log", "agent.2.log", "agent.3.log", "agent.log"]
    numbers = [line["number"] for name in ("3.", "2.", "1.", "") for line in _lines(tmp_path / f"agent.{name}log")]
    assert numbers == list(range(numbers[0], 40)), "the newest lines, without a gap"
    assert all(each.stat().st_size < 7 * 1024 * 1024 for each in tmp_path.iterdir())


def test_a_new_process_goes_on_in_the_same_file(tmp_path: Path) -> None:
    Log(tmp_path / "agent.log")("one")
    Log(tmp_path / "agent.log")("two")
    assert [line["event"] for line in _lines(tmp_path / "agent.log")] == ["one", "two"]


def test_a_log_that_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Log(tmp_path / "file" / "agent.log")
    log("x")
    log("y")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("secret", [KEY, 'with "quotes" and \\', "grüner-schlüssel", "two\nlines"])
def test_a_secret_never_reaches_the_file_however_it_is_written(tmp_path: Path, secret: str) -> None:
    log = Log(tmp_path / "agent.log")
    log.mask([secret])
    log("x", message=f"before {secret} after", **{"nested": {"a": [secret]}, secret: 1})
    text = (tmp_path / "agent.log").read_text()
    assert secret not in text
    assert json.dumps(secret)[1:-1] not in text
    (line,) = _lines(tmp_path / "agent.log")
    assert line["message"] == "before [key] after"


def test_of_two_secrets_that_begin_alike_nothing_is_left(tmp_path: Path) -> None:
    log = Log(tmp_path / "agent.log")
    log.mask(["secret-one", "secret-one-and-more"])
    log("x", message="secret-one-and-more")
    (line,) = _lines(tmp_path / "agent.log")
    assert line["message"] == "[key]"


def test_short_values_are_no_secrets(tmp_path: Path) -> None:
    log = Log(tmp_path / "agent.log")
    log.mask(["", "on", "12345"])
    log("turn.ended", message="on 12345")
    assert _lines(tmp_path / "agent.log")[0]["message"] == "on 12345"


def test_it_lies_in_the_state_directory(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert state_directory() == home / ".local" / "state" / "acp-agent"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    if sys.platform != "win32":
        assert state_directory() == home / ".local" / "state" / "acp-agent"


# "It does nothing": the eight questions of a debugging checklist, answered from the log of one real turn.


def _turn_of_a_process(folder: Path) -> list[dict[str, Any]]:
    """Run one turn with two steps in a real process; gives the lines of its log."""
    project = folder / "project"
    project.mkdir()
    (project / "a.txt").write_text("hello\n")
    script = folder / "script.json"
    steps = [
        tools(call("read", filePath="a.txt"), text="I look."),
        {"text": "It says hello.", "usage": {"input": 50, "output": 7}},
    ]
    script.write_text(json.dumps(steps))
    config = scripted_config(script)
    config["provider"]["scripted"]["options"]["apiKey"] = KEY
    environ = {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(config)}
    lines = [
        {
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": 1, "clientInfo": {"name": "t", "version": "1"}},
        },
        {"id": 2, "method": "session/new", "params": {"cwd": str(project), "mcpServers": []}},
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "acp_agent", "acp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None

        def send(message: dict[str, Any]) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()

        def answer(id: int) -> Any:
            assert process.stdout is not None
            return next(message for message in map(json.loads, process.stdout) if message.get("id") == id)["result"]

        send(lines[0])
        answer(1)
        send(lines[1])
        session = answer(2)["sessionId"]
        send({"id": 3, "method": "session/prompt", "params": _prompt(session)})
        assert answer(3) == {"stopReason": "end_turn"}
        process.stdin.close()
        process.stdout.read()
    assert process.wait(5) == 0
    return _lines(state_directory() / "log" / "agent.log")


def _prompt(session: str) -> dict[str, Any]:
    return {"sessionId": session, "prompt": [{"type": "text", "text": "What does it say?"}]}


def test_the_eight_questions_of_the_debugging_checklist_are_answered_by_the_log(tmp_path: Path) -> None:
    lines = _turn_of_a_process(tmp_path)

    def first(event: str, **fields: Any) -> dict[str, Any]:
        found = [line for line in lines if line["event"] == event and fields.items() <= line.items()]
        assert found, f"no {event} {fields} in {[line['event'] for line in lines]}"
        return found[0]

    # 1. Did the process come to serve a client, and which?
    assert first("process.started")["cwd"]
    assert first("client.known")["client"] == "t"
    # 2. Did a prompt arrive, and what was in it?
    prompt = first("prompt.received")
    assert prompt["blocks"] == ["text"]
    session = prompt["session"]
    # 3. Was the person's message recorded?
    turn = first("prompt.recorded", session=session)["turn"]
    # 4. Was the model asked?
    asked = first("model.asked", session=session, turn=turn, step=1)
    # 5. By which way?
    assert (asked["model"], asked["api"]) == ("scripted/demo", "scripted")
    # 6. With what: which address, with a key or without, how much of a history, how many tools?
    assert asked["url"].endswith("script.json")
    assert asked["key"] is False
    assert (asked["messages"], asked["tools"] > 3) == (1, True)
    # 7. What came back: text, tool calls, an error?
    answered = first("model.answered", turn=turn, step=1)
    assert (answered["text"], answered["calls"], answered["stop_reason"]) == (len("I look."), 1, "tool_calls")
    call_id = first("tool.called", turn=turn, step=1, tool="read")["call"]
    assert first("permission.decided", call=call_id)["action"] == "allow"
    assert first("tool.ended", call=call_id)["status"] == "completed"
    assert first("model.answered", turn=turn, step=2)["text"] == len("It says hello.")
    # 8. What was shown to the client, and how did it end?
    ended = first("turn.ended", turn=turn)
    assert ended["stop_reason"] == "end_turn"
    assert ended["updates"]["agent_message_chunk"] >= 2
    assert (ended["updates"]["tool_call"], ended["updates"]["tool_call_update"]) == (1, 2)

    order = ["process.started", "client.known", "prompt.received", "prompt.recorded", "model.asked"]
    order += ["model.answered", "tool.called", "tool.ended", "turn.ended"]
    places = [next(number for number, line in enumerate(lines) if line["event"] == event) for event in order]
    assert places == sorted(places)
    assert all({"session", "turn", "step"} <= set(line) for line in lines if line["event"][:5] in ("model", "tool."))
    assert KEY not in (state_directory() / "log" / "agent.log").read_text()


@pytest.mark.anyio
async def test_a_turn_that_fails_and_one_that_is_cancelled_say_so_in_the_log(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.log = Log(tmp_path / "agent.log")
    error = {"error": {"kind": "auth", "message": "HTTP 401", "status": 401}}
    retried = {"error": {"kind": "network", "message": "reset", "retry_after": 0}}
    async with rig.client(error, retried, {"text": "One", "hold": True}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.error("session/prompt", client.text_prompt(session))
        prompt = await client.begin("session/prompt", client.text_prompt(session))
        await client.until(lambda: client.said().endswith("One"))
        await client.notify("session/cancel", {"sessionId": session})
        await client.response(prompt)
    found = {line["event"]: line for line in _lines(tmp_path / "agent.log")}
    failed = found["turn.failed"]
    assert (failed["level"], failed["error"], failed["kind"], failed["status"]) == (
        "ERROR",
        "scripted/demo: HTTP 401",
        "auth",
        401,
    )
    assert (found["model.retry"]["attempt"], found["model.retry"]["error"]) == (1, "scripted/demo: reset")
    assert found["turn.cancelled"]["updates"] == {"agent_message_chunk": 1}
    assert {failed["turn"], found["turn.cancelled"]["turn"]} == {"turn_1", "turn_2"}
