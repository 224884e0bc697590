"""The way of a call's arguments: the schema that the model reads, and the check of what it wrote."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from acp_agent.llm.provider import ToolSpec
from acp_agent.tools.base import SchemaTool, Tool, ToolError, ToolParams
from acp_agent.tools.truncate import encodable

P = TypeVar("P", bound=ToolParams)


def tool_spec(tool: Tool[Any]) -> ToolSpec:
    """The tool as the model is told of it; a schema of ours has no titles, no definitions, and no defaults of None."""
    if isinstance(tool, SchemaTool):
        return ToolSpec(tool.name, tool.description, dict(tool.input_schema))
    schema = tool.params.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return ToolSpec(tool.name, tool.description, _lean(schema, definitions))


def _lean(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if "anyOf" in schema:
        # Only `T | None` occurs, and an argument that may be left out need not also be null.
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        if len(choices) == 1:
            schema = {**choices[0], **{k: v for k, v in schema.items() if k not in ("anyOf", "default")}}
    lean: dict[str, Any] = {}
    for key, value in schema.items():
        match key, value:
            case "properties", dict():
                lean[key] = {name: _lean(field, definitions) for name, field in value.items()}
            case "items", dict():
                lean[key] = _lean(value, definitions)
            case "title", _:
                pass
            case "description", _ if schema.get("type") == "object":
                pass  # the docstring of the parameter class is for us
            case _:
                lean[key] = value
    return lean


def parse_arguments(tool: Tool[P], text: str) -> P:
    """The arguments of a call. Raises `ToolError` that names each wrong field and why.

    An empty text counts as no arguments; an object that was encoded as a JSON string is decoded once more.
    """
    value = _decoded(tool.name, text)
    if isinstance(value, str):
        value = _decoded(tool.name, value)
    if not isinstance(value, dict):
        raise ToolError(f"The arguments of {tool.name} must be a JSON object, not {_kind(value)}.")
    broken = [encodable(name) for name, part in value.items() if not _encodable({name: part})]
    if broken:
        # No file, process or client could be given it.
        raise ToolError(f"The arguments of {tool.name} hold half of a surrogate pair, in {', '.join(broken)}.")
    if isinstance(tool, SchemaTool):
        return cast(P, tool.parsed(value))
    try:
        return tool.params.model_validate(value)
    except ValidationError as error:
        raise ToolError(_explain(tool, value, error)) from None


def _decoded(name: str, text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise ToolError(
            f"The arguments of {name} are not valid JSON: {error.msg} at character {error.pos} of {len(text)}. "
            "Nothing was run; send the call again."
        ) from None
    except (ValueError, RecursionError):
        raise ToolError(f"The arguments of {name} cannot be read: too deep, or a number too long.") from None


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _explain(tool: Tool[Any], value: dict[str, Any], error: ValidationError) -> str:
    lines = [f"The arguments of {tool.name} are not valid. Nothing was run."]
    for problem in error.errors(include_url=False, include_context=False)[:10]:
        where = ".".join(str(part) for part in problem["loc"]) or "arguments"
        got = "" if problem["type"] == "missing" else f" (got {_clipped(problem['input'])})"
        lines.append(f"- {where}: {problem['msg']}{got}")
    known = {field.alias or name for name, field in tool.params.model_fields.items()}
    unknown = sorted(set(value) - known)
    if unknown:
        lines.append(f"- unknown: {', '.join(unknown[:10])}; the fields are {', '.join(sorted(known))}")
    return "\n".join(lines)


def _clipped(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case list():
            return "a list"
        case str():
            return "a string"
        case _:
            return "a number"
