"""Commands that the agent offers; they come back as prompts that start with `/name`."""

from acp_agent.schema.base import Wire


class UnstructuredCommandInput(Wire):
    """Everything behind the command's name is its input; `hint` is shown while there is none."""

    hint: str


class AvailableCommand(Wire):
    """A command; `name` is without the slash."""

    name: str
    description: str
    input: UnstructuredCommandInput | None = None
