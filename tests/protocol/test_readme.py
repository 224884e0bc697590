"""The tables in protocol/README.md say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS, agent_capabilities
from acp_agent.client.bounds import MAX_LINE_BYTES
from acp_agent.rpc import messages
from acp_agent.rpc.connection import CANCEL_REQUEST, MAX_UNANSWERED, MAX_UNANSWERED_BYTES
from acp_agent.schema import SessionUpdate, StopReason, message_types
from acp_agent.session.session import MAX_QUEUED
from acp_agent.tools.mcp.spec import MOST_SERVERS
from tests.harness import Rig
from tests.protocol.transcripts import FOLDER, Transcript

README = (FOLDER.parent / "README.md").read_text("utf-8")
TRANSCRIPTS = {path.stem: Transcript.read(path) for path in sorted(FOLDER.glob("*.jsonl"))}


def table(heading: str) -> dict[str, list[str]]:
    """The first table under a heading: first cell without its marks, and the other cells."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0].strip("*`"): row[1:] for row in rows[2:]}


OF_THE_AGENT = table("Methods of the agent")
OF_THE_CLIENT = table("Methods of the client")
UPDATES = table("Updates")


def said_by_the_agent() -> list[Any]:
    return [entry.said for each in TRANSCRIPTS.values() for entry in each.entries if entry.speaker == "agent"]


def test_the_methods_that_are_served_are_those_that_the_table_says_are() -> None:
    served = {name for name, (_, status) in OF_THE_AGENT.items() if status.startswith(("answered", "taken"))}
    assert served == REQUESTS.keys() | NOTIFICATIONS.keys() | {CANCEL_REQUEST}
    assert all(status.startswith(("answered", "taken", "not built", "no ")) for _, status in OF_THE_AGENT.values())


def test_every_method_with_types_stands_in_the_table_of_its_receiver() -> None:
    typed = {
        (side, name): types.kind
        for name, types in message_types.items()
        for side in (("agent", "client") if types.direction == "both" else (types.direction,))
    }
    told = {("agent", name): kind for name, (kind, _) in OF_THE_AGENT.items()}
    told |= {("client", name): kind for name, (kind, _) in OF_THE_CLIENT.items()}
    assert {key: told.get(key) for key in typed} == {
        key: "notification" if key == ("agent", CANCEL_REQUEST) else kind for key, kind in typed.items()
    }


@pytest.mark.anyio
async def test_what_is_not_built_answers_that_the_method_is_unknown(tmp_path: Path) -> None:
    missing = [name for name, (_, status) in OF_THE_AGENT.items() if status.startswith("not built")]
    assert missing
    async with Rig(tmp_path).client() as client:
        await client.initialize()
        codes = {name: (await client.error(name, {}))["code"] for name in missing}
    assert codes == dict.fromkeys(missing, messages.METHOD_NOT_FOUND)


def test_what_the_agent_sends_is_seen_in_a_transcript_and_nothing_else_is() -> None:
    seen = {message["method"] for message in said_by_the_agent() if "method" in message}
    assert seen == {name for name, (_, status) in OF_THE_CLIENT.items() if status.startswith("sent")}


def test_every_update_stands_in_the_table_and_those_that_are_sent_are_seen_in_a_transcript() -> None:
    union = get_args(get_args(SessionUpdate)[0])
    assert {member.model_fields["session_update"].default for member in union} <= UPDATES.keys()

    seen = {m["params"]["update"]["sessionUpdate"] for m in said_by_the_agent() if m.get("method") == "session/update"}
    assert seen == {name for name, (status,) in UPDATES.items() if status.startswith("sent")}


def test_the_capabilities_are_those_that_are_answered() -> None:
    section = README.split("\n## Capabilities\n")[1]
    block = section.split("```json\n")[1].split("```")[0]
    assert json.loads(block) == agent_capabilities()


def test_every_error_code_of_the_code_is_explained_and_used_in_a_transcript() -> None:
    codes = {value for name, value in vars(messages).items() if name.isupper() and isinstance(value, int) and value < 0}
    assert {int(code) for code in table("Errors")} == codes

    seen = {message["error"]["code"] for message in said_by_the_agent() if "error" in message}
    assert seen == codes - {messages.REQUEST_CANCELLED}


def test_the_limits_are_those_of_the_code() -> None:
    limits = {name: cells[0] for name, cells in table("Limits").items()}
    assert messages.MAX_MESSAGE_BYTES == (64 << 20) + 1024
    assert limits["a line to the agent"].startswith("64 MiB and 1 KiB")
    assert limits["a line from the agent"].startswith(f"{MAX_LINE_BYTES >> 20} MiB")
    waiting = f"{MAX_UNANSWERED:,}, or {MAX_UNANSWERED_BYTES >> 20} MiB"
    assert limits["requests that wait for an answer"].startswith(waiting)
    assert limits["prompts that wait in a session"] == str(MAX_QUEUED)
    assert limits["MCP servers of a session"].startswith(f"{MOST_SERVERS};")


def test_the_stop_reasons_are_listed() -> None:
    listed = re.search(r"Stop reasons: (.*?)\.\s", README, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) - {"steps"} == set(get_args(StopReason))


def test_every_transcript_is_listed_and_says_what_it_is_about() -> None:
    rows = README.split("| transcript | what it shows |")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) == TRANSCRIPTS.keys()
    assert all(transcript.about.endswith((".", ")")) for transcript in TRANSCRIPTS.values())


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_is_whole_and_holds_nothing_of_a_single_run(name: str) -> None:
    text = (FOLDER / f"{name}.jsonl").read_text("utf-8")
    assert '"method": "initialize"' in text
    assert TRANSCRIPTS[name].entries[-1].speaker != "model", "a step that was not used"
    assert not re.search(r"\b(?:ses|msg|call|evt)_(?!none\b)[0-9a-z]+", text)
    assert not re.search(r"/tmp/|/home/|\d{4}-\d\d-\d\dT", text)
