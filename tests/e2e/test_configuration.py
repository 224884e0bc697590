"""Configuration as the process finds it: broken files, other homes, the console scripts and their options."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import COMMAND, CONSOLE_SCRIPTS, KEY, clean_environment, scripted_config, vendor_config
from tests.e2e.test_turn import bash, tool_results
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer, Call

pytestmark = pytest.mark.e2e

SECRET = "pass-0123456789-word"
BROKEN = '{\n  "model": "a/b",\n  "provider": {"x": {"options": {"apiKey": "SECRET" "oops"}}}\n}\n'.replace(
    "SECRET", SECRET
)
PLACE = "~/.config/opencode/opencode.json:3:"


def write_global(home: Path, text: str) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text(text)


def everything_written(home: Path) -> bytes:
    logs = (home / ".local").rglob("*")
    return b"".join(file.read_bytes() for file in logs if file.is_file())


def test_a_broken_file_is_told_with_the_first_answer_once_and_the_session_works(
    spawn: Spawn, project: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    write_global(home, BROKEN)
    agent = spawn(scripted_config(tmp_path / "script.json", "Hello.", "And again."))
    session = agent.new(project)
    assert agent.updates(session) == []

    assert agent.prompt(session) == "end_turn"

    first = agent.updates(session)[0]
    assert first["sessionUpdate"] == "agent_message_chunk"
    assert PLACE in first["content"]["text"]
    mark = len(agent.lines)
    assert agent.prompt(session) == "end_turn"
    assert agent.said(session, mark) == "And again."
    assert SECRET.encode() not in b"".join(line.raw for line in agent.lines) + everything_written(home)


def test_a_client_that_takes_notices_gets_one_at_once_and_no_chunk(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    write_global(tmp_path / "home", BROKEN)
    agent = spawn(scripted_config(tmp_path / "script.json", "Hello."), initialize=False)
    agent.initialize(session={"notices": {}})
    session = agent.new(project)

    (notice,) = agent.until(lambda: agent.updates(session, "notice"), "a notice")

    assert PLACE in notice["description"]
    assert SECRET not in json.dumps(notice)
    assert agent.prompt(session) == "end_turn"
    assert agent.said(session) == "Hello."


def test_a_windows_profile_without_a_home_is_found(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    profile = tmp_path / "home"
    script = scripted_config(tmp_path / "script.json", "From the profile.")
    write_global(profile, json.dumps(script))
    elsewhere = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
    agent = spawn(environment={"HOME": None, "USERPROFILE": str(profile), **elsewhere})
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert agent.said(session) == "From the profile."


def test_the_line_of_the_seeds_reaches_anthropic(spawn: Spawn, vendor: Vendor, project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_global(home, json.dumps({"provider": {"anthropic": {"options": {"baseURL": vendor.anthropic_url}}}}))
    vendor.replies += [
        Answer("Let me look. ", thinking="Hm.", calls=[Call("read", '{"filePath": "a.txt"}')]),
        Answer("It says one."),
    ]
    (project / "a.txt").write_text("one\n")

    agent = spawn(
        {"model": "anthropic/claude-3-7-sonnet"},
        command=[str(CONSOLE_SCRIPTS / "opencode-acp")],
        environment={"ANTHROPIC_API_KEY": KEY},
    )
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    assert agent.said(session).endswith("Let me look. It says one.")
    assert [request.path for request in vendor.requests] == ["/v1/messages"] * 2
    assert {request.body["model"] for request in vendor.requests} == {"claude-3-7-sonnet"}
    assert all(KEY in str(request.headers) for request in vendor.requests)


def test_the_options_of_opencode_acp_are_taken_and_no_port_is_opened(spawn: Spawn, project: Path) -> None:
    options = ["--port", "4096", "--hostname", "127.0.0.1", "--cwd", str(project)]
    agent = spawn(command=[str(CONSOLE_SCRIPTS / "opencode-acp"), "acp", *options])
    agent.new(project)

    assert agent.as_seen.net_connections("inet") == []


@pytest.mark.parametrize("name", ["agent", "acp-agent", "opencode-acp"])
def test_models_lists_what_can_be_used_and_exits_at_once(
    name: str, vendor: Vendor, project: Path, tmp_path: Path, measured: Callable[[str, float], float]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    begin = time.monotonic()

    done = subprocess.run(
        [CONSOLE_SCRIPTS / name, "models"],
        env=clean_environment(home, vendor_config(vendor)),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )

    measured("agent models", time.monotonic() - begin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fake/small\n", "")
    assert vendor.requests == []


def test_the_trace_holds_every_line_in_order(spawn: Spawn, project: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    config = scripted_config(tmp_path / "script.json", "Hello.")
    agent = spawn(config, command=[*COMMAND, "--trace", str(trace)])
    session = agent.new(project)
    assert agent.prompt(session) == "end_turn"
    agent.end_of_input()
    agent.join()

    spoken: list[dict[str, Any]] = [json.loads(line) for line in trace.read_text().splitlines()]

    assert [each["message"] for each in spoken if each["from"] == "agent"] == [line.message for line in agent.lines]
    asked = [each["message"]["method"] for each in spoken if each["from"] == "client"]
    assert asked == ["initialize", "session/new", "session/prompt"]


def test_children_get_no_key_and_nothing_that_the_configuration_took_from_the_environment(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    config = vendor_config(vendor)
    config["provider"]["fake"]["options"]["apiKey"] = "{env:MY_OWN_NAME}"
    others = {"MY_OWN_NAME": KEY, "A_COPY": KEY, "OPENAI_API_KEY": "o-123456789", "OPENCODE_X": "y", "KEPT": "kept"}
    agent = spawn(config, environment=others)
    vendor.replies += [Answer(calls=[bash("env")]), Answer("Done.")]
    session = agent.new(project)

    assert agent.prompt(session) == "end_turn"

    (listed,) = tool_results(vendor)
    names = {line.partition("=")[0] for line in listed.splitlines()}
    assert names >= {"KEPT", "PATH", "HOME"}
    assert not names & {"MY_OWN_NAME", "A_COPY", "OPENAI_API_KEY", "OPENCODE_X", "OPENCODE_CONFIG_CONTENT"}
    assert vendor.requests[0].headers["authorization"] == f"Bearer {KEY}"
