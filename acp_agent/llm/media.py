"""Images and sounds that can be sent to a model: their types, under the names that programs give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

LARGEST_ANTHROPIC_IMAGE = 5 * 1024 * 1024
"""Characters of base64 in one image; Anthropic refuses a request with more."""

AudioFormat: TypeAlias = Literal["wav", "mp3"]

_OTHER_NAMES: Mapping[str, str] = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_AUDIO_FORMATS: Mapping[str, AudioFormat] = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-mp3": "mp3",
    "audio/mpeg3": "mp3",
}
_BEGINNINGS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def bare_type(mime_type: str) -> str:
    """The media type in lower case, without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def image_type(mime_type: str) -> str | None:
    """The one of `IMAGE_TYPES` that is meant; None for an image that vendors refuse, and for what is no image."""
    bare = bare_type(mime_type)
    bare = _OTHER_NAMES.get(bare, bare)
    return bare if bare in IMAGE_TYPES else None


def audio_format(mime_type: str) -> AudioFormat | None:
    """How a vendor that takes sound calls its format; None for a format that none takes."""
    return _AUDIO_FORMATS.get(bare_type(mime_type))


def image_type_of(beginning: bytes) -> str | None:
    """The one of `IMAGE_TYPES` that the first twelve bytes of a file show, whatever it is called."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _BEGINNINGS.items() if beginning.startswith(magic)), None)
