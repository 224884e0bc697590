"""The tools that every session has: one file each, one word here."""

from __future__ import annotations

from typing import Any

from acp_agent.tools.base import Tool
from acp_agent.tools.bash import BashTool
from acp_agent.tools.edit import EditTool
from acp_agent.tools.glob import GlobTool
from acp_agent.tools.grep import GrepTool
from acp_agent.tools.read import ReadTool
from acp_agent.tools.todowrite import TodoWriteTool
from acp_agent.tools.write import WriteTool

BUILTIN: tuple[Tool[Any], ...] = (
    BashTool(),
    EditTool(),
    GlobTool(),
    GrepTool(),
    ReadTool(),
    TodoWriteTool(),
    WriteTool(),
)
