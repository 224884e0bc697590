"""The schemas of strangers: what is right is passed, what is surely wrong is told, and none holds us up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from acp_agent.tools.mcp.schemas import LARGEST_SCHEMA, usable

DRAFT_4, DRAFT_7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 7))
ENDLESS = {"pattern": "^(a+)+$"}
BAIT = "a" * 40 + "!"
"""What `ENDLESS` would look at for hours."""


def of(schema: Any, **more: Any) -> dict[str, Any]:
    """A tool's schema with one argument, `a`."""
    return {"type": "object", "properties": {"a": schema}, **more}


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    return list(usable(schema)[1]({"a": value}))


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        (of({"type": "integer"}), "x", "a: 'x' is not of type 'integer'"),
        (of({"enum": ["x", "y", None]}), "z", "a: 'z' is not one of ['x', 'y', None]"),
        (of({"type": "string", "minLength": 3}), "x", "a: 'x' is too short"),
        (of({"type": "array", "items": {"type": "string"}}), [1], "a.0: 1 is not of type 'string'"),
        (of({"anyOf": [{"type": "string"}, {"type": "null"}]}), 1, "a: 1 is not valid under any of the given schemas"),
        (of({"oneOf": [{"type": "string"}, {"const": 2}]}), 1, "a: 1 is not valid under any of the given schemas"),
        (of(True, required=["b"]), 1, "arguments: 'b' is a required property"),
        ({"properties": {}, "additionalProperties": False}, 1,
         "arguments: Additional properties are not allowed ('a' was unexpected)"),
        (of({"$ref": "#/$defs/s"}, **{"$defs": {"s": {"type": "string"}}}), 1, "a: 1 is not of type 'string'"),
        (of({"type": "array", "items": {"$ref": "#/properties/a"}}), [[], [[], 1]], "a.1.1: 1 is not of type 'array'"),
    ],
)  # fmt: skip
def test_what_is_surely_wrong_is_told(schema, value, why):
    assert problems(schema, value) == [why]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (of({"oneOf": [{"type": "string", "pattern": "x"}, {"type": "string", "pattern": "y"}]}), "x"),
        (of({"not": {"type": "string", "pattern": "y"}}), "x"),
        (of({"if": {"pattern": "y"}, "then": {"maxLength": 0}}), "x"),
        (of({"type": "array", "prefixItems": [True] * 101, "items": False}), [1]),
        (of({"anyOf": [{"const": number} for number in range(200)]}), 150),
        ({"patternProperties": {"^a": {}}, "additionalProperties": False}, 1),
        (of({"$ref": "#/definitions/s", "type": "integer"}, definitions={"s": {"type": "string"}}, **{
            "$schema": DRAFT_7}), "x"),
        (of({"$id": "http://x/", "$ref": "#/$defs/s", "$defs": {"s": {"type": "string"}}},
            **{"$defs": {"s": {"type": "integer"}}}), "x"),
        (of({"$ref": "http://x/", "type": "integer"}, **{"$schema": DRAFT_4}), "x"),
    ],
)  # fmt: skip
def test_what_is_left_to_the_server_makes_nothing_wrong_that_is_right(schema, value):
    assert problems(schema, value) == []


@pytest.mark.parametrize(
    "schema",
    [
        of(ENDLESS),
        of({"$schema": DRAFT_7, **ENDLESS}),
        of({"$ref": "#/$defs/p"}, **{"$defs": {"p": ENDLESS}}),
        {**of({"$ref": "#/properties/b/enum/0"}), "properties": {
            "a": {"$ref": "#/properties/b/enum/0"}, "b": {"enum": [{"$schema": DRAFT_7, **ENDLESS}]}}},
        {**of({}), "$schema": DRAFT_4, "properties": {"a": {"pattern": "(?i)" + "[\\x00-\\U0010ffff]" * 1000}}},
        of({"propertyNames": ENDLESS, "patternProperties": {"^(a+)+$": False}, "additionalProperties": False}),
    ],
    ids=["plain", "with rules of its own", "referred to", "hidden in a value", "slow to compile", "names"],
)  # fmt: skip
def test_no_pattern_is_tried(schema):
    for value in (BAIT, {BAIT: 1}):
        assert problems(schema, value) == []


@pytest.mark.parametrize(
    "schema",
    [
        of({"$ref": "#/$defs/0"}, **{
            "$defs": {str(at): {"allOf": [{"$ref": f"#/$defs/{at + 1}"}] * 2} for at in range(50)}}),
        of({"$ref": "#/$defs/0"}, **{"$defs": {"0": {"$ref": "#/$defs/0"}}}),
        of({"$ref": "#/$defs/0"}, **{"$defs": {"0": {"anyOf": [{"$ref": "#/$defs/0"}] * 50}}}),
    ],
    ids=["that fan out", "in a circle", "in many circles"],
)  # fmt: skip
def test_references_without_end_are_given_up(schema):
    assert problems(schema, "x") == []


def test_a_reference_to_what_is_no_schema_is_passed_over():
    schema = {"properties": {"minLength": {"type": "string"}, "enum": {}, "a": {"$ref": "#/properties"}}}
    assert problems(schema, "x") == []


def test_many_values_are_compared_with_few():
    mixed = [[each] if each % 2 else str(each) for each in range(80)]
    schema = {"$schema": DRAFT_4, "properties": {f"p{at}": {"enum": [*mixed, *range(10)]} for at in range(50)}}
    assert problems(schema, 1) == []
    assert problems({"$schema": DRAFT_4, **of({"enum": [[each] for each in range(8000)]})}, 1) == []


def test_arguments_that_are_huge_or_deep_are_left_to_the_server():
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    for value in ("x" * 300_000, deep):
        assert problems(of({"type": "integer"}), value) == []


@pytest.mark.parametrize("levels", [50, 5000])
def test_a_schema_that_is_too_deep_is_of_no_use(levels):
    schema = of({"type": "string"})
    for _ in range(levels):
        schema = of(schema)
    with pytest.raises(ValueError, match="too deep"):
        usable(schema)


def test_a_schema_that_is_too_large_is_of_no_use():
    with pytest.raises(ValueError, match="larger than 64 KiB"):
        usable(of({"description": "x" * LARGEST_SCHEMA}))


@pytest.mark.parametrize("name", ["http://[", "", "nonsense", "http://json-schema.org/draft-99/schema#"])
def test_rules_that_nobody_knows_are_the_newest(name):
    assert problems({"$schema": name, **of({"type": "string"})}, 1) == ["a: 1 is not of type 'string'"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "$ref",
        "enum",
        "minimum",
        "required",
        "additionalProperties",
        "a",
    ]
)
SCHEMAS = st.recursive(
    VALUES | st.sampled_from(["string", "object", "#", "#/properties", "#/properties/a", "#/anyOf/0", DRAFT_4]),
    lambda inner: st.dictionaries(KEYWORDS | st.just("$schema"), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(schema=SCHEMAS, part=SCHEMAS, value=VALUES)
def test_whatever_a_server_sends_it_is_of_use_or_not(schema, part, value):
    for whole in (schema, of(part)):
        try:
            _, check = usable(whole)
        except ValueError:
            continue
        assert all(isinstance(each, str) for each in check({"a": value}))
