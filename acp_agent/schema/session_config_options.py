"""What a person can choose for a session: its mode, its model, and so on."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from acp_agent.schema.base import Checked, Items, ValidItems, Wire

SessionConfigOptionCategory: TypeAlias = Literal["mode", "model", "model_config", "thought_level"] | str
"""What an option is about, for layout and shortcuts; an agent's own categories start with an underscore."""


class SessionConfigSelectOption(Wire):
    """One value of a select."""

    value: str
    name: str
    description: str | None = None


class SessionConfigSelectGroup(Wire):
    """Values of a select under a common heading."""

    group: str
    name: str
    options: ValidItems[SessionConfigSelectOption]


SessionConfigSelectOptions: TypeAlias = Items[SessionConfigSelectOption] | Items[SessionConfigSelectGroup]
"""The values of a select: all in groups or none."""


class SessionConfigSelect(Wire):
    """An option with one value out of several."""

    type: Literal["select"] = "select"
    id: str
    name: str
    description: str | None = None
    category: SessionConfigOptionCategory | None = None
    current_value: str
    options: SessionConfigSelectOptions


class SessionConfigBoolean(Wire):
    """An option that is on or off. Needs the client's `session.configOptions.boolean`."""

    type: Literal["boolean"] = "boolean"
    id: str
    name: str
    description: str | None = None
    category: SessionConfigOptionCategory | None = None
    current_value: bool


SessionConfigOption: TypeAlias = Annotated[SessionConfigSelect | SessionConfigBoolean, Field(discriminator="type")]

_VALUE_BY_TYPE: dict[str, Any] = {
    "if": {"properties": {"type": {"const": "boolean"}}, "required": ["type"]},
    "then": {"properties": {"value": {"type": "boolean"}}},
    "else": {"properties": {"value": {"type": "string"}}},
}


class SetSessionConfigOptionRequest(Wire):
    """Set an option: a boolean with the type `boolean`, the id of a value with any other type or none."""

    model_config = ConfigDict(json_schema_extra=_VALUE_BY_TYPE)

    session_id: str
    config_id: str
    type: Checked[str | None] = None
    value: str | bool

    @model_validator(mode="after")
    def _value_matches_type(self) -> Self:
        if isinstance(self.value, bool) != (self.type == "boolean"):
            raise ValueError("value must be a boolean for type 'boolean', and a string otherwise")
        return self


class SetSessionConfigOptionResponse(Wire):
    """All options of the session as they are now, since one may change another."""

    config_options: ValidItems[SessionConfigOption]
