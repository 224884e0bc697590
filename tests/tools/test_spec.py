import json
from typing import Any

import pytest

from acp_agent.tools import BUILTIN
from acp_agent.tools.base import ToolError
from acp_agent.tools.spec import parse_arguments, tool_spec
from tests.tools.desk import TOOLS

STRING = "string"
PARAMETERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "bash": ({"command": STRING, "description": STRING, "timeout": "integer", "workdir": STRING}, ["command"]),
    "edit": (
        {"filePath": STRING, "oldString": STRING, "newString": STRING, "replaceAll": "boolean"},
        ["filePath", "oldString", "newString"],
    ),
    "glob": ({"pattern": STRING, "path": STRING}, ["pattern"]),
    "grep": ({"pattern": STRING, "path": STRING, "include": STRING}, ["pattern"]),
    "read": ({"filePath": STRING, "offset": "integer", "limit": "integer"}, ["filePath"]),
    "todowrite": ({"todos": "array"}, ["todos"]),
    "write": ({"filePath": STRING, "content": STRING}, ["filePath", "content"]),
}


def test_names_and_parameters_are_those_that_rules_and_prompts_know() -> None:
    found = {}
    for tool in BUILTIN:
        schema = tool_spec(tool).parameters
        properties = {name: field["type"] for name, field in schema["properties"].items()}
        found[tool.name] = (properties, schema["required"])
    assert found == PARAMETERS
    assert list(found) == sorted(found)


def test_a_step_of_the_plan_has_the_fields_that_models_know() -> None:
    items = tool_spec(TOOLS["todowrite"]).parameters["properties"]["todos"]["items"]
    assert items == {
        "type": "object",
        "properties": {
            "content": {"type": "string"},
            "status": {"type": "string", "enum": ["pending", "in_progress", "completed", "cancelled"]},
            "priority": {"type": "string", "enum": ["high", "medium", "low"], "default": "medium"},
        },
        "required": ["content", "status"],
    }


def keys(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {key for item in schema for key in keys(item)}
    if isinstance(schema, dict):
        return set(schema) | {key for value in schema.values() for key in keys(value)}
    return set()


def test_no_schema_has_what_models_do_not_need() -> None:
    for tool in BUILTIN:
        assert not keys(tool_spec(tool).parameters) & {"title", "$defs", "$ref", "anyOf", "allOf", "$schema"}
        assert "null" not in json.dumps(tool_spec(tool).parameters)


def test_a_specification_is_the_same_each_time() -> None:
    assert [tool_spec(tool) for tool in BUILTIN] == [tool_spec(tool) for tool in BUILTIN]


def test_all_specifications_together_take_little_of_the_window() -> None:
    texts = [json.dumps([spec.name, spec.description, spec.parameters]) for spec in map(tool_spec, BUILTIN)]
    assert sum(map(len, texts)) / 4 < 1500


@pytest.mark.parametrize(
    ("tool", "text", "expected"),
    [
        ("read", '{"filePath": "a", "offset": 3}', {"file_path": "a", "offset": 3, "limit": 2000}),
        ("read", '{"filePath": "a", "offset": "3", "more": 1}', {"file_path": "a", "offset": 3, "limit": 2000}),
        ("read", json.dumps('{"filePath": "a"}'), {"file_path": "a", "offset": 1, "limit": 2000}),
        ("write", '{"filePath": "a", "content": "one\ntwo"}', {"file_path": "a", "content": "one\ntwo"}),
        ("glob", '{"pattern": "*", "path": null}', {"pattern": "*", "path": None}),
        (
            "bash",
            '{"command": "ls", "timeout": 5000.0}',
            {"command": "ls", "description": None, "timeout": 5000, "workdir": None},
        ),
    ],
)
def test_arguments_are_read_as_models_write_them(tool: str, text: str, expected: dict[str, Any]) -> None:
    assert parse_arguments(TOOLS[tool], text).model_dump() == expected


@pytest.mark.parametrize(
    ("tool", "text", "words"),
    [
        ("read", "", ["- filePath: Field required"]),
        ("read", "{}", ["- filePath: Field required"]),
        ("read", '""', ["- filePath: Field required"]),
        (
            "read",
            '{"path": "a"}',
            ["- filePath: Field required", "- unknown: path; the fields are filePath, limit, offset"],
        ),
        ("read", '{"filePath": ""}', ["- filePath: ", "at least 1 character", "(got '')"]),
        ("read", '{"filePath": "a", "offset": -1}', ["- offset: ", "greater than or equal to 0", "(got -1)"]),
        ("bash", '{"command": "ls", "timeout": 0}', ["- timeout: ", "greater than 0"]),
        ("bash", '{"command": ["ls"]}', ["- command: ", "valid string", "(got ['ls'])"]),
        (
            "todowrite",
            '{"todos": [{"content": "a", "status": "done"}]}',
            ["- todos.0.status: ", "'in_progress'", "(got 'done')"],
        ),
        ("edit", '{"filePath": "a"}', ["- oldString: Field required", "- newString: Field required"]),
        ("read", "[1]", ["must be a JSON object, not a list"]),
        ("read", "null", ["must be a JSON object, not null"]),
        ("read", "true", ["must be a JSON object, not a boolean"]),
        ("read", "3", ["must be a JSON object, not a number"]),
        ("read", '"a"', ["not valid JSON"]),
        ("read", json.dumps(json.dumps("x")), ["must be a JSON object, not a string"]),
        ("read", '{"filePath": "a', ["not valid JSON", "at character 13 of 15", "Nothing was run"]),
        ("read", "[" * 100_000, ["too deep"]),
        ("read", "1" * 10_000, ["a number too long"]),
        ("write", json.dumps({"content": "x" * 10_000}), ["- filePath: Field required"]),
    ],
)
def test_wrong_arguments_name_each_field_and_why(tool: str, text: str, words: list[str]) -> None:
    with pytest.raises(ToolError) as raised:
        parse_arguments(TOOLS[tool], text)
    message = str(raised.value)
    assert [word for word in words if word not in message] == []
    assert len(message) < 1000
