"""What a tool is: a name, typed parameters, what it would touch, and how it runs.

A tool is written once. Whether a file lies on the disk or in the editor's buffer is the workspace's business, whether
a call may run is the session's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from acp_agent.llm.messages import Image
from acp_agent.schema import SessionUpdate, ToolCallContent, ToolCallLocation, ToolKind

if TYPE_CHECKING:
    from acp_agent.tools.workspace import Workspace


class ToolError(Exception):
    """A call that did not work. The model is the reader: say what happened and what to do next."""


class ToolParams(BaseModel):
    """Arguments of a tool, named as the model writes them."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a call would touch, for the permission rules.

    `permission` is the key in the `permission` configuration (`bash`, `edit`, `external_directory`, …), `pattern` what
    its rules are matched against (a command, a path relative to the workspace, …). `always` is the pattern that
    "allow always" would remember. `danger` says why a person must be asked whatever the rules allow; `caution` why a
    person is asked unless a rule of the configuration, more specific than `*`, allows just that; `foreign` what is not
    ours and so is asked about unless a rule of the configuration says otherwise.
    """

    permission: str
    pattern: str
    always: str
    danger: str | None = None
    caution: str | None = None
    foreign: str | None = None


@dataclass(frozen=True, slots=True)
class CallSummary:
    """How a call is shown before it runs."""

    title: str
    locations: Sequence[ToolCallLocation] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call did: `output` for the model, `content` for the person, `data` for debugging (`rawOutput`).

    `size` counts the bytes of the whole output, if `output` is only a part of it. `meta` is the `_meta` of the update
    that shows the end; it is not recorded.
    """

    output: str
    content: Sequence[ToolCallContent] = ()
    is_error: bool = False
    images: Sequence[Image] = ()
    locations: Sequence[ToolCallLocation] | None = None
    title: str | None = None
    size: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a running call may use. `emit` shows an update of the session, and waits while the client is slow.

    `trace` is the W3C trace context that came with the prompt, for requests that the call makes.
    """

    call_id: str
    cwd: Path
    workspace: Workspace
    emit: Callable[[SessionUpdate], Awaitable[None]]
    trace: Mapping[str, str] = field(default_factory=dict)


P = TypeVar("P", bound=ToolParams)


class Tool(Protocol[P]):
    """One tool. `params` is its argument model; the JSON Schema that the model sees is derived from it."""

    name: str
    description: str
    kind: ToolKind
    params: type[P]

    def summary(self, params: P, workspace: Workspace) -> CallSummary:
        """Title and locations, from the arguments alone."""

    def subjects(self, params: P, workspace: Workspace) -> Sequence[Subject]:
        """Everything that the call would touch."""

    async def preview(self, params: P, context: ToolContext) -> Sequence[ToolCallContent]:
        """What a person sees when asked for permission (the diff of an edit). Raises `ToolError` like `run`."""

    async def run(self, params: P, context: ToolContext) -> ToolResult:
        """Do it. Raises `ToolError` with text for the model; cancellation ends whatever was started."""


@runtime_checkable
class SchemaTool(Protocol):
    """What a tool has beside the rest if a JSON Schema from elsewhere, and not `params`, describes its arguments."""

    input_schema: Mapping[str, Any]

    def parsed(self, arguments: dict[str, Any]) -> ToolParams:
        """The arguments, checked against the schema. Raises `ToolError` that says what is wrong."""
