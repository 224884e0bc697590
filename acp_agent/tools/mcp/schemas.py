"""The input schema of a server's tool: whether models can be given it, and what we check of arguments ourselves.

A schema is a stranger's program. A pattern can take years, and so can a few references that fan out; either would hold
up every session of the process. So only what can be judged in one look is checked here, and within a bound. What we
leave out makes the check milder, never wrong: the server judges the rest.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from acp_agent.tools.mcp.errors import one_line

Check: TypeAlias = Callable[[Mapping[str, Any]], Sequence[str]]
"""What is wrong with arguments, one line each."""

LARGEST_SCHEMA = 64 * 1024

_DEEPEST = 64
_LONGEST_LIST = 100
_LARGEST_ARGUMENTS = 256 * 1024
_CHECK_SECONDS = 0.1
_MOST_PROBLEMS = 10

_TYPES = {"array", "boolean", "integer", "null", "number", "object", "string"}
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems",
           "maxItems", "minProperties", "maxProperties"}  # fmt: skip
_ONE = {"items", "additionalProperties", "propertyNames"}
_LISTS = {"allOf", "anyOf", "prefixItems"}
_MAPS = {"properties", "$defs", "definitions"}
_PLAIN = _BOUNDS | {"type", "required", "enum", "const", "$ref"}
_PLACE = re.compile(r"#(/(properties|\$defs|definitions)/[^/]+|/(allOf|anyOf|prefixItems)/\d+|/(items|propertyNames))*")
"""References to schemas within schemas; others may lead to what is no schema."""


def usable(schema: Any) -> tuple[dict[str, Any], Check]:
    """The schema as models take it, and its check. Raises `ValueError` with the reason why it is of no use."""
    from jsonschema import SchemaError

    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ValueError("its input schema is no schema of an object")
    try:
        if _depth(schema) > _DEEPEST:
            raise ValueError("its input schema is too deep")
        if len(json.dumps(schema)) > LARGEST_SCHEMA:
            raise ValueError(f"its input schema is larger than {LARGEST_SCHEMA >> 10} KiB")
        draft = _draft(schema)
        # Without formats: among them are regular expressions, which would be compiled.
        draft.check_schema(_shortened(schema), format_checker=None)
    except SchemaError as error:
        raise ValueError(f"its input schema is broken ({one_line(error.message, 200)})") from error
    except RecursionError as error:
        raise ValueError("its input schema is too deep") from error
    # Two vendors refuse an object that does not say which properties it has.
    made = {**schema, "type": "object", "properties": schema.get("properties", {})}
    return made, _check_of(draft, _certain(made))


def _draft(schema: Mapping[str, Any]) -> Any:
    """The rules that a schema names, or the newest."""
    from jsonschema.validators import Draft202012Validator, validator_for

    named = schema.get("$schema")
    try:
        return validator_for({"$schema": named if isinstance(named, str) else ""}, default=Draft202012Validator)
    except ValueError:  # it is no address
        return Draft202012Validator


def _depth(value: Any) -> int:
    """How deeply values are nested; one more than the deepest allowed stands for anything beyond."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [each for value in level if isinstance(value, dict | list) for each in _members(value)]
    return depth


def _members(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value)


def _shortened(value: Any) -> Any:
    """The same with only the beginnings of its lists: whether members differ costs the square of their number."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    return [_shortened(each) for each in value[:_LONGEST_LIST]] if isinstance(value, list) else value


def _certain(schema: Any) -> Any:
    """What of a schema is cheap to judge and can only forbid, so that leaving out the rest forbids nothing more.

    Under `not`, `if` and their like it would; and of `oneOf` is kept that one has to fit. `$schema` and identifiers
    are left out too: they would lead to rules that were not looked at here.
    """
    if not isinstance(schema, dict):
        return schema is not False
    if "$ref" in schema and not _is_plain("$ref", schema["$ref"]):
        return {}  # in older drafts nothing else beside it counts
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            found[key] = {name: _member(each) for name, each in value.items()}
        elif key in _LISTS and isinstance(value, list) and 0 < len(value) <= _LONGEST_LIST:
            found[key] = [_member(each) for each in value]
        elif key in _ONE and isinstance(value, dict | bool):
            found[key] = _member(value)
        elif key in _PLAIN and _is_plain(key, value):
            found[key] = value
    one_of = schema.get("oneOf")
    if "anyOf" not in schema and isinstance(one_of, list) and 0 < len(one_of) <= _LONGEST_LIST:
        found["anyOf"] = [_member(each) for each in one_of]
    for kept, beside in (("additionalProperties", "patternProperties"), ("items", "prefixItems")):
        if beside in schema and beside not in found:
            found.pop(kept, None)
    return found


def _member(schema: Any) -> Any:
    """A schema within another. One with an identifier is a document of its own, to which references are relative."""
    return {} if isinstance(schema, dict) and ("$id" in schema or "id" in schema) else _certain(schema)


def _is_plain(key: str, value: Any) -> bool:
    match key:
        case "type":
            names = value if isinstance(value, list) else [value]
            return all(isinstance(name, str) and name in _TYPES for name in names)
        case "required":
            return isinstance(value, list) and all(isinstance(name, str) for name in value)
        case "enum":
            return isinstance(value, list) and all(_is_scalar(each) for each in value)
        case "const":
            return _is_scalar(value)
        case "$ref":
            return isinstance(value, str) and _PLACE.fullmatch(value) is not None
    return isinstance(value, int | float)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


class _TooMuch(Exception):
    """The check takes too long."""


def _check_of(draft: Any, schema: Any) -> Check:
    from jsonschema import validators
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    create: Any = validators.create
    spent = _Spent()
    known = {**draft.VALIDATORS}
    checking = create(
        draft.META_SCHEMA,
        {name: spent.watching(known[name]) for name in _PLAIN | _ONE | _LISTS | {"properties"} if name in known},
        type_checker=draft.TYPE_CHECKER,
        id_of=draft.ID_OF,
        # In older drafts a reference stands for all that is beside it.
        applicable_validators=_only_reference if "unevaluatedItems" not in known else dict.items,
    )(schema, registry=Registry())  # with a registry of its own no reference makes it fetch something

    def check(arguments: Mapping[str, Any]) -> Sequence[str]:
        problems: list[str] = []
        try:
            if _depth(arguments) > _DEEPEST or len(json.dumps(arguments)) > _LARGEST_ARGUMENTS:
                return ()
            spent.begin()
            for error in checking.iter_errors(arguments):
                where = ".".join(str(part) for part in error.absolute_path) or "arguments"
                problems.append(f"{where}: {one_line(error.message, 200)}")
                if len(problems) == _MOST_PROBLEMS:
                    break
        except (Unresolvable, RecursionError, _TooMuch):
            return ()  # what we cannot judge, the server will
        return problems

    return check


def _only_reference(schema: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return [("$ref", schema["$ref"])] if "$ref" in schema else schema.items()


class _Spent:
    """How long a check may go on: in seconds of our own work, so that a busy machine makes no difference."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self) -> None:
        """Count from now."""
        self._until = time.thread_time() + _CHECK_SECONDS

    def watching(self, keyword: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        """The keyword, which raises `_TooMuch` when the time is over."""

        def watched(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            if time.thread_time() > self._until:
                raise _TooMuch
            yield from keyword(validator, value, instance, schema) or ()

        return watched
