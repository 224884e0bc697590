"""`fs/*`: files as the client has them, changes in open editors included. Paths are absolute."""

from acp_agent.schema.base import Checked, Count, Wire


class ReadTextFileRequest(Wire):
    """Read a file, or `limit` lines of it from `line` (from 1) on."""

    session_id: str
    path: str
    line: Checked[Count | None] = None
    limit: Checked[Count | None] = None


class ReadTextFileResponse(Wire):
    """The text that was read."""

    content: str


class WriteTextFileRequest(Wire):
    """Replace the text of a file, which is created where it is missing."""

    session_id: str
    path: str
    content: str


class WriteTextFileResponse(Wire):
    """The file is written."""
