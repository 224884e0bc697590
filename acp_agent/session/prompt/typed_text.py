"""What a person typed into a prompt, apart from what they attached to it."""

from __future__ import annotations

from collections.abc import Sequence

from acp_agent.schema import ContentBlock, EmbeddedResource, ImageContent, ResourceLink, TextContent


def typed(block: ContentBlock) -> bool:
    """Whether the block is text of the person's own: not what an editor adds for the model alone."""
    if not isinstance(block, TextContent):
        return False
    audience = block.annotations.audience if block.annotations is not None else None
    return not audience or "user" in audience


def typed_text(blocks: Sequence[ContentBlock]) -> str:
    """The typed text in order, with the name of each file or link where it was mentioned."""
    made = ""
    for block in blocks:
        if typed(block) and isinstance(block, TextContent):
            piece = block.text
        elif isinstance(block, ResourceLink | EmbeddedResource):
            piece = attachment_name(block)
        else:
            continue
        if made and piece and not made[-1].isspace() and not piece[0].isspace():
            made += " "
        made += piece
    return made


def attachment_name(block: ContentBlock) -> str:
    """What people call an attached file: the last part of its path. Empty if it has no name."""
    match block:
        case ResourceLink(name=name, title=title, uri=uri):
            return (title or name or _last_part(uri)).strip()
        case EmbeddedResource(resource=resource):
            return _last_part(resource.uri)
        case ImageContent(uri=uri) if uri:
            return _last_part(uri)
        case _:
            return ""


def _last_part(uri: str) -> str:
    if uri.startswith("data:"):
        return ""
    from urllib.parse import unquote

    path = uri.partition("#")[0].partition("?")[0].rstrip("/")
    return unquote(path.replace("\\", "/").rpartition("/")[2]).strip()
