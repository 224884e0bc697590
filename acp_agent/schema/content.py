"""Content blocks: what prompts, messages and tool calls are made of."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from acp_agent.schema.base import ValidItems, Wire

Role: TypeAlias = Literal["assistant", "user"]


class Annotations(Wire):
    """How a block is meant to be used; `priority` runs from 0 to 1, `last_modified` is ISO 8601."""

    audience: ValidItems[Role] | None = None
    last_modified: str | None = None
    priority: float | None = None


class TextContent(Wire):
    """Text, usually Markdown."""

    type: Literal["text"] = "text"
    text: str
    annotations: Annotations | None = None


class ImageContent(Wire):
    """An image; `data` is base64, `uri` where it came from."""

    type: Literal["image"] = "image"
    data: str
    mime_type: str
    uri: str | None = None
    annotations: Annotations | None = None


class AudioContent(Wire):
    """A sound; `data` is base64."""

    type: Literal["audio"] = "audio"
    data: str
    mime_type: str
    annotations: Annotations | None = None


class ResourceLink(Wire):
    """The name and address of something that the reader may fetch itself; `size` in bytes."""

    type: Literal["resource_link"] = "resource_link"
    name: str
    uri: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    annotations: Annotations | None = None


class TextResourceContents(Wire):
    """The text of a resource."""

    uri: str
    text: str
    mime_type: str | None = None


class BlobResourceContents(Wire):
    """The bytes of a resource, in base64."""

    uri: str
    blob: str
    mime_type: str | None = None


ResourceContents: TypeAlias = Annotated[TextResourceContents | BlobResourceContents, Field(union_mode="left_to_right")]
"""A resource with both a text and a blob is read as text."""


class EmbeddedResource(Wire):
    """A resource that comes with its contents."""

    type: Literal["resource"] = "resource"
    resource: ResourceContents
    annotations: Annotations | None = None


ContentBlock: TypeAlias = Annotated[
    TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource, Field(discriminator="type")
]
