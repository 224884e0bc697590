"""What every ACP type has in common: spelling, strictness, leniency, `_meta`.

The specification asks of a reader that a malformed optional field counts as absent, that unknown fields are ignored,
and that a required field which is missing or of another type is an error. Both halves are settled here, so that the
chapters only list fields:

- an optional field falls back to its default when it is malformed, unless it is written as `Checked[...]`;
- `Items[T]` is a list in which every item must be right, `ValidItems[T]` one that drops the items which are not,
  `ItemsOrNull[T]` one that reads `null` as the empty list;
- nothing is converted: `5` is no string and `true` no integer.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Self, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class _Marker:
    """The annotation behind `Checked`."""


_CHECKED = _Marker()

Checked: TypeAlias = Annotated[T, _CHECKED]
"""An optional field whose malformed value is an error: what it says must not be lost."""


class _List:
    """The annotation behind the list types: the schema of a list of the annotated sequence's items."""

    def __init__(self, *, skip_invalid: bool = False, null_is_empty: bool = False) -> None:
        self._skip_invalid = skip_invalid
        self._null_is_empty = null_is_empty

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        item = handler.generate_schema(get_args(source)[0])
        if self._skip_invalid:
            item = core_schema.with_default_schema(item, on_error="omit")
        # Lax about the container only, so that code may pass a tuple; JSON has no other sequence than a list.
        items: CoreSchema = core_schema.list_schema(item, strict=False)
        if self._null_is_empty:
            items = core_schema.no_info_before_validator_function(_empty_for_null, items)
        return items


def _empty_for_null(value: Any) -> Any:
    return [] if value is None else value


Items: TypeAlias = Annotated[Sequence[T], _List()]
"""A list; one malformed item makes the whole list malformed."""

ValidItems: TypeAlias = Annotated[Sequence[T], _List(skip_invalid=True)]
"""A list without its malformed items (`x-deserialize-skip-invalid-items` in the specification's schema)."""

ItemsOrNull: TypeAlias = Annotated[Sequence[T], _CHECKED, _List(null_is_empty=True)]
"""A list for which `null` means no items (`x-deserialize-default-on-null`) and anything else malformed is an error."""

Count: TypeAlias = Annotated[int, Field(ge=0)]
"""An integer that is not negative."""


class Wire(BaseModel):
    """An ACP type: immutable, snake_case in Python and camelCase in JSON. Every type may carry `_meta`."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        frozen=True,
        strict=True,
        defer_build=True,
    )

    meta: dict[str, Any] | None = Field(default=None, alias="_meta")

    @classmethod
    def parse(cls, value: Any) -> Self:
        """The type read from decoded JSON, by its wire names only. Raises pydantic's `ValidationError`."""
        return cls.model_validate(value, by_alias=True, by_name=False)

    def wire(self) -> dict[str, Any]:
        """The type as JSON values: wire names, and no field that is None. Inside `Any` fields nothing is changed."""
        return self.model_dump(by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let every optional field that is not `Checked` fall back to its default."""
        schema = handler(source)
        inner: Any = schema
        while inner["type"] != "model-fields":
            inner = inner["schema"]
        for name, field in inner["fields"].items():
            if field["schema"]["type"] == "default" and not is_checked(cls.model_fields[name]):
                field["schema"]["on_error"] = "default"
        return schema


def _is_discriminator(field: FieldInfo) -> bool:
    """A union tells its members apart by a field that can hold one value only."""
    return len(get_args(field.annotation)) == 1 and isinstance(get_args(field.annotation)[0], str)


def is_checked(field: FieldInfo) -> bool:
    """Whether a malformed value of the field is an error though the field is optional."""
    return _is_discriminator(field) or any(isinstance(entry, _Marker) for entry in field.metadata)


def explain(error: ValidationError) -> str:
    """The first problem of a failed `parse` on one line: where, and what was expected there."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    text = " ".join(problem["msg"].split())
    return f"{place}: {text}" if place else text
