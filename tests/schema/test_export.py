"""The published schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from acp_agent.cli.schemas import other_schemas
from acp_agent.schema import message_types
from acp_agent.schema.export import export, message_schemas, render, strict
from tests.schema.wire_types import minimal

PUBLISHED = Path(__file__).parents[2] / "protocol" / "schemas"
SCHEMAS = dict(message_schemas())


def test_the_published_schemas_are_those_of_the_types() -> None:
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.iterdir()}
    generated = SCHEMAS | other_schemas()
    assert published == {f"{name}.json": render(schema) for name, schema in generated.items()}, "run `make schemas`"


def test_there_is_a_schema_for_each_side_of_each_method() -> None:
    expected = set()
    for method, types in message_types.items():
        expected.add(f"{method.replace('/', '.')}.{types.kind}")
        if types.result is not None:
            expected.add(f"{method.replace('/', '.')}.response")
    assert set(SCHEMAS) == expected


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_valid_and_accepts_the_smallest_message(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    method = next(m for m in message_types if name.startswith(m.replace("/", ".") + "."))
    model = message_types[method].result if name.endswith(".response") else message_types[method].params
    assert model is not None
    assert list(Draft202012Validator(strict(SCHEMAS[name])).iter_errors(minimal(model))) == []


def test_an_export_writes_what_others_add_and_is_the_same_each_time(tmp_path: Path) -> None:
    export(tmp_path / "one", {"config": {"type": "object"}})
    export(tmp_path / "two", {"config": {"type": "object"}})

    one = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert one == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert one["config.json"] == b'{\n  "type": "object"\n}\n'
    assert len(one) == len(SCHEMAS) + 1


def test_a_strict_schema_refuses_unknown_fields_at_every_depth_but_not_in_meta() -> None:
    update: dict[str, Any] = {
        "sessionId": "s",
        "update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x"}, "_meta": {"k": 1}},
    }
    validator = Draft202012Validator(strict(SCHEMAS["session.update.notification"]))
    assert validator.is_valid(update)

    for path in ([], ["update"], ["update", "content"]):
        spoiled = json.loads(json.dumps(update))
        node = spoiled
        for key in path:
            node = node[key]
        node["unknown"] = 1
        assert Draft202012Validator(SCHEMAS["session.update.notification"]).is_valid(spoiled)
        assert not validator.is_valid(spoiled), path


def test_making_a_schema_strict_leaves_the_original_alone() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
    strict(schema)
    assert schema == {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
