"""Wire types as Markdown: one section a type, its fields as a table, every type in it linked."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from acp_agent.cli.api_meanings import CHAPTERS, MEANINGS
from acp_agent.schema.base import Wire, is_checked
from acp_agent.schema.export import JsonSchema, schema_of
from acp_agent.schema.messages import message_types

_PACKAGE = "acp_agent.schema."


class Place(NamedTuple):
    """Where something is described: the page without its ending, and the heading as it stands there."""

    page: str
    heading: str


class ApiTypes:
    """All types that messages are made of, and the named choices between them, with their places in the pages."""

    def __init__(self) -> None:
        self.types = {cls.__name__: cls for cls in _used(_message_classes())}
        self.choices: dict[frozenset[str], str] = {}
        self.page_of_choice: dict[str, str] = {}
        for page in CHAPTERS:
            for name, members in _choices(page):
                if members <= self.types.keys():
                    self.choices[members] = name
                    self.page_of_choice[name] = page

    def of_page(self, page: str, without: frozenset[str]) -> Iterator[type[Wire]]:
        """The types of a page, in the order in which they are written down."""
        found = [cls for cls in self.types.values() if page_of(cls) == page and cls.__name__ not in without]
        return iter(sorted(found, key=lambda cls: inspect.getsourcelines(cls)[1]))

    def choices_of_page(self, page: str) -> Iterator[tuple[str, list[str]]]:
        """The named choices of a page with their members."""
        for members, name in self.choices.items():
            if self.page_of_choice[name] == page:
                yield name, sorted(members, key=lambda member: inspect.getsourcelines(self.types[member])[1])

    def place(self, name: str) -> Place:
        """Where a type or a named choice is described."""
        if name in self.page_of_choice:
            return Place(self.page_of_choice[name], heading_of_choice(name))
        return Place(page_of(self.types[name]), heading_of(self.types[name]))

    def table(self, cls: type[Wire], page: str) -> str:
        """The fields of a type: name on the wire, type, whether it is required, default, meaning."""
        schema = schema_of(cls)
        rows = [
            f"| `{name}` | {self._shown(schema['properties'][name], page)} "
            f"| {_required(name, field, schema)} | {_default(field)} | {_meaning(cls, name, field)} |"
            for name, field in _fields(cls)
        ]
        if not rows:
            return "An empty object."
        return "\n".join(["| field | type | required | default | meaning |", "|---|---|---|---|---|", *rows])

    def link(self, name: str, page: str) -> str:
        """A link to a type, from a page."""
        place = self.place(name)
        return f"[{name}]({'' if place.page == page else f'{place.page}.md'}#{anchor(place.heading)})"

    def _shown(self, schema: JsonSchema, page: str) -> str:
        """A type in words."""
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._one_of([each for each in schema[key] if each.get("type") != "null"], page)
        match schema:
            case {"$ref": ref}:
                return self.link(ref.rpartition("/")[2], page)
            case {"const": value}:
                return f"`{json.dumps(value)}`"
            case {"enum": values}:
                return ", ".join(f"`{json.dumps(value)}`" for value in values)
            case {"type": "array", "items": items}:
                return f"list of {self._shown(items, page)}"
            case {"type": "object", "additionalProperties": dict(values)}:
                return f"object of {self._shown(values, page)}"
            case {"type": "integer", "minimum": 0}:
                return "integer, not negative"
            case {"type": str(name)}:
                return name
            case _:
                return "any JSON"

    def _one_of(self, parts: list[JsonSchema], page: str) -> str:
        names = frozenset(str(part["$ref"]).rpartition("/")[2] for part in parts if "$ref" in part)
        if len(names) == len(parts) and names in self.choices:
            return self.link(self.choices[names], page)
        return " or ".join(dict.fromkeys(self._shown(part, page) for part in parts))


def page_of(cls: type[Wire]) -> str:
    """The page of a type: its module, but for what is no part of the specification."""
    page = cls.__module__.removeprefix(_PACKAGE)
    return "extensions" if cls.__name__.startswith("Steering") else page


def heading_of(cls: type[Wire]) -> str:
    """The heading of a type: updates are known by the value of their `sessionUpdate`."""
    field = cls.model_fields.get("session_update")
    return f"`{cls.__name__}`" if field is None else f"`{field.default}`"


def heading_of_choice(name: str) -> str:
    """The heading of a named choice: other words than a method's of nearly the same name."""
    return f"`{name}`, a choice"


def anchor(heading: str) -> str:
    """The fragment by which a heading is reached on GitHub and in most renderers."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def doc(thing: object) -> str:
    """A docstring as Markdown; field names as they are on the wire."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r"`([a-z]+(?:_[a-z]+)+)`", _wire_name, text)


def _wire_name(found: re.Match[str]) -> str:
    first, *rest = found.group(1).split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    return f"`{camel}`" if camel in MEANINGS else found.group(0)


def _message_classes() -> Iterator[type[Wire]]:
    for types in message_types.values():
        yield types.params
        if types.result is not None:
            yield types.result


def _used(classes: Iterator[type[Wire]]) -> list[type[Wire]]:
    """These types and all that stand in them."""
    by_name = {cls.__name__: cls for cls in _below(Wire)}
    found: dict[str, type[Wire]] = {}
    for cls in classes:
        for name in (cls.__name__, *schema_of(cls).get("$defs", {})):
            found.setdefault(name, by_name[name])
    return list(found.values())


def _below(cls: type[Wire]) -> Iterator[type[Wire]]:
    for each in cls.__subclasses__():
        yield each
        yield from _below(each)


def _choices(page: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The aliases of a module that stand for one type out of several."""
    for name, value in vars(sys.modules.get(_PACKAGE + page, object)).items():
        inner = _bare(value)
        members = [_bare(each) for each in get_args(inner)] if get_origin(inner) is Union or _is_union(inner) else []
        if len(members) > 1 and all(isinstance(each, type) and issubclass(each, Wire) for each in members):
            defined_here = any(each.__module__ == _PACKAGE + page for each in members)
            if defined_here and not name.startswith("_"):
                yield name, frozenset(each.__name__ for each in members)


def _bare(value: Any) -> Any:
    return get_args(value)[0] if get_origin(value) is Annotated else value


def _is_union(value: Any) -> bool:
    return type(value).__name__ == "UnionType"


def _fields(cls: type[Wire]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields by their wire names; every type may carry `_meta`, so that is left out."""
    for field in cls.model_fields.values():
        if field.alias is not None and field.alias != "_meta":
            yield field.alias, field


def _required(name: str, field: FieldInfo, schema: JsonSchema) -> str:
    if name in schema.get("required", ()):
        return "yes"
    return "no, checked" if is_checked(field) else "no"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Wire):
        value = {}
    return "" if value is None or _is_constant(field) else f"`{json.dumps(value)}`"


def _is_constant(field: FieldInfo) -> bool:
    values = get_args(field.annotation)
    return len(values) == 1 and isinstance(values[0], str)


def _meaning(cls: type[Wire], name: str, field: FieldInfo) -> str:
    if _is_constant(field):
        return "tells it from the others"
    for each in cls.__mro__:
        meaning = MEANINGS.get(f"{each.__name__}.{name}")
        if meaning is not None:
            return meaning
    return MEANINGS[name]
