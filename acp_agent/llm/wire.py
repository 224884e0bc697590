"""What the mappings to the vendors' requests and from their answers have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from acp_agent.llm.assembly import clean
from acp_agent.llm.streaming import Malformed


def parsed(data: str | bytes) -> dict[str, Any]:
    """A vendor's JSON object. Raises `Malformed`."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if not isinstance(value, dict):
        raise Malformed("not an object")
    return value


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_string(value: object) -> str:
    """The value if it is a string, or an empty one."""
    return value if isinstance(value, str) else ""


def as_index(value: object) -> int:
    """The value if it is an integer, or nought."""
    return value if isinstance(value, int) else 0


def visible(text: str) -> bool:
    """Whether a vendor would take the text as a part of its own."""
    return bool(text) and not text.isspace()


def not_sendable(kind: str, mime_type: str, size: int = 0) -> str:
    """What a model is told in place of an image or a sound that its vendor would refuse; `size` in base64."""
    of_size = f" ({size >> 20} MB)" if size >> 20 else ""
    return f"[Here stood {kind} of type {clean(mime_type)[:100]}{of_size}, which cannot be sent to this model.]"


def wire_name(name: str) -> str:
    """A tool's name as the vendors allow it; a model that invented another one would spoil the whole history."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unknown"


def merge_options(
    body: dict[str, Any], options: Mapping[str, Any], names: Mapping[str, str], fixed: Sequence[str]
) -> dict[str, Any]:
    """The body with a model's configured options: `names` renames them, None removes a field, `fixed` ones stay."""
    for name, value in options.items():
        field = names.get(name, name)
        if field in fixed:
            continue
        if value is None:
            body.pop(field, None)
        else:
            body[field] = _renamed(value, names)
    return body


def _renamed(value: object, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(name, name): _renamed(inner, names) for name, inner in value.items()}
    return value
