"""All our types by name, and small values of them made from their JSON Schemas."""

from __future__ import annotations

from typing import Any

import acp_agent.schema
from acp_agent.schema import Wire
from acp_agent.schema.export import schema_of

TYPES: dict[str, type[Wire]] = {
    name: found
    for name in vars(acp_agent.schema)
    if isinstance(found := getattr(acp_agent.schema, name), type) and issubclass(found, Wire) and found is not Wire
}


def fields_by_wire_name(model: type[Wire]) -> dict[str, str]:
    """Wire name to Python name."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


def minimal(model: type[Wire]) -> dict[str, Any]:
    """The smallest JSON value of a type: its required fields only."""
    schema = schema_of(model)
    value: dict[str, Any] = _value(schema, schema.get("$defs", {}))
    if model.__name__ == "CreateElicitationRequest":  # two of its rules bind fields together
        value |= {"sessionId": "x", "requestedSchema": {"type": "object", "properties": {}}}
    return value


def _value(schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    match schema:
        case {"$ref": str(ref)}:
            return _value(defs[ref.rsplit("/", 1)[1]], defs)
        case {"const": constant}:
            return constant
        case {"enum": [first, *_]}:
            return first
        case {"anyOf": [first, *_]} | {"oneOf": [first, *_]} if "properties" not in schema:
            return _value(first, defs)
        case {"type": "object"}:
            properties = schema.get("properties", {})
            return {name: _value(properties[name], defs) for name in schema.get("required", [])}
        case {"type": "array"}:
            return []
        case {"type": "integer"}:
            return schema.get("minimum", 1)
        case {"type": str(kind)}:
            return {"string": "x", "boolean": True, "number": 0.5, "null": None}[kind]
    raise AssertionError(f"no value for {schema}")
