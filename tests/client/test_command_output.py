"""How the output of a command reaches a client: as text, or as a terminal that the agent owns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acp_agent.client.command_output import CommandOutput
from acp_agent.schema import AgentMessageChunk, TerminalContent, TextContent, ToolCallProgress, ToolCallStart
from acp_agent.tools.diffs import text_content
from acp_agent.tools.shown_output import TERMINAL, ended, rest, started, under_way
from acp_agent.tools.workspace import CommandResult, Output

CWD = Path("/work")
TERM = [{"type": "terminal", "terminalId": "c"}]


def progress(content: Any = None, **fields: Any) -> ToolCallProgress:
    more = {"status": "in_progress", "raw_input": {"command": "ls"}, **fields}
    return ToolCallProgress(tool_call_id="c", title="ls", name="bash", kind="execute", content=content, **more)


def result(unshown: str = "", **fields: Any) -> CommandResult:
    return CommandResult(output="", total_bytes=0, duration=1.0, unshown=unshown, **{"exit_code": 0, **fields})


def end(text: str, how: CommandResult) -> ToolCallProgress:
    status = "completed" if how.exit_code == 0 else "failed"
    return progress(ended(text, CWD, how), status=status, meta=dict(rest(how)) or None)


def sent(output: CommandOutput, *updates: Any, session: str = "s") -> list[dict[str, Any]]:
    return [each.wire() for update in updates for each in output.project(session, update)]


PENDING = ToolCallStart(tool_call_id="c", title="bash", name="bash", kind="execute", status="pending")
RUN = (
    PENDING,
    progress(),
    progress(started(CWD)),
    progress(under_way(Output("one\n", "\x1b[31mone\x1b[0m\n"), CWD)),
    progress(under_way(Output("one\ntwo\n", "two\n"), CWD)),
    end("```\none\ntwo\nthree\n```\n[exit code 0 after 1.0 s]", result("three\n")),
)


def test_a_client_that_knows_no_terminals_of_the_agent_sees_text_and_never_a_mark() -> None:
    lines = sent(CommandOutput(terminals=False), *RUN)
    assert "_meta" not in str(lines)
    texts = [line["content"][0]["content"]["text"] for line in lines if "content" in line]
    assert texts == ["```\none\n```", "```\none\ntwo\n```", "```\none\ntwo\nthree\n```\n[exit code 0 after 1.0 s]"]
    assert len(lines) == 5, "the empty beginning is not shown"


def test_a_client_that_does_sees_a_terminal_that_is_opened_fed_with_what_is_new_and_ended() -> None:
    lines = sent(CommandOutput(terminals=True), *RUN)
    assert [line.get("_meta") for line in lines] == [
        {"terminal_info": {"terminal_id": "c"}},
        None,
        {"terminal_info": {"terminal_id": "c", "cwd": "/work"}},
        {"terminal_output": {"terminal_id": "c", "data": "\x1b[31mone\x1b[0m\n"}},
        {"terminal_output": {"terminal_id": "c", "data": "two\n"}},
        {
            "terminal_output": {"terminal_id": "c", "data": "three\n"},
            "terminal_exit": {"terminal_id": "c", "exit_code": 0, "signal": None},
        },
    ]
    assert [line.get("content") for line in lines] == [None, None, TERM, None, None, TERM]
    assert [line["status"] for line in lines] == ["pending", *["in_progress"] * 4, "completed"]
    assert [("title" in line, "rawInput" in line) for line in lines[3:5]] == [(True, False)] * 2
    assert TERMINAL not in str(lines)


@pytest.mark.parametrize("letter", ["x", "é", "\n", "🙂"])
def test_long_output_comes_in_pieces_that_make_the_whole(letter: str) -> None:
    output = CommandOutput(terminals=True)
    many, rest_ = f"1{letter}" * 100_000, f"{letter}2" * 40_000
    live = sent(output, progress(started(CWD)), progress(under_way(Output("tail", many), CWD)))[1:]
    *before, last = sent(output, end("[exit code 0 after 1.0 s]", result(rest_)))
    pieces = [line["_meta"]["terminal_output"]["data"] for line in (*live, *before, last)]
    assert "".join(pieces) == many + rest_
    assert max(len(piece.encode()) for piece in pieces) <= 32 * 1024
    assert min(len(piece.encode()) for piece in pieces[: len(live) - 1]) > 32 * 1024 - 4
    assert {line["status"] for line in (*live, *before)} == {"in_progress"}
    assert not [line for line in (*live, *before) if "content" in line or "terminal_exit" in line["_meta"]]
    assert (last["status"], last["_meta"]["terminal_exit"]["exit_code"], last["content"]) == ("completed", 0, TERM)


@pytest.mark.parametrize(
    ("text", "how", "data", "code", "signal"),
    [
        ("[exit code 3 after 1.0 s]", {"exit_code": 3}, None, 3, None),
        ("[ended by SIGKILL after 1.0 s]", {"exit_code": None, "signal": "SIGKILL"}, None, None, "SIGKILL"),
        ("```\nx\n```\n[timed out after 1 s]", {"exit_code": None}, "\n[timed out after 1 s]\n", None, None),
        ("[exit code 0 after 1.0 s]\n[still running: 5]", {"exit_code": 0}, "\n[still running: 5]\n", 0, None),
    ],
)
def test_what_the_exit_does_not_tell_stands_in_the_terminal(
    text: str, how: Any, data: str | None, code: Any, signal: Any
) -> None:
    output = CommandOutput(terminals=True)
    *_, last = sent(output, progress(started(CWD)), end(text, result(**how)))
    assert last["_meta"]["terminal_exit"] == {"terminal_id": "c", "exit_code": code, "signal": signal}
    assert last["_meta"].get("terminal_output", {}).get("data") == data


def test_a_call_that_is_cut_off_ends_its_terminal_with_the_reason() -> None:
    output = CommandOutput(terminals=True)
    *_, last = sent(output, progress(started(CWD)), progress([text_content("Cancelled.")], status="failed"))
    assert last["content"] == TERM
    assert last["_meta"] == {
        "terminal_output": {"terminal_id": "c", "data": "\nCancelled.\n"},
        "terminal_exit": {"terminal_id": "c", "exit_code": None, "signal": None},
    }


def test_a_call_that_is_refused_before_it_runs_shows_its_text() -> None:
    output = CommandOutput(terminals=True)
    *_, last = sent(output, PENDING, progress([text_content("Refused.")], status="failed"))
    assert (last["content"], "_meta" in last) == ([text_content("Refused.").wire()], False)


def replayed(text: str = "```\none\n```\n[exit code 0 after 1.0 s]", **fields: Any) -> ToolCallStart:
    more = {"status": "completed", "content": ended(text, CWD, result()), **fields}
    return ToolCallStart(tool_call_id="c", title="ls", name="bash", kind="execute", raw_input={"a": 1}, **more)


def test_in_a_replay_a_terminal_is_opened_by_the_call_and_filled_and_ended_by_an_update() -> None:
    first, second = sent(CommandOutput(terminals=True), replayed())
    info = {"terminal_info": {"terminal_id": "c", "cwd": "/work"}}
    assert (first["sessionUpdate"], first["content"], first["_meta"]) == ("tool_call", TERM, info)
    assert (first["status"], first["rawInput"]) == ("completed", {"a": 1})
    assert (second["sessionUpdate"], second["content"], second["status"]) == ("tool_call_update", TERM, "completed")
    assert second["_meta"] == {
        **info,
        "terminal_output": {"terminal_id": "c", "data": "one\n"},
        "terminal_exit": {"terminal_id": "c", "exit_code": 0, "signal": None},
    }


def test_in_a_replay_another_client_sees_the_text() -> None:
    (line,) = sent(CommandOutput(terminals=False), replayed())
    assert line["content"] == [text_content("```\none\n```\n[exit code 0 after 1.0 s]").wire()]


def test_a_record_from_before_there_were_marks_is_replayed_as_text() -> None:
    old = replayed(content=[text_content("```\none\n```\n[exit code 0]")])
    assert sent(CommandOutput(terminals=True), old) == [old.wire()]


def test_a_client_that_comes_while_a_command_runs_sees_what_was_printed_so_far() -> None:
    output = CommandOutput(terminals=True)
    running = ToolCallStart(tool_call_id="c", title="ls", name="bash", kind="execute", status="in_progress")
    begun, next_, again = sent(output, running, RUN[4], RUN[4])
    assert begun["_meta"] == {"terminal_info": {"terminal_id": "c"}}
    assert next_["content"] == TERM
    assert next_["_meta"]["terminal_output"]["data"] == "one\ntwo"
    assert again["_meta"] == {"terminal_output": {"terminal_id": "c", "data": "two\n"}}


@pytest.mark.parametrize("terminals", [False, True])
def test_a_command_in_a_terminal_of_the_clients_own_stays_there_and_a_line_says_how_it_ended(terminals: bool) -> None:
    output = CommandOutput(terminals=terminals)
    lines = sent(
        output,
        progress(started(CWD)),
        progress(under_way(Output("", "", "term-7"), CWD)),
        end("```\none\n```\n[exit code 0 after 1.0 s]", result()),
    )
    own = {"type": "terminal", "terminalId": "term-7"}
    assert lines[-2]["content"] == [own]
    assert lines[-1]["content"] == [own, text_content("[exit code 0 after 1.0 s]").wire()]
    assert "_meta" not in lines[-1]


@pytest.mark.parametrize("terminals", [False, True])
def test_a_command_that_the_clients_terminal_did_not_run_is_shown_as_ours(terminals: bool) -> None:
    lines = sent(
        CommandOutput(terminals=terminals),
        progress(under_way(Output("", "", "term-7"), CWD)),
        progress(under_way(Output("", ""), CWD)),
        end("```\none\n```\n[exit code 0 after 1.0 s]", result("one\n")),
    )
    assert lines[0]["content"] == [{"type": "terminal", "terminalId": "term-7"}]
    if not terminals:
        assert lines[-1]["content"] == [text_content("```\none\n```\n[exit code 0 after 1.0 s]").wire()]
        return
    assert [line["content"] for line in lines[1:]] == [TERM, TERM]
    assert lines[1]["_meta"] == {"terminal_info": {"terminal_id": "c", "cwd": "/work"}}
    assert lines[2]["_meta"]["terminal_output"]["data"] == "one\n"


def test_the_terminals_of_two_sessions_with_the_same_call_are_two() -> None:
    output = CommandOutput(terminals=True)
    for session in ("s", "t"):
        (line,) = sent(output, progress(started(CWD)), session=session)
        assert line["content"] == TERM
    *_, last = sent(output, RUN[5], session="s")
    assert "terminal_info" not in last["_meta"]
    assert output._shown == {("t", "c"): "c"}, "what ended is forgotten"


def test_everything_else_goes_through_as_it_is() -> None:
    chunk = AgentMessageChunk(content=TextContent(text="x"), message_id="m")
    other = progress([text_content("x")], meta={"k": 1})
    content = progress([TerminalContent(terminal_id="t")])
    for update in (chunk, other, content):
        assert CommandOutput(terminals=True).project("s", update) == (update,)
