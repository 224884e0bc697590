"""`agent run`: the same turn from a shell; what it prints where, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acp_agent.cli import run
from acp_agent.places import state_directory
from tests.harness import call, scripted_config, tools

KEY = "sk-live-0123456789abcdef"

Shell = Callable[..., tuple[int, str, str]]


class Folder:
    """A project, its script and its configuration."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path / "project"
        self.path.mkdir()
        self.script_file = path / "script.json"
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(self.path)
        self.configure()

    def script(self, *steps: Any) -> None:
        full = [{"text": step} if isinstance(step, str) else step for step in steps]
        self.script_file.write_text(json.dumps(full))

    def configure(self, **more: Any) -> None:
        config = scripted_config(self.script_file, **more)
        config["provider"]["vendor"] = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": "http://127.0.0.1:9/v1", "apiKey": KEY},
            "models": {"m": {}},
        }
        self._monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(config))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run `agent run` in this process: (status, stdout, stderr). The key must be in neither, nor in the log."""

    def run_it(*arguments: str, stdin: str | None = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", None if stdin is None else io.StringIO(stdin))
        status = run.main(arguments)
        out, err = capsys.readouterr()
        log = state_directory() / "log" / "agent.log"
        assert KEY not in out + err + (log.read_text() if log.exists() else "")
        return status, out, err

    return run_it


def test_the_answer_goes_to_stdout_and_the_tools_to_stderr(folder: Folder, shell: Shell) -> None:
    (folder.path / "a.txt").write_text("hello\n")
    folder.script(
        tools(call("read", filePath="a.txt"), call("read", filePath="b.txt"), text="I look."), "It says hello."
    )
    status, out, err = shell("what", "does", "it", "say?")
    assert (status, out) == (0, "I look.\nIt says hello.\n")
    assert sorted(err.splitlines()) == ["[read: a.txt: ok]", "[read: b.txt: failed]"]


@pytest.mark.parametrize("stdin", ["from a pipe\n", None])
def test_the_message_comes_from_the_arguments_or_from_stdin(folder: Folder, shell: Shell, stdin: str | None) -> None:
    folder.script("Hi.")
    arguments = ["as an argument"] if stdin is None else []
    assert shell(*arguments, stdin=stdin)[:2] == (0, "Hi.\n")
    folder.script("Again.")
    _status, out, _err = shell("--continue", "--format", "json", "again")
    assert '"Again."' in out


@pytest.mark.parametrize("stdin", ["", "  \n", None])
def test_without_a_message_nothing_is_done(folder: Folder, shell: Shell, stdin: str | None) -> None:
    status, out, err = shell(stdin=stdin)
    assert (status, out, err) == (2, "", "agent run: no message. Give it as an argument or on stdin.\n")


def test_json_is_one_update_a_line_and_then_the_session_with_its_stop_reason(folder: Folder, shell: Shell) -> None:
    folder.script({"text": "Hi there.", "chunks": 2, "usage": {"input": 5, "output": 1}})
    status, out, err = shell("--format", "json", "Name the seven seas")
    *updates, end = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    kinds = [each["sessionUpdate"] for each in updates]
    # The commands follow the session's opening, and may come before the prompt or beside it.
    assert kinds.count("available_commands_update") == 1
    kinds.remove("available_commands_update")
    assert kinds == ["session_info_update", "agent_message_chunk", "agent_message_chunk", "usage_update"]
    assert end["stopReason"] == "end_turn"
    folder.script("Again.")
    assert shell("--session", end["sessionId"], "more")[:2] == (0, "Again.\n")


def test_continue_goes_on_with_the_latest_session_of_this_directory(
    folder: Folder, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder.path / "a.txt").write_text("hello\n")
    folder.script("One.")
    shell("first")
    folder.script("Two.")
    assert shell("--continue", "second")[:2] == (0, "Two.\n")
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    status, out, err = shell("--continue", "third")
    assert (status, out) == (1, "")
    assert err == f"agent run: There is no session in {other} to go on with.\n"


def test_a_session_can_be_named(folder: Folder, shell: Shell) -> None:
    folder.script("One.")
    shell("first")
    import sqlite3

    from acp_agent.places import data_directory

    with sqlite3.connect(data_directory() / "sessions.db") as database:
        ((session,),) = database.execute("SELECT id FROM session").fetchall()
    folder.script("Two.")
    assert shell("--session", session, "second")[:2] == (0, "Two.\n")
    count = database.execute("SELECT count(*) FROM event WHERE session = ?", (session,)).fetchone()[0]
    database.close()
    assert count == 5, "two prompts, two answers, and a title"
    status, out, err = shell("--session", "ses_none", "x")
    assert (status, out) == (1, "")
    assert "Session not found: 'ses_none'" in err


def test_a_model_can_be_chosen_and_an_unknown_one_is_refused_with_its_neighbours(folder: Folder, shell: Shell) -> None:
    folder.script("Hi.")
    assert shell("--model", "demo", "x")[:2] == (0, "Hi.\n")
    status, out, err = shell("--model", "scriptd/demo", "x")
    assert (status, out) == (1, "")
    assert 'did you mean "scripted/demo"' in err


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ({"text": "Ok."}, 0),
        ({"text": "No.", "stop_reason": "refusal"}, 3),
        ({"text": "Half", "stop_reason": "max_tokens"}, 4),
        ({"error": {"kind": "auth", "message": "HTTP 401"}}, 1),
    ],
)
def test_the_status_tells_how_the_turn_ended(folder: Folder, shell: Shell, step: Any, status: int) -> None:
    folder.script(step)
    assert shell("x")[0] == status


def test_the_limit_of_steps_has_a_status_of_its_own(folder: Folder, shell: Shell) -> None:
    folder.configure(agent={"build": {"steps": 1}})
    folder.script(tools(call("todowrite", todos=[])))
    status, out, _err = shell("x")
    assert status == 4
    assert "Stopped after 1 steps" in out


def test_a_failed_model_call_is_said_once(folder: Folder, shell: Shell) -> None:
    folder.script({"error": {"kind": "auth", "message": "HTTP 401: no"}})
    status, out, err = shell("x")
    assert (status, (out + err).count("HTTP 401: no")) == (1, 1)
    folder.script({"error": {"kind": "auth", "message": "HTTP 401: no"}})
    status, _out, err = shell("--format", "json", "x")
    assert (status, "HTTP 401: no" in err) == (1, True)


def test_without_a_terminal_ask_means_refuse_and_that_is_said_on_stderr(folder: Folder, shell: Shell) -> None:
    folder.configure(permission={"edit": "ask"})
    folder.script(tools(call("write", filePath="a.txt", content="x")), "I could not.")
    status, out, err = shell("write it")
    assert (status, out) == (0, "I could not.\n")
    assert "[refused, since nobody can be asked here: write: a.txt (" in err
    assert "[write: a.txt: failed]" in err
    assert not (folder.path / "a.txt").exists()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "written"), [("y\n", True), ("a\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_at_a_terminal_the_person_is_asked(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, answer: str, written: bool
) -> None:
    folder.configure(permission={"edit": "ask"})
    folder.script(tools(call("write", filePath="a.txt", content="x")), "Ok.")
    errors = _Terminal()
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    monkeypatch.setattr(sys, "stderr", errors)
    assert run.main(["write it"]) == 0
    assert "Allow? [y]es/[a]lways/[N]o" in errors.getvalue()
    assert (folder.path / "a.txt").exists() is written


def test_a_broken_configuration_exits_2_with_the_place_of_every_problem(folder: Folder, shell: Shell) -> None:
    folder.script("never")
    (folder.path / "opencode.json").write_text('{\n  "model": 5,\n  "permission": {"edit": ["x"]}\n}')
    status, out, err = shell("x")
    assert (status, out) == (2, "")
    assert "opencode.json:2:12: " in err
    assert "opencode.json:3:" in err


def test_what_is_only_odd_is_said_on_stderr_and_the_prompt_runs(folder: Folder, shell: Shell) -> None:
    (folder.path / "opencode.json").write_text('{\n  "modell": "x"\n}')
    folder.script("Hi.")
    status, out, err = shell("x")
    assert (status, out) == (0, "Hi.\n")
    assert "opencode.json:2:" in err


def test_a_process_of_its_own_says_the_same(folder: Folder) -> None:
    folder.script("Hi from the process.")
    done = subprocess.run(
        [sys.executable, "-m", "acp_agent", "run", "hello"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env=dict(os.environ),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hi from the process.\n", "")
