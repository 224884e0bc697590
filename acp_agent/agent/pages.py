"""`session/list` in pages: a cursor names the last session that was shown, so that new ones do not shift the rest."""

from __future__ import annotations

import base64
import math

from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.schema import SessionInfo
from acp_agent.session.record.store import SessionHead
from acp_agent.session.titles import iso_time

PAGE = 50


def session_info(head: SessionHead) -> SessionInfo:
    """A session as clients list it."""
    return SessionInfo(
        session_id=head.id,
        cwd=str(head.cwd),
        additional_directories=[str(root) for root in head.roots[1:]],
        title=head.title,
        updated_at=iso_time(head.updated),
    )


def cursor_behind(head: SessionHead) -> str:
    """A cursor for the sessions behind this one."""
    return base64.urlsafe_b64encode(f"{head.updated!r} {head.id}".encode()).decode()


def cursor(text: str) -> tuple[float, str]:
    """What `cursor_behind` gave: the time and the id. Raises `RpcError` (-32602) for anything else."""
    try:
        updated, id = base64.urlsafe_b64decode(text.encode()).decode().split(" ", 1)
        after = float(updated)
        if not math.isfinite(after):
            raise ValueError("not a time")
        return after, id
    except ValueError:
        raise RpcError(INVALID_PARAMS, "The cursor is not one of this agent's.", {"cursor": text[:200]}) from None
