"""What a schema cannot say of params: directories that exist, content that can be used, a trace to pass on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyio import to_thread

from acp_agent import schema
from acp_agent.llm.media import IMAGE_TYPES, image_type
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError

DIRECTORY = "the absolute path of an existing directory"
"""What is expected of a root, for errors."""

_TRACE_LENGTH = 8192
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def check_absolute(text: str, field: str, wanted: str = "an absolute path") -> None:
    """Refuse (-32602) what is no absolute path; `wanted` is what the field takes, for the error."""
    if "\x00" in text or not os.path.isabs(text):
        data = {"expected": {field: wanted}}
        raise RpcError(INVALID_PARAMS, f"{field} must be an absolute path, not {text[:200]!r}.", data)


async def directory(text: str, field: str) -> Path:
    """A directory that a field of the params names. Raises `RpcError` (-32602) for what is none."""
    check_absolute(text, field, DIRECTORY)
    path = Path(text)
    if not await to_thread.run_sync(os.path.isdir, path):
        what = "is not a directory" if await to_thread.run_sync(os.path.exists, path) else "does not exist"
        raise RpcError(INVALID_PARAMS, f"{field} {text[:200]!r} {what}.", {"expected": {field: DIRECTORY}})
    return path


def check_blocks(params: schema.PromptRequest | schema.SteeringRequest) -> None:
    """Refuse, with its place, a block that no model could be sent: it would stay in the history for good."""
    if not params.prompt:
        raise RpcError(INVALID_PARAMS, "The prompt is empty: send at least one content block.", {"path": "prompt"})
    for number, block in enumerate(params.prompt):
        place = f"prompt[{number}]"
        match block:
            case schema.AudioContent(data=data):
                _check_media(data, f"{place}.data")
            case schema.ImageContent(data=data, mime_type=mime_type):
                if image_type(mime_type) is None:
                    raise RpcError(
                        INVALID_PARAMS, f"{place}: {mime_type[:100]!r} is no image.", {"expected": IMAGE_TYPES}
                    )
                _check_media(data, f"{place}.data")
            case schema.EmbeddedResource(resource=schema.BlobResourceContents(blob=data)):
                _check_base64(data, f"{place}.resource.blob")


def _check_media(data: str, place: str) -> None:
    _check_base64(data, place)
    if not data:
        raise RpcError(INVALID_PARAMS, f"{place} is empty.", {"path": place})


def _check_base64(data: str, place: str) -> None:
    # By hand: decoding 40 MB to throw it away holds up every session for most of a second.
    body = data.encode("utf-8", "replace").rstrip(b"=")
    if len(data) % 4 or len(data) - len(body) > 2 or body.translate(None, _BASE64):
        raise RpcError(INVALID_PARAMS, f"{place} is not base64.", {"path": place})


def trace_of(meta: Mapping[str, Any] | None) -> dict[str, str]:
    """The W3C trace context in a request's `_meta`: only what has its name and is a text of sane length."""
    found = {name: (meta or {}).get(name) for name in ("traceparent", "tracestate", "baggage")}
    return {name: value for name, value in found.items() if isinstance(value, str) and len(value) <= _TRACE_LENGTH}
