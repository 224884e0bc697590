"""What servers answer, as content: for the model, and for the person."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from acp_agent.llm.messages import Image
from acp_agent.schema import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolContent,
)
from acp_agent.tools.base import ToolResult
from acp_agent.tools.mcp.errors import one_line
from acp_agent.tools.truncate import encodable, head_and_tail, size

_MOST_BLOCKS = 100
_LARGEST_MEDIA = 5 * 1024 * 1024
_LARGEST_RAW = 64 * 1024
_SEEN_BY_MODELS = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(slots=True)
class Content:
    """Content on its way: `texts` for the model, `blocks` for the person, `images` for a model that sees."""

    texts: list[str] = field(default_factory=list)
    blocks: list[ContentBlock] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)

    def add_text(self, text: str) -> None:
        """Text for both."""
        text = encodable(text)
        self.texts.append(text)
        self.blocks.append(TextContent(text=head_and_tail(text)))

    def add(self, block: Any) -> None:
        """Take in one block of MCP content; of what is malformed or unknown a note remains."""
        match block:
            case {"type": "text", "text": str(text)}:
                self.add_text(text)
            case {"type": "image", "data": str(data), "mimeType": str(mime_type)}:
                self._add_media("image", data, mime_type)
            case {"type": "audio", "data": str(data), "mimeType": str(mime_type)}:
                self._add_media("audio", data, mime_type)
            case {"type": "resource_link", "uri": str(uri)}:
                self._add_link(uri, block)
            case {"type": "resource", "resource": dict(resource)}:
                self.add_resource(resource)
            case {"type": str(kind)}:
                self.add_text(f"[content that cannot be read: {one_line(kind, 40)}]")
            case _:
                self.add_text("[content that cannot be read]")

    def add_resource(self, resource: Mapping[str, Any]) -> None:
        """Take in a resource with its contents."""
        uri = one_line(str(resource.get("uri", "")), 1000)
        mime_type = _mime(resource.get("mimeType"))
        text, blob = resource.get("text"), resource.get("blob")
        if isinstance(text, str):
            text = encodable(text)
            self.texts.append(f"{uri}:\n{text}" if uri else text)
            contents = TextResourceContents(uri=uri, text=head_and_tail(text), mime_type=mime_type)
            self.blocks.append(EmbeddedResource(resource=contents))
        elif isinstance(blob, str) and mime_type in _SEEN_BY_MODELS:
            self._add_media("image", blob, mime_type)
        elif isinstance(blob, str):
            note = f"[{uri}: {mime_type or 'binary'}, {_decoded_size(blob)} bytes, shown to the user only]"
            if len(blob) > _LARGEST_MEDIA:
                self.add_text(f"[{uri}: {_decoded_size(blob)} bytes, too large to show]")
                return
            self.texts.append(note)
            self.blocks.append(EmbeddedResource(resource=BlobResourceContents(uri=uri, blob=blob, mime_type=mime_type)))
        else:
            self.add_text(f"[{uri or 'a resource'}: without contents]")

    def _add_media(self, kind: str, data: str, mime_type: str) -> None:
        mime = _mime(mime_type) or f"{kind}/unknown"
        if len(data) > _LARGEST_MEDIA:
            self.add_text(f"[{kind} {mime} of {_decoded_size(data)} bytes, too large to show]")
        elif not _is_base64(data):
            self.add_text(f"[{kind} {mime} that cannot be read: it is no base64]")
        elif kind == "audio":
            self.texts.append(f"[audio {mime}, {_decoded_size(data)} bytes, played to the user only]")
            self.blocks.append(AudioContent(data=data, mime_type=mime))
        else:
            self.blocks.append(ImageContent(data=data, mime_type=mime))
            if mime in _SEEN_BY_MODELS:
                self.texts.append(f"[image {mime}, attached]")
                self.images.append(Image(data=data, mime_type=mime))
            else:
                self.texts.append(f"[image {mime}, shown to the user only]")

    def _add_link(self, uri: str, block: Mapping[str, Any]) -> None:
        uri = one_line(uri, 1000)
        name = one_line(str(block.get("name") or uri), 200)
        texts: dict[str, Any] = {
            key: one_line(value, 500) for key in ("title", "description") if isinstance(value := block.get(key), str)
        }
        about = f" ({texts['description']})" if "description" in texts else ""
        self.texts.append(f"[resource {name}: {uri}{about}]")
        length = block.get("size")
        whole = length if isinstance(length, int) and not isinstance(length, bool) and length >= 0 else None
        mime_type = _mime(block.get("mimeType"))
        try:
            self.blocks.append(ResourceLink(name=name, uri=uri, mime_type=mime_type, size=whole, **texts))
        except ValidationError:
            return  # the model has read of it


def content_of(blocks: Any) -> Content:
    """MCP content, which should be a list of blocks; at most a hundred of them."""
    content = Content()
    found = blocks if isinstance(blocks, list) else []
    for block in found[:_MOST_BLOCKS]:
        content.add(block)
    if len(found) > _MOST_BLOCKS:
        content.add_text(f"[{len(found) - _MOST_BLOCKS} more parts left out]")
    return content


def tool_result(answer: Mapping[str, Any]) -> ToolResult:
    """The result of a call. Structured content stands in where there is no other for the model."""
    content = content_of(answer.get("content"))
    structured = answer.get("structuredContent")
    if structured is not None and not any(isinstance(block, TextContent) for block in content.blocks):
        content.add_text(json.dumps(structured, ensure_ascii=False, indent=1))
    return as_result(content, is_error=answer.get("isError") is True, data=_raw(structured))


def as_result(content: Content, *, is_error: bool = False, data: Mapping[str, Any] | None = None) -> ToolResult:
    """Content as the result of a tool, within the bounds that all tools keep."""
    whole = "\n".join(content.texts)
    output = head_and_tail(whole) or ("The tool failed and said nothing." if is_error else "Done; there is no output.")
    return ToolResult(
        output,
        [ToolContent(content=block) for block in _fitting(content.blocks)],
        is_error=is_error,
        images=tuple(content.images),
        size=size(whole),
        data=data or {},
    )


def _fitting(blocks: Iterable[ContentBlock]) -> Iterable[ContentBlock]:
    """Blocks as long as they fit on a line of the wire."""
    room = _LARGEST_MEDIA + 1024 * 1024
    for block in blocks:
        match block:
            case ImageContent(data=data) | AudioContent(data=data):
                room -= len(data)
            case EmbeddedResource(resource=BlobResourceContents(blob=data)):
                room -= len(data)
            case EmbeddedResource(resource=TextResourceContents(text=data)) | TextContent(text=data):
                room -= 2 * size(data)
        if room < 0:
            yield TextContent(text="[the rest is too large to show]")
            return
        yield block


def _raw(structured: Any) -> dict[str, Any]:
    if structured is None or len(json.dumps(structured)) > _LARGEST_RAW:
        return {}
    return {"structuredContent": structured}


def _mime(value: Any) -> str | None:
    return one_line(value, 100).lower() if isinstance(value, str) and value.strip() else None


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _decoded_size(data: str) -> int:
    return len(data) * 3 // 4
