"""What a schema cannot say of params: directories that exist, and content that can be used. All raise `RpcError`."""

from __future__ import annotations

import os
from pathlib import Path

from anyio import to_thread

from acp_agent import schema
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.session.history import IMAGE_TYPES

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


async def directory(cwd: str) -> Path:
    """The working directory of a session. Raises `RpcError` (-32602) for what is none."""
    expected = {"cwd": "the absolute path of an existing directory"}
    if "\x00" in cwd or not os.path.isabs(cwd):
        raise RpcError(INVALID_PARAMS, f"cwd must be an absolute path, not {cwd[:200]!r}.", {"expected": expected})
    path = Path(cwd)
    if not await to_thread.run_sync(os.path.isdir, path):
        what = "is not a directory" if await to_thread.run_sync(os.path.exists, path) else "does not exist"
        raise RpcError(INVALID_PARAMS, f"cwd {cwd[:200]!r} {what}.", {"expected": expected})
    return path


def refuse_more_directories(params: schema.SessionSetup) -> None:
    """Directories that are not advertised are refused rather than silently left out."""
    if params.additional_directories:
        text = "additionalDirectories is not supported by this agent yet."
        raise RpcError(INVALID_PARAMS, text, {"path": "additionalDirectories"})


def check_blocks(params: schema.PromptRequest) -> None:
    """Refuse, with its place, a block that no model could be sent: it would stay in the history for good."""
    if not params.prompt:
        raise RpcError(INVALID_PARAMS, "The prompt is empty: send at least one content block.", {"path": "prompt"})
    for number, block in enumerate(params.prompt):
        place = f"prompt[{number}]"
        match block:
            case schema.AudioContent():
                raise RpcError(INVALID_PARAMS, f"{place}: audio is not supported by this agent.", {"path": place})
            case schema.ImageContent(data=data, mime_type=mime_type):
                if mime_type not in IMAGE_TYPES:
                    raise RpcError(
                        INVALID_PARAMS, f"{place}: {mime_type[:100]!r} is no image.", {"expected": IMAGE_TYPES}
                    )
                _check_base64(data, f"{place}.data")
                if not data:
                    raise RpcError(INVALID_PARAMS, f"{place}.data is empty.", {"path": f"{place}.data"})
            case schema.EmbeddedResource(resource=schema.BlobResourceContents(blob=data)):
                _check_base64(data, f"{place}.resource.blob")


def _check_base64(data: str, place: str) -> None:
    # By hand: decoding 40 MB to throw it away holds up every session for most of a second.
    body = data.encode("utf-8", "replace").rstrip(b"=")
    if len(data) % 4 or len(data) - len(body) > 2 or body.translate(None, _BASE64):
        raise RpcError(INVALID_PARAMS, f"{place} is not base64.", {"path": place})
