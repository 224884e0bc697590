"""The form of model selection that the specification removed on 2026-06-01 and clients still read and send.

`models` stands next to `modes` in the results that open a session; the present form is a configuration option of the
category `model`.
"""

from acp_agent.schema.base import ValidItems, Wire


class ModelInfo(Wire):
    """A model that a session can use."""

    model_id: str
    name: str
    description: str | None = None


class SessionModelState(Wire):
    """The model of a session and those it can change to."""

    current_model_id: str
    available_models: ValidItems[ModelInfo]


class SetSessionModelRequest(Wire):
    """Use this model from the next model call on."""

    session_id: str
    model_id: str


class SetSessionModelResponse(Wire):
    """The model is set."""
