"""`/mcp`: the MCP servers of the session, and joining one again."""

from __future__ import annotations

from acp_agent.session.commands.base import Invocation, code, listed, page, sentence
from acp_agent.session.turn_state import Turn
from acp_agent.tools.mcp.server import ServerStatus
from acp_agent.tools.mcp.servers import McpServers


async def mcp(turn: Turn, invoked: Invocation) -> str:
    """`/mcp [reconnect NAME]`: every server with its transport, state and tools."""
    return await answer_about(turn.state.mcp, invoked.arguments)


async def answer_about(servers: McpServers, arguments: str) -> str:
    """What `/mcp` says of these servers, and what it does with the one that the arguments name."""
    rows = servers.status()
    if not rows:
        return "This session has no MCP servers. Clients name them, or the configuration does below `mcp`."
    verb, _, name = arguments.partition(" ")
    name = name.strip("`\"' ")
    shown = listed("MCP servers", [_row(each) for each in rows])
    if not verb:
        return page(shown, "Join one again with `/mcp reconnect NAME`.")
    if verb != "reconnect":
        return page(f"{code('/mcp')} knows no {code(verb)}; it is {code('/mcp reconnect NAME')}.", shown)
    if not name:
        return page("Name the server: `/mcp reconnect NAME`.", shown)
    if name not in [each.name for each in rows]:
        return page(f"There is no MCP server {code(name)}.", shown)
    await servers.reconnect(name)
    now = next((each for each in servers.status() if each.name == name), None)
    done = "cannot be joined" if now is None or now.state == "off" else "is joined again in the background"
    return page(f"{code(name)} {done}.", f"- {_row(now)}" if now is not None else "")


def _row(server: ServerStatus) -> str:
    tools = "" if server.state == "off" else f", {server.tools} tool{'' if server.tools == 1 else 's'}"
    detail = f". {sentence(server.detail)[:1000]}" if server.detail else ""
    return f"{code(server.name)} ({server.transport}): {server.state}{tools}{detail}"
