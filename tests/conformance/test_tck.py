"""The requirements of the official test kit for version 1, by their ids, against the real process.

As in the kit, the client offers nothing (`clientCapabilities: {}`), and what needs a capability is asked only where it
is advertised. One process serves the whole module, but for what ends it or comes before everything else.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import Start
from tests.conformance.shapes import assert_stable, unknown_root_keys
from tests.conformance.test_4_05_prompt_turn import PNG, WAV
from tests.conformance.test_4_08_modes_and_options import assert_options, values
from tests.conformance.transcript import (
    BETWEEN_TURNS,
    STOP_REASONS,
    assert_nothing_of_the_turn_follows,
    place_of_response,
    updates_of,
    written,
)
from tests.e2e.process import AgentProcess, vendor_config
from tests.fakes.vendor import Vendor

pytestmark = pytest.mark.e2e

KIT = {"name": "acp-tck", "version": "1"}
HISTORY = {"user_message_chunk", "agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan"}


@pytest.fixture(scope="module")
def hello(shared_process: AgentProcess) -> Any:
    """What the shared process answered to initialize."""
    return shared_process.initialized  # type: ignore[attr-defined]


@pytest.fixture
def advertised(hello: Any) -> Any:
    """Fail a test whose capability is not advertised any more."""

    def need(path: str) -> None:
        place = hello["agentCapabilities"]
        for part in path.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place in (None, False):
            pytest.fail(f"{path} is not advertised any more, so its requirements would go untested")

    return need


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Iterator[tuple[AgentProcess, dict[Any, str]]]:
    """A whole conversation with the kit itself, and the methods of its requests by id."""
    home = tmp_path_factory.mktemp("kit") / "home"
    home.mkdir()
    process = AgentProcess(home, vendor_config(vendor))
    asked: dict[Any, str] = {}

    def ask(method: str, params: Any) -> Any:
        id = process.begin(method, params)
        asked[id] = method
        return process.response(id).get("result")

    ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}, "clientInfo": KIT})
    setup = {"cwd": str(home), "mcpServers": []}
    session = ask("session/new", setup)["sessionId"]
    ask("session/prompt", process.text_prompt(session, "use a tool"))
    ask("session/prompt", process.text_prompt(session, "hello"))
    ask("session/set_mode", {"sessionId": session, "modeId": "plan"})
    ask("session/set_config_option", {"sessionId": session, "configId": "mode", "value": "build"})
    ask("session/list", {})
    ask("session/close", {"sessionId": session})
    ask("session/load", {"sessionId": session, **setup})
    ask("session/resume", {"sessionId": session, **setup})
    ask("none/such", {})
    yield process, asked
    process.close()


def _setup(project: Path, session: str | None = None, **more: Any) -> Any:
    return {"cwd": str(project), "mcpServers": [], **({"sessionId": session} if session else {}), **more}


def _new(agent: AgentProcess, project: Path, **more: Any) -> Any:
    return agent.call("session/new", _setup(project, **more))


def _told(agent: AgentProcess, project: Path, text: str = "hello") -> str:
    """A closed session with one turn in it."""
    session = agent.new(project)
    assert agent.prompt(session, text) == "end_turn"
    agent.call("session/close", {"sessionId": session})
    return session


def _prompt(agent: AgentProcess, session: str, *blocks: Any) -> str:
    prompt = [{"type": "text", "text": "look"}, *blocks]
    return str(agent.call("session/prompt", {"sessionId": session, "prompt": prompt})["stopReason"])


# Transport and JSON-RPC.


def test_tck_transport_001_every_line_on_stdout_is_a_message_also_after_stdin_was_closed(
    start: Start, project: Path
) -> None:
    agent = start("Hello.", {"text": "I begin", "hold": True})
    agent.initialize()
    session = agent.new(project)
    agent.prompt(session)
    agent.ask(session)
    agent.see_text(session, "I begin")
    agent.end_of_input()
    agent.join()
    assert agent.lines
    for line in agent.lines:
        assert isinstance(line.message, dict), line.raw
        assert line.message["jsonrpc"] == "2.0", line.raw


def test_tck_transport_002_stdout_is_utf_8(start: Start, project: Path) -> None:
    agent = start("Ünïcödé 世界 🌍.")
    agent.initialize()
    session = agent.new(project)
    agent.prompt(session, "grüß dich 🌍")
    assert agent.said(session) == "Ünïcödé 世界 🌍."
    assert [line.raw.decode("utf-8") for line in agent.lines]


def test_tck_jsonrpc_001_an_id_is_echoed_exactly(agent: AgentProcess) -> None:
    for id in (424242, "four", "424242"):
        agent.begin("session/list", {}, id)
        assert agent.response(id)["id"] == id
        assert type(agent.response(id)["id"]) is type(id)


def test_tck_jsonrpc_002_a_response_is_a_result_or_a_well_formed_error(agent: AgentProcess) -> None:
    good = agent.response(agent.begin("session/list", {}))
    bad = agent.response(agent.begin("session/new", {}))
    assert set(good) == {"jsonrpc", "id", "result"}
    assert set(bad) == {"jsonrpc", "id", "error"}
    assert type(bad["error"]["code"]) is int
    assert type(bad["error"]["message"]) is str


def test_tck_jsonrpc_003_a_notification_gets_no_response(agent: AgentProcess) -> None:
    mark = len(agent.lines)
    for method in ("session/cancel", "session/list", "none/such", "_x/y"):
        agent.notify(method, {"sessionId": "none"})
    agent.call("session/list", {})
    assert len(agent.lines) == mark + 1


def test_tck_jsonrpc_004_an_unknown_method_is_32601(agent: AgentProcess) -> None:
    assert agent.error("none/such", {})["code"] == -32601


def test_tck_jsonrpc_005_the_connection_is_of_use_after_an_error(agent: AgentProcess) -> None:
    agent.error("none/such", {})
    agent.write(b"junk\n")
    assert "sessions" in agent.call("session/list", {})


# Initialization.


def test_tck_init_001_initialize_succeeds_with_an_integer_version(hello: Any) -> None:
    assert type(hello["protocolVersion"]) is int
    assert_stable([{"id": 1, "result": hello}], {1: "initialize"})


def test_tck_init_002_version_1_is_answered_with_1(agent: AgentProcess) -> None:
    assert agent.initialize()["protocolVersion"] == 1


def test_tck_init_003_a_version_that_does_not_exist_is_not_echoed(start: Start, project: Path) -> None:
    agent = start("Hello.")
    params = {"protocolVersion": 65535, "clientCapabilities": {}, "info": KIT, "capabilities": {}}
    assert agent.call("initialize", params)["protocolVersion"] == 1
    assert agent.new(project)


def test_tck_init_004_the_agent_says_who_it_is(hello: Any) -> None:
    assert hello["agentInfo"]["name"]
    assert hello["agentInfo"]["version"]


def test_tck_schema_001_every_message_of_a_conversation_is_valid(kit: tuple[AgentProcess, dict[Any, str]]) -> None:
    process, asked = kit
    assert len(process.lines) > 15
    assert_stable(written(process), asked)


def test_tck_schema_002_no_message_has_an_unknown_root_field(kit: tuple[AgentProcess, dict[Any, str]]) -> None:
    process, asked = kit
    assert unknown_root_keys(written(process), asked) == {}


# Sessions and prompts.


def test_tck_session_001_a_session_is_made_from_an_absolute_directory_and_no_servers(
    agent: AgentProcess, project: Path
) -> None:
    assert _new(agent, project)["sessionId"]


def test_tck_session_002_session_ids_are_distinct(agent: AgentProcess, project: Path) -> None:
    assert agent.new(project) != agent.new(project)


def test_tck_prompt_001_a_text_prompt_ends_with_a_valid_stop_reason(agent: AgentProcess, project: Path) -> None:
    assert agent.prompt(agent.new(project), "hello") in STOP_REASONS


def test_tck_prompt_002_updates_are_valid_and_name_their_session(agent: AgentProcess, project: Path) -> None:
    session = agent.new(project)
    mark = len(agent.lines)
    agent.prompt(session, "use a tool")
    updates = [line for line in written(agent)[mark:] if line.get("method") == "session/update"]
    assert len(updates) > 3
    assert {line["params"]["sessionId"] for line in updates} == {session}
    assert_stable(updates, {})


def test_tck_prompt_003_a_resource_link_is_accepted(agent: AgentProcess, project: Path) -> None:
    link = {"type": "resource_link", "uri": "file:///no/such/file", "name": "file"}
    assert _prompt(agent, agent.new(project), link) in STOP_REASONS


def _cancelled(agent: AgentProcess, project: Path) -> tuple[str, Any]:
    session = agent.new(project)
    prompt = agent.ask(session, "be long")
    agent.see_text(session, "I begin")
    agent.cancel(session)
    return session, prompt


def test_tck_cancel_001_a_cancelled_prompt_is_no_error(agent: AgentProcess, project: Path) -> None:
    _, prompt = _cancelled(agent, project)
    assert agent.response(prompt)["result"]["stopReason"] == "cancelled"


def test_tck_cancel_002_no_update_follows_the_cancelled_response(agent: AgentProcess, project: Path) -> None:
    session, prompt = _cancelled(agent, project)
    agent.response(prompt)
    for _ in range(3):
        agent.call("session/list", {})
    lines = written(agent)
    assert_nothing_of_the_turn_follows(lines, session, place_of_response(lines, prompt))


# Load, resume, list, delete, close.


def test_tck_load_001_a_session_is_loaded(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("loadSession")
    session = _told(agent, project)
    agent.load(session, project)
    assert agent.prompt(session, "again") == "end_turn"


def test_tck_load_002_the_replay_comes_before_the_response(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("loadSession")
    session = _told(agent, project, "use a tool")
    mark = len(agent.lines)
    id = agent.begin("session/load", _setup(project, session))
    agent.response(id)
    agent.call("session/list", {})
    lines = written(agent)[mark:]
    places = [place for place, _ in updates_of(lines, session, *HISTORY)]
    assert {update["sessionUpdate"] for _, update in updates_of(lines, session)} >= {
        "user_message_chunk", "agent_message_chunk", "tool_call",
    }  # fmt: skip
    assert max(places) < place_of_response(lines, id)


def test_tck_load_003_the_result_of_a_load_is_an_object(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("loadSession")
    assert isinstance(agent.call("session/load", _setup(project, _told(agent, project))), dict)


def test_tck_resume_001_a_resume_needs_no_servers(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.resume")
    session = _told(agent, project)
    assert isinstance(agent.call("session/resume", {"sessionId": session, "cwd": str(project)}), dict)
    assert agent.prompt(session, "again") == "end_turn"


def test_tck_resume_002_a_resume_replays_nothing(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.resume")
    session = _told(agent, project)
    mark = len(agent.lines)
    agent.call("session/resume", {"sessionId": session, "cwd": str(project)})
    agent.call("session/list", {})
    seen = {update["sessionUpdate"] for _, update in updates_of(written(agent)[mark:], session)}
    assert seen <= BETWEEN_TURNS


def test_tck_list_001_sessions_are_listed_without_any_params(
    agent: AgentProcess, project: Path, advertised: Any
) -> None:
    advertised("sessionCapabilities.list")
    session = agent.new(project)
    listed = agent.call("session/list", {})["sessions"]
    assert session in [each["sessionId"] for each in listed]


def test_tck_list_002_an_unused_directory_has_no_sessions(agent: AgentProcess, tmp_path: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.list")
    assert agent.call("session/list", {"cwd": str(tmp_path / "unused")})["sessions"] == []


def test_tck_delete_001_a_deleted_session_is_not_listed(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.delete")
    session = agent.new(project)
    agent.call("session/delete", {"sessionId": session})
    assert agent.call("session/list", {"cwd": str(project)})["sessions"] == []


def test_tck_delete_002_a_delete_may_be_repeated(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.delete")
    session = agent.new(project)
    for _ in range(2):
        assert agent.call("session/delete", {"sessionId": session}) == {}


def test_tck_close_001_a_session_is_closed(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.close")
    assert agent.call("session/close", {"sessionId": agent.new(project)}) == {}


def test_tck_close_002_a_close_cancels_what_runs(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("sessionCapabilities.close")
    session = agent.new(project)
    prompt = agent.ask(session, "be long")
    agent.see_text(session, "I begin")
    agent.call("session/close", {"sessionId": session})
    assert agent.response(prompt)["result"]["stopReason"] == "cancelled"


def test_tck_adddirs_001_a_session_takes_more_directories(
    agent: AgentProcess, project: Path, tmp_path: Path, advertised: Any
) -> None:
    advertised("sessionCapabilities.additionalDirectories")
    assert _new(agent, project, additionalDirectories=[str(tmp_path)])["sessionId"]


# Modes and options.


def test_tck_modes_001_the_current_mode_is_one_of_the_modes(agent: AgentProcess, project: Path) -> None:
    modes = _new(agent, project)["modes"]
    ids = [mode["id"] for mode in modes["availableModes"]]
    assert modes["currentModeId"] in ids
    assert len(set(ids)) == len(ids)


def test_tck_modes_002_every_mode_can_be_set(agent: AgentProcess, project: Path) -> None:
    new = _new(agent, project)
    for mode in new["modes"]["availableModes"]:
        assert agent.call("session/set_mode", {"sessionId": new["sessionId"], "modeId": mode["id"]}) == {}


def test_tck_config_001_the_options_are_valid(agent: AgentProcess, project: Path) -> None:
    assert_options(_new(agent, project)["configOptions"])


def test_tck_config_002_setting_an_option_gives_the_complete_list(agent: AgentProcess, project: Path) -> None:
    new = _new(agent, project)
    ids = [option["id"] for option in new["configOptions"]]
    for option in new["configOptions"]:
        value = values(option)[-1]
        params = {"sessionId": new["sessionId"], "configId": option["id"], "value": value}
        told = agent.call("session/set_config_option", params)["configOptions"]
        assert_options(told)
        assert [each["id"] for each in told] == ids
        assert told[ids.index(option["id"])]["currentValue"] == value


def test_tck_config_003_there_are_no_boolean_options(agent: AgentProcess, project: Path) -> None:
    session = _told(agent, project)
    for told in (_new(agent, project), agent.call("session/load", _setup(project, session))):
        assert {option["type"] for option in told["configOptions"]} == {"select"}


# Content.


def test_tck_promptcap_001_an_image_is_accepted(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("promptCapabilities.image")
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    assert _prompt(agent, agent.new(project), image) == "end_turn"


def test_tck_promptcap_002_audio_is_accepted(agent: AgentProcess, project: Path, advertised: Any) -> None:
    advertised("promptCapabilities.audio")
    audio = {"type": "audio", "data": WAV, "mimeType": "audio/wav"}
    assert _prompt(agent, agent.new(project), audio) == "end_turn"


def test_tck_promptcap_003_an_embedded_resource_is_accepted(
    agent: AgentProcess, project: Path, advertised: Any
) -> None:
    advertised("promptCapabilities.embeddedContext")
    blob = base64.b64encode(b"bytes").decode()
    text = {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "embedded", "mimeType": "text/plain"}}
    binary = {"type": "resource", "resource": {"uri": "file:///b.bin", "blob": blob}}
    assert _prompt(agent, agent.new(project), text, binary) == "end_turn"


# Authentication.


def test_tck_auth_001_ids_of_authentication_methods_are_unique(hello: Any) -> None:
    ids = [method["id"] for method in hello["authMethods"]]
    assert len(set(ids)) == len(ids)


def test_tck_auth_002_there_is_no_terminal_method(hello: Any) -> None:
    assert [method for method in hello["authMethods"] if method.get("type") == "terminal"] == []


def test_tck_auth_003_after_authenticate_a_session_is_made(agent: AgentProcess, hello: Any, project: Path) -> None:
    for method in hello["authMethods"]:
        assert agent.call("authenticate", {"methodId": method["id"]}) == {}
    assert agent.new(project)


def test_tck_auth_004_logout_works_where_it_is_advertised_and_is_not_found_elsewhere(
    agent: AgentProcess, hello: Any
) -> None:
    answer = agent.response(agent.begin("logout", {}))
    if hello["agentCapabilities"].get("auth", {}).get("logout") is None:
        assert answer["error"]["code"] == -32601
    else:
        assert answer["result"] == {}


def test_tck_auth_005_nothing_asks_for_authentication(agent: AgentProcess, project: Path) -> None:
    answers = [agent.response(agent.begin("session/new", _setup(project)))]
    session = answers[0]["result"]["sessionId"]
    answers.append(agent.response(agent.ask(session, "hello")))
    assert [answer.get("error") for answer in answers] == [None, None]


# What the client did not offer; extensions; errors.


def _asked(agent: AgentProcess, project: Path, prefix: str) -> list[Any]:
    agent.prompt(agent.new(project), "use a tool")
    return [line for line in written(agent) if line.get("method", "").startswith(prefix)]


def test_tck_clientcap_001_no_files_are_asked_for(agent: AgentProcess, project: Path) -> None:
    assert _asked(agent, project, "fs/") == []


def test_tck_clientcap_002_no_terminals_are_asked_for(agent: AgentProcess, project: Path) -> None:
    assert _asked(agent, project, "terminal/") == []


def test_tck_clientcap_003_nothing_is_elicited(agent: AgentProcess, project: Path) -> None:
    assert _asked(agent, project, "elicitation/") == []


def test_tck_ext_001_a_request_of_an_extension_is_answered(agent: AgentProcess) -> None:
    assert agent.error("_tck.example/ping", {"a": 1})["code"] == -32601


def test_tck_meta_001_meta_in_a_prompt_is_accepted(agent: AgentProcess, project: Path) -> None:
    params = {**agent.text_prompt(agent.new(project), "hello"), "_meta": {"tck.example/x": {"deep": [1, None]}}}
    assert agent.call("session/prompt", params)["stopReason"] == "end_turn"


def test_tck_error_001_the_message_of_an_error_is_one_line(agent: AgentProcess) -> None:
    for method, params in (("no\nsuch", {}), ("session/new", {"cwd": "a\nb"}), ("session/prompt", {})):
        message = agent.error(method, params)["message"]
        assert message.strip()
        assert message.splitlines() == [message]


def test_tck_shutdown_001_the_process_exits_when_stdin_is_closed(start: Start) -> None:
    agent = start()
    agent.initialize()
    assert agent.end_of_input() < 2
    assert agent.returncode == 0


def test_tck_stderr_001_stderr_stays_empty(start: Start, project: Path) -> None:
    agent = start("Hello.")
    agent.initialize()
    agent.write(b"junk\n")
    agent.error("none/such", {})
    agent.prompt(agent.new(project))
    agent.end_of_input()
    assert agent.stderr() == ""


def test_tck_info_parse_001_a_parse_error_is_32700_without_an_id(agent: AgentProcess) -> None:
    mark = len(agent.lines)
    agent.write(b'{"jsonrpc": "2.0", "method": \n')
    agent.call("session/list", {})
    first = written(agent)[mark]
    assert (first["id"], first["error"]["code"]) == (None, -32700)


def test_tck_info_invalidreq_001_an_invalid_request_is_32600(agent: AgentProcess) -> None:
    mark = len(agent.lines)
    agent.send({"jsonrpc": "2.0", "id": agent.owe("none", 99999), "method": 5})
    assert agent.response(99999)["error"]["code"] == -32600
    assert len(agent.lines) == mark + 1


def test_tck_info_unknownsession_001_an_unknown_session_is_32002_at_once(agent: AgentProcess, project: Path) -> None:
    before = time.monotonic()
    for method, params in (
        ("session/prompt", agent.text_prompt("no-such-session")),
        ("session/load", _setup(project, "no-such-session")),
    ):
        error = agent.error(method, params)
        assert (error["code"], error["data"]["sessionId"]) == (-32002, "no-such-session")
    assert time.monotonic() - before < 5
