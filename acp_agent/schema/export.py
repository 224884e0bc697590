"""The contract as JSON Schemas, one file a message. `python -m acp_agent.cli.schemas` adds the other layers' types."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from acp_agent.schema.messages import message_types

JsonSchema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas without its noise, and with the discriminators required, which Python fills in by itself."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        inner = field["schema"].get("schema", {})
        is_discriminator = inner.get("type") == "literal" and len(inner["expected"]) == 1
        return is_discriminator or super().field_is_required(field, total)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        if "const" in generated or generated.get("default", ...) is None:
            generated.pop("default")
        return generated

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        generated = super().tagged_union_schema(schema)
        if "discriminator" not in generated and "oneOf" in generated:
            # A type that may be absent does not exclude the other members as a constant does.
            generated["anyOf"] = generated.pop("oneOf")
        return generated


def schema_of(type_: type[BaseModel] | TypeAdapter[Any], *, by_alias: bool = True) -> JsonSchema:
    """The JSON Schema (2020-12) of a type, with the types it uses in `$defs`; by its wire names or its Python names."""
    make = type_.json_schema if isinstance(type_, TypeAdapter) else type_.model_json_schema
    generated = make(by_alias=by_alias, schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **generated}


def message_schemas() -> Iterator[tuple[str, JsonSchema]]:
    """Name and schema of every message in `message_types`, such as `session.new.request`."""
    for method, types in message_types.items():
        name = method.replace("/", ".")
        yield f"{name}.{types.kind}", schema_of(types.params)
        if types.result is not None:
            yield f"{name}.response", schema_of(types.result)


def strict(schema: JsonSchema) -> JsonSchema:
    """A copy that forbids fields which an object does not list, at every depth."""

    def close(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    closed = copy.deepcopy(schema)
    close(closed)
    return closed


def render(schema: JsonSchema) -> str:
    """The text of a schema's file: the same for the same schema, and easy to compare."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def export(directory: Path, extra: Mapping[str, JsonSchema]) -> None:
    """Write every message's schema, and those in `extra`, to `DIRECTORY/<name>.json`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in {**dict(message_schemas()), **extra}.items():
        (directory / f"{name}.json").write_text(render(schema), encoding="utf-8", newline="\n")
