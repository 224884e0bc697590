"""The API pages hold every method and update, say what the transcripts show, and lead nowhere that does not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from acp_agent.agent.methods import NOTIFICATIONS, REQUESTS
from acp_agent.cli.api_extensions import KEYS
from acp_agent.cli.api_meanings import COMMON_ERRORS, ERRORS, MEANINGS
from acp_agent.cli.api_types import ApiTypes
from acp_agent.client.quirks import QUIRKS
from acp_agent.rpc.messages import METHOD_NOT_FOUND
from acp_agent.schema import Wire, message_types
from acp_agent.schema.export import schema_of, strict
from tests.protocol.transcripts import FOLDER, Transcript

API = FOLDER.parent / "api"
PAGES = {path.name: path.read_text("utf-8") for path in sorted(API.glob("*.md"))}
TRANSCRIPTS = [Transcript.read(path) for path in sorted(FOLDER.glob("*.jsonl"))]


def without_code(text: str) -> str:
    """The text outside of examples."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def fragments(text: str) -> list[str]:
    """What every heading is reached by: letters, digits, `_` and `-`, spaces as `-`."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    kept = ("".join(char for char in heading.lower() if char.isalnum() or char in "_- ") for heading in headings)
    return [each.replace(" ", "-") for each in kept]


def section(method: str) -> str:
    """What the pages say of a method."""
    found = [text.split(f"\n## `{method}`\n")[1] for text in PAGES.values() if f"\n## `{method}`\n" in text]
    assert len(found) == 1, method
    return re.split(r"^## ", found[0], maxsplit=1, flags=re.MULTILINE)[0]


def examples() -> Iterator[tuple[str, list[Any]]]:
    """Every example with its page: one message, or a request and its answer."""
    for name, text in PAGES.items():
        for block in re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            yield name, [json.loads(line) for line in block.splitlines()]


def exchanges() -> Iterator[tuple[str, Any]]:
    """Every answer of the agent's in a transcript, with the method that it answers."""
    for transcript in TRANSCRIPTS:
        asked: dict[str, str] = {}
        for entry in transcript.entries:
            if not isinstance(entry.said, dict) or "id" not in entry.said:
                continue
            if entry.speaker == "client" and isinstance(entry.said.get("method"), str):
                asked[json.dumps(entry.said["id"])] = entry.said["method"]
            elif entry.speaker == "agent" and json.dumps(entry.said["id"]) in asked:
                yield asked[json.dumps(entry.said["id"])], entry.said


def keys_of_meta(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("_meta") or {}
        for value in node.values():
            yield from keys_of_meta(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of_meta(value)


@pytest.mark.parametrize("method", message_types)
def test_every_method_has_its_section_with_its_direction_and_every_field(method: str) -> None:
    text = section(method)
    types = message_types[method]
    assert {"agent": "client → agent", "client": "agent → client", "both": "both ways"}[types.direction] in text
    for type_ in (types.params, types.result):
        if type_ is not None:
            assert [each for each in fields(type_) if f"\n| `{each}` |" not in text] == []


def fields(type_: type[Wire]) -> list[str]:
    return [name for name in schema_of(type_).get("properties", {}) if name != "_meta"]


@pytest.mark.parametrize("method", sorted(REQUESTS.keys() | NOTIFICATIONS.keys()))
def test_a_method_that_is_served_says_what_advertises_it_and_shows_an_example(method: str) -> None:
    text = section(method)
    row = REQUESTS[method]
    assert f"agentCapabilities.{row.capability}" in text or not row.capability
    assert ("| answered; unstable |" in text) == row.unstable
    assert f'"method": "{method}"' in text


def test_every_update_that_a_transcript_shows_has_an_example_and_no_other_has() -> None:
    said = [entry.said for each in TRANSCRIPTS for entry in each.entries if entry.speaker == "agent"]
    shown = {m["params"]["update"]["sessionUpdate"] for m in said if m.get("method") == "session/update"}
    rows = dict(re.findall(r"^\| \[`(\w+)`\]\(updates\.md#\w+\) \| ([\w ]+) \|$", PAGES["README.md"], re.MULTILINE))
    assert {name for name, status in rows.items() if status == "sent"} == shown
    assert {name for name in rows if f'"sessionUpdate": "{name}"' in section(name)} == shown


def test_every_link_leads_to_a_heading_that_exists_once() -> None:
    broken = []
    for name, text in PAGES.items():
        assert len(fragments(text)) == len(set(fragments(text))), name
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
            path, _, fragment = target.partition("#")
            file = API / (path or name)
            if not file.is_file() or (fragment and fragment not in fragments(file.read_text("utf-8"))):
                broken.append(f"{name}: {target}")
    assert broken == []


def test_every_example_is_valid_against_the_published_schemas() -> None:
    seen = 0
    for page, messages in examples():
        if "method" not in messages[0]:
            continue
        method = messages[0]["method"]
        types = message_types[method]
        check(page, types.params, messages[0]["params"])
        for answer in messages[1:]:
            assert types.result is not None
            assert answer["id"] == messages[0]["id"]
            check(page, types.result, answer["result"])
        seen += 1
    assert seen > 40


def check(page: str, type_: type[Wire], value: Any) -> None:
    problems = [error.message for error in Draft202012Validator(strict(schema_of(type_))).iter_errors(value)]
    assert problems == [], f"{page}: {type_.__name__}"


def test_the_errors_of_a_method_that_transcripts_show_are_listed_with_it() -> None:
    common = {code for code, _ in COMMON_ERRORS} | {METHOD_NOT_FOUND}
    for method, answer in exchanges():
        if "error" in answer and method in REQUESTS:
            assert answer["error"]["code"] in common | {code for code, _ in ERRORS[method]}, (method, answer)
    assert ERRORS.keys() == REQUESTS.keys() - {"session/cancel"}


def test_every_key_of_meta_on_the_wire_is_explained() -> None:
    seen = {key for each in TRANSCRIPTS for entry in each.entries for key in keys_of_meta(entry.said)}
    assert seen <= {key.name for key in KEYS}
    assert all(f"### `{key.name}`" in PAGES["extensions.md"] for key in KEYS)
    assert all(f"`{name}`" in PAGES["extensions.md"] for name in QUIRKS)


def test_no_meaning_is_left_over() -> None:
    types = ApiTypes().types.values()
    known = {name for type_ in types for name in fields(type_)}
    known |= {f"{each.__name__}.{name}" for type_ in types for each in type_.__mro__ for name in fields(type_)}
    assert MEANINGS.keys() - known == set()


def test_the_pages_name_no_path_of_a_machine() -> None:
    assert [name for name, text in PAGES.items() if re.search(r"/tmp/|/home/|\.venv", text)] == []
