"""`elicitation/*`: ask the person for something by a form or by an address to visit."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from acp_agent.schema.base import Checked, Count, Items, ValidItems, Wire

StringFormat: TypeAlias = Literal["email", "uri", "date", "date-time"]


class EnumOption(Wire):
    """A value to choose, and how it is shown."""

    const: str
    title: str
    description: str | None = None


class StringPropertySchema(Wire):
    """A line of text, or one choice out of `enum` or `one_of`."""

    type: Literal["string"] = "string"
    title: str | None = None
    description: str | None = None
    min_length: Checked[Count | None] = None
    max_length: Checked[Count | None] = None
    pattern: Checked[str | None] = None
    format: Checked[StringFormat | None] = None
    default: str | None = None
    enum: Checked[Items[str] | None] = None
    one_of: Checked[Items[EnumOption] | None] = None


class NumberPropertySchema(Wire):
    """A number."""

    type: Literal["number"] = "number"
    title: str | None = None
    description: str | None = None
    minimum: Checked[float | None] = None
    maximum: Checked[float | None] = None
    default: float | None = None


class IntegerPropertySchema(Wire):
    """A whole number."""

    type: Literal["integer"] = "integer"
    title: str | None = None
    description: str | None = None
    minimum: Checked[int | None] = None
    maximum: Checked[int | None] = None
    default: int | None = None


class BooleanPropertySchema(Wire):
    """Yes or no."""

    type: Literal["boolean"] = "boolean"
    title: str | None = None
    description: str | None = None
    default: bool | None = None


class StringMultiSelectItems(Wire):
    """Choices that are shown as they are."""

    type: Literal["string"] = "string"
    enum: Items[str]


class TitledMultiSelectItems(Wire):
    """Choices with titles."""

    any_of: Items[EnumOption]


MultiSelectItems: TypeAlias = StringMultiSelectItems | TitledMultiSelectItems


class MultiSelectPropertySchema(Wire):
    """Several choices out of a list."""

    type: Literal["array"] = "array"
    title: str | None = None
    description: str | None = None
    min_items: Checked[Count | None] = None
    max_items: Checked[Count | None] = None
    items: MultiSelectItems
    default: ValidItems[str] | None = None


ElicitationPropertySchema: TypeAlias = Annotated[
    StringPropertySchema
    | NumberPropertySchema
    | IntegerPropertySchema
    | BooleanPropertySchema
    | MultiSelectPropertySchema,
    Field(discriminator="type"),
]


class ElicitationSchema(Wire):
    """A form: its fields by name, none of them nested."""

    type: Literal["object"] = "object"
    title: str | None = None
    description: str | None = None
    properties: Checked[dict[str, ElicitationPropertySchema]] = Field(default_factory=dict)
    required: Checked[Items[str] | None] = None


class CreateElicitationRequest(Wire):
    """Ask for `requested_schema` in the mode `form`, or for a visit of `url` in the mode `url`.

    The question belongs to a session (and perhaps to one of its tool calls) or to a request that is being answered.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"mode": {"const": "url"}}},
            "then": {"required": ["elicitationId", "url"]},
            "else": {"required": ["requestedSchema"]},
            "anyOf": [{"required": ["sessionId"]}, {"required": ["requestId"]}],
        }
    )

    message: str
    mode: Literal["form", "url"]
    session_id: Checked[str | None] = None
    tool_call_id: str | None = None
    request_id: Checked[int | str | None] = None
    requested_schema: Checked[ElicitationSchema | None] = None
    elicitation_id: Checked[str | None] = None
    url: Checked[str | None] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.session_id is None and self.request_id is None:
            raise ValueError("sessionId or requestId is required")
        if self.mode == "form" and self.requested_schema is None:
            raise ValueError("mode 'form' needs requestedSchema")
        if self.mode == "url" and (self.elicitation_id is None or self.url is None):
            raise ValueError("mode 'url' needs elicitationId and url")
        return self


ElicitationContentValue: TypeAlias = StrictStr | StrictInt | StrictFloat | StrictBool | Items[str]


class CreateElicitationResponse(Wire):
    """`accept` with the answers by field name, `decline` or `cancel`; any other action is no success either."""

    action: str
    content: Checked[dict[str, ElicitationContentValue] | None] = None


class CompleteElicitationNotification(Wire):
    """The visit of an address is over."""

    elicitation_id: str
