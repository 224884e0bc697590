"""What is published as schemas is what is read and written."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from acp_agent.cli.schemas import main
from acp_agent.config import jsonc
from acp_agent.schema.export import strict
from tests.harness import Rig, call, tools
from tests.protocol.transcripts import FOLDER

SCHEMAS = FOLDER.parent / "schemas"
EXAMPLE = Path(__file__).parents[2] / "examples" / "opencode.json"


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(strict(schema))


@pytest.mark.anyio
async def test_every_event_of_a_record_is_valid_against_the_published_schema(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    (rig.cwd / "a.txt").write_text("one\n")
    plan = [{"content": "Go", "status": "pending", "priority": "high"}]
    calls = tools(call("edit", filePath="a.txt", oldString="one", newString="two"), call("todowrite", todos=plan))
    picture = {"type": "image", "mimeType": "image/png", "data": "aGVsbG8="}
    link = {"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt", "_meta": {"k": 1}}
    async with rig.client({"thinking": "Hm.", **calls}, {"text": "Done.", "usage": {"input": 1}}) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        prompt = {"sessionId": session, "prompt": [{"type": "text", "text": "go"}, picture, link]}
        await client.call("session/prompt", prompt)
        await client.call("session/set_mode", {"sessionId": session, "modeId": "plan"})
        await client.call("session/set_model", {"sessionId": session, "modelId": "scripted/other"})
        await client.call("session/close", {"sessionId": session})

    database = sqlite3.connect(rig.store)
    events: list[Any] = [json.loads(text) for (text,) in database.execute("SELECT json FROM event ORDER BY seq")]
    database.close()
    schema = validator("session-log")
    kinds = {event["type"] for event in events}
    assert kinds >= {"user_message", "assistant_message", "tool_call_final", "plan_changed", "usage", "mode_changed"}
    assert {error.message for event in events for error in schema.iter_errors(event)} == set()
    assert not schema.is_valid({**events[0], "type": "something_else"})


def test_the_example_configuration_is_valid_against_the_published_schema() -> None:
    document = jsonc.parse(EXAMPLE.read_text("utf-8"))
    assert list(validator("config").iter_errors(document.value)) == []


@pytest.mark.parametrize(
    ("config", "is_valid"),
    [
        ({"$schema": "./config.json", "theme": "dark", "keybinds": {"leader": "x"}}, True),
        ({"agent": {"build": {"color": "#fff", "any_request_option": 1}}}, True),
        ({"permission": {"bash": {"*": "ask"}, "edit": "deny"}}, True),
        ({"modle": "a/b"}, False),
        ({"permission": {"edit": "maybe"}}, False),
        ({"provider": {"x": {"options": {"baseURL": 7}}}}, False),
    ],
)
def test_the_schema_of_the_configuration_knows_opencodes_keys_and_no_others(config: Any, is_valid: bool) -> None:
    assert validator("config").is_valid(config) == is_valid


def test_the_command_writes_the_published_schemas_and_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FOLDER, tmp_path / "transcripts")
    assert main([str(tmp_path)]) == 0
    for folder in ("schemas", "api"):
        written = {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        assert written == {path.name: path.read_bytes() for path in (FOLDER.parent / folder).iterdir()}

    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err
