"""The tools that every session has."""

from __future__ import annotations

from typing import Any

from acp_agent.tools.base import Tool
from acp_agent.tools.edit import EditTool
from acp_agent.tools.read import ReadTool
from acp_agent.tools.todowrite import TodoWriteTool
from acp_agent.tools.write import WriteTool

BUILTIN: tuple[Tool[Any], ...] = (EditTool(), ReadTool(), TodoWriteTool(), WriteTool())
