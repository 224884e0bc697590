"""What the content blocks of a prompt say by themselves: no file is read and no model is known."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from acp_agent.llm.media import audio_format, bare_type, image_type, image_type_of
from acp_agent.llm.messages import Audio, Image, Text, UserPart
from acp_agent.schema import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from acp_agent.session.prompt.addresses import Lines, file_address
from acp_agent.tools.read import Excerpt, file_lines
from acp_agent.tools.text_codec import is_binary
from acp_agent.tools.truncate import clip_bytes, encodable, fenced, size

EMBEDDED_BYTES = 1024 * 1024
"""Of the text that a prompt embeds, so much reaches the model; what a person wrote is never cut."""

NOTHING = "[The user sent a message that holds nothing for you to read.]"

_LONGEST_NAME = 1000
_TEXT_TYPES = ("application/json", "application/xml", "application/javascript", "application/yaml", "application/toml")
_TEXT_ENDINGS = ("+json", "+xml", "+yaml")
_UNTOLD_TYPES = ("", "application/octet-stream")


def block_parts(blocks: Iterable[ContentBlock]) -> list[UserPart | None]:
    """For each block what the model reads of it; None for what is meant for people only."""
    embedded = _Embedded()
    return [embedded.part(block) if is_for_model(block) else None for block in blocks]


def is_for_model(block: ContentBlock) -> bool:
    """Whether the block's annotations leave the model among its readers."""
    audience = block.annotations.audience if block.annotations else None
    return not audience or "assistant" in audience


def is_for_person(block: ContentBlock) -> bool:
    """Whether the block's annotations leave a person among its readers."""
    audience = block.annotations.audience if block.annotations else None
    return not audience or "user" in audience


def message_content(parts: Iterable[UserPart | None]) -> tuple[UserPart, ...]:
    """The parts that are there; if none of them can be seen, a note says so."""
    found = tuple(part for part in parts if part is not None)
    seen = any(not isinstance(part, Text) or part.text.strip() for part in found)
    return found if seen else (*found, Text(text=NOTHING))


def one_line(text: str) -> str:
    """A name or description of a client's for a heading: one line, bounded, encodable."""
    shown = "".join(char if char.isprintable() else " " for char in encodable(text[:_LONGEST_NAME]))
    return shown + "…" if len(text) > _LONGEST_NAME else shown


def attached_text(name: str, about: str, body: str, *, behind: str = "") -> Text:
    """Text that is no person's words, between a heading with its name and an end. `body` must not hold that end."""
    heading = f"[Attached: {name}{about}]"
    return Text(text="\n".join([heading, body, *([behind] if behind else []), f"[End of {name}]"]))


class _Embedded:
    """Reads the blocks of one prompt; `room` is what is left for embedded text, in bytes."""

    def __init__(self) -> None:
        self.room = EMBEDDED_BYTES

    def part(self, block: ContentBlock) -> UserPart:
        match block:
            case TextContent(text=text):
                return Text(text=text)
            case ImageContent(data=data, mime_type=mime_type):
                return _image(data, mime_type)
            case AudioContent(data=data, mime_type=mime_type):
                return _audio(data, mime_type)
            case ResourceLink():
                return Text(text=f"[Attached by reference: {link_name(block)}]")
            case EmbeddedResource(resource=resource):
                if isinstance(resource, TextResourceContents):
                    return self._text(resource.uri, resource.text)
                return self._blob(resource)

    def _text(self, uri: str, text: str, total: int | None = None) -> Text:
        name, lines = address_name(uri)
        cut = clip_bytes(text, self.room)
        left_out = max(0, (size(text) if total is None else total) - size(cut))
        self.room -= size(cut)
        about = f", {lines}" if lines else ""
        behind = f"[… {left_out} more bytes: the text embedded in this prompt is too long]" if left_out else ""
        if not text:
            return Text(text=f"[Attached: {name}{about}, empty]")
        if file_address(uri) is None:
            return attached_text(name, about, fenced(cut), behind=behind)
        # With numbers as `read` gives them, which no line of the text itself can imitate.
        numbered = Excerpt(file_lines(cut), lines.first if lines else 1).numbered
        return attached_text(name, about, numbered, behind=behind)

    def _blob(self, blob: BlobResourceContents) -> UserPart:
        mime_type = bare_type(blob.mime_type or "")
        beginning = _decoded(blob.blob[:64])
        image = image_type(mime_type) or (image_type_of(beginning) if mime_type in _UNTOLD_TYPES else None)
        if image is not None and blob.blob:
            return _image(blob.blob, image)
        if audio_format(mime_type) is not None and blob.blob:
            return _audio(blob.blob, mime_type)
        if mime_type.startswith("text/") or mime_type in _TEXT_TYPES or mime_type.endswith(_TEXT_ENDINGS):
            text = self._decoded_text(blob.blob)
            if text is not None:
                return self._text(blob.uri, text, _bytes_in(blob.blob))
        name, _ = address_name(blob.uri)
        kind = one_line(mime_type) or "unknown type"
        return Text(text=f"[Attached: {name}, {kind}, binary, {_bytes_in(blob.blob)} bytes, not shown]")

    def _decoded_text(self, data: str) -> str | None:
        """The text in the base64, a little more of it than there is room for; None for what is not UTF-8."""
        wanted = (self.room + 3) // 3 * 4 + 8
        decoded = _decoded(data[:wanted])
        if is_binary(decoded):
            return None
        try:
            return decoded.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            cut_in_two = len(data) > wanted and error.start >= len(decoded) - 3
            return decoded[: error.start].decode("utf-8-sig") if cut_in_two else None


def address_name(uri: str) -> tuple[str, Lines | None]:
    """How an address is called to the model: the path of a file with its lines apart, any other address whole."""
    address = file_address(uri)
    if address is None or address.host:
        return one_line(uri), None
    return one_line(address.paths[0]), address.lines


def link_name(link: ResourceLink) -> str:
    """Everything that a link says of itself, on one line."""
    name, lines = address_name(link.uri)
    said = f"{one_line(link.title or link.name)} at {name}"
    if lines:
        said += f", {lines}"
    return f"{said}: {one_line(link.description)}" if link.description else said


def _image(data: str, mime_type: str) -> Image:
    # Anthropic refuses an image whose type is not what its bytes say.
    found = image_type_of(_decoded(data[:64])) or image_type(mime_type) or mime_type
    return Image(data=data, mime_type=found)


def _audio(data: str, mime_type: str) -> UserPart:
    if audio_format(mime_type) is None:
        kind = one_line(mime_type)
        return Text(text=f"[Audio of type {kind} was attached, which cannot be sent to a model: wav and mp3 can.]")
    return Audio(data=data, mime_type=mime_type)


def _bytes_in(data: str) -> int:
    return len(data.rstrip("=")) * 3 // 4


def _decoded(data: str) -> bytes:
    """The bytes of base64 cut at any place; nothing for what is none."""
    try:
        return base64.b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
