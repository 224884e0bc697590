"""A small MCP server over stdio, by the standard library alone: `python mcp_server.py good|sleeps|exits|prints_html`.

It has one tool, `shout`, which gives its text in capitals and the `_meta` of the call behind it.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

TOOL = {
    "name": "shout",
    "description": "Says a text loudly.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None for what this server does not know."""
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "shouter", "version": "1"},
            }
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            text = params["arguments"]["text"].upper() + " " + json.dumps(params.get("_meta"), sort_keys=True)
            return {"content": [{"type": "text", "text": text}]}
        case "ping":
            return {}
        case _:
            return None


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(behaviour: str) -> None:
    """Serve, or fail in one of the ways that servers do."""
    if behaviour == "exits":
        sys.exit(1)
    if behaviour == "sleeps":
        threading.Event().wait()
    if behaviour == "prints_html":
        say("<!DOCTYPE html>\n<html><body>It works!</body></html>")
        sys.stdin.read()
        return
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        result = answer(message["method"], message.get("params") or {})
        reply |= {"error": {"code": -32601, "message": "unknown"}} if result is None else {"result": result}
        say(json.dumps(reply))


if __name__ == "__main__":
    main(sys.argv[1])
