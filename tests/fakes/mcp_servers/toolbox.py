"""An MCP server made with the official SDK, for all three transports.

`python toolbox.py stdio` is one. `python toolbox.py nest` makes as many over HTTP as it is asked for, and loads the SDK
once for all of them. A line of input is `{"arguments": ["http" or "sse", "port=N", "json"], "environment": {}}`, of
which `json` answers without streams; a line of output is `PID PORT`. All of them end with its input.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f6"
    "45400000000049454e44ae426082"
)

server = MCPServer("toolbox", instructions="Use echo for echoes.")


class Point(BaseModel):
    x: int
    y: int


@server.tool(title="Echo a text", annotations=types.ToolAnnotations(read_only_hint=True))
def echo(text: str) -> str:
    """Gives the text back."""
    return text


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def picture() -> Image:
    """Draws one pixel."""
    return Image(data=PIXEL, format="png")


@server.tool(structured_output=True)
def point() -> Point:
    """Gives a point."""
    return Point(x=1, y=2)


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("the drawer is stuck")


@server.tool()
async def wait(folder: str) -> str:
    """Says in the folder that it began, and, when it is cancelled, that it was."""
    place = Path(folder)
    (place / "begun").write_text(str(os.getpid()))
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        (place / "cancelled").write_text("yes")
        raise
    return "never"


@server.tool()
async def count(context: Context[Any, Any], to: int) -> str:
    """Counts, and tells how far it is."""
    for number in range(1, to + 1):
        await context.report_progress(number, to, f"at {number}")
    return f"counted to {to}"


@server.tool()
async def grow(context: Context[Any, Any], name: str) -> str:
    """Gets a new tool."""
    server.add_tool(lambda: name, name=name, description="A new tool.")
    await context.session.send_tool_list_changed()
    await context.notify_tools_changed()
    return "grown"


@server.tool()
async def roots(context: Context[Any, Any]) -> str:
    """Asks for the roots."""
    found = await context.session.list_roots()
    return " ".join(str(root.uri) for root in found.roots)


@server.tool()
async def sample(context: Context[Any, Any]) -> str:
    """Asks the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Hello"))
    return str(await context.session.create_message(messages=[message], max_tokens=5))


@server.tool()
def environment(name: str) -> str:
    """Gives an environment variable."""
    return os.environ.get(name, "unset")


@server.tool()
def where() -> str:
    """Gives process id and working directory."""
    return f"{os.getpid()} {os.getcwd()}"


@server.prompt()
def greet(name: str, manner: str = "warm") -> str:
    """Greets somebody."""
    return f"Greet {name} in a {manner} way."


@server.resource("note://one")
def one() -> str:
    """The first note."""
    return "The first note says: buy milk."


@server.resource("note://of/{name}")
def note_of(name: str) -> str:
    """The note of somebody."""
    return f"A note of {name}."


class Guard:
    """Lets only requests with the right key in, if one is set."""

    def __init__(self, app: Any, key: str) -> None:
        self.app = app
        self.key = key

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and self.key and Request(scope).headers.get("x-key") != self.key:
            await PlainTextResponse("who are you?", status_code=401)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def serve(kind: str, *options: str) -> None:
    app = server.sse_app() if kind == "sse" else server.streamable_http_app(json_response="json" in options)
    app.user_middleware.append(Middleware(Guard, key=os.environ.get("TOOLBOX_KEY", "")))
    port = next((int(option[5:]) for option in options if option.startswith("port=")), 0)
    listening = socket.create_server(("127.0.0.1", port), reuse_port=True)
    sys.stdout.write(f"{os.getpid()} {listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


def nest() -> None:
    """Fork a server for each line of input. Whoever started this made it the leader of a process group."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that were killed
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ.clear()
            os.environ.update(asked["environment"])
            serve(*asked["arguments"])
            os._exit(0)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    logging.disable()
    nest() if sys.argv[1] == "nest" else server.run("stdio")
