"""What the specification's stable types have at their roots, and which names the wire's keys and values may take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from acp_agent.schema import message_types
from acp_agent.schema.export import schema_of, strict
from tests.schema.upstream import available, definitions, flat, method_types

Message = dict[str, Any]

CAMEL = re.compile(r"[a-z][a-zA-Z0-9]*")
SNAKE = re.compile(r"[a-z][a-z0-9_]*")
FREE = {"_meta", "rawInput", "rawOutput", "data"}
"""Fields whose inside belongs to somebody else."""

FORMER = {"models"}
"""Root fields of an earlier schema that our types still know; no strict client gets them."""


def keys_of(value: Any) -> Iterator[str]:
    """Every key of a JSON value, those inside of free fields left out."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            if key not in FREE:
                yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


def bodies(lines: Sequence[Message], asked: Mapping[Any, str]) -> Iterator[tuple[str, str, Any]]:
    """(method, kind, params or result) of everything that the agent wrote, extensions and errors left out.

    `asked` names the method of the client's requests, by id.
    """
    for line in lines:
        if "method" in line:
            if not line["method"].startswith("_"):
                yield line["method"], "request" if "id" in line else "notification", line.get("params", {})
        elif "result" in line and not asked[line["id"]].startswith("_"):
            yield asked[line["id"]], "response", line["result"]


@cache
def _schema(method: str, kind: str) -> tuple[Draft202012Validator, frozenset[str]]:
    """The validator of a message and the names of its root fields: the specification's, ours where it is not here."""
    if available() and (method, kind) in method_types():
        theirs = definitions()[method_types()[method, kind]]
        whole = {"$ref": f"#/$defs/{method_types()[method, kind]}", "$defs": definitions()}
        return Draft202012Validator(whole), frozenset(flat(theirs)["properties"])
    types = message_types[method]
    model = types.result if kind == "response" else types.params
    assert model is not None, f"{method} has no {kind}"
    ours = strict(schema_of(model))
    return Draft202012Validator(ours), frozenset(ours["properties"]) - FORMER


def unknown_root_keys(lines: Sequence[Message], asked: Mapping[Any, str]) -> dict[str, set[str]]:
    """Per message, the root fields that the stable type does not have."""
    found: dict[str, set[str]] = {}
    for method, kind, body in bodies(lines, asked):
        unknown = set(body) - _schema(method, kind)[1]
        if unknown:
            found.setdefault(f"{method} {kind}", set()).update(unknown)
    return found


def assert_stable(lines: Sequence[Message], asked: Mapping[Any, str]) -> None:
    """Every message fits its stable type."""
    for method, kind, body in bodies(lines, asked):
        problems = [error.message for error in _schema(method, kind)[0].iter_errors(body)]
        assert not problems, f"{method} {kind}: {problems} in {body}"
