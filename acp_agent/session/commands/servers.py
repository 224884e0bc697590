"""`/mcp`: the MCP servers of the session, and joining one again."""

from __future__ import annotations

from collections.abc import Sequence

from acp_agent.session.commands.base import Invocation, code, listed, page, plain, sentence
from acp_agent.session.turn_state import Turn
from acp_agent.tools.mcp.server import ServerStatus
from acp_agent.tools.mcp.servers import McpServers


async def mcp(turn: Turn, invoked: Invocation) -> str:
    """`/mcp [reconnect NAME]`: every server with its transport, state and tools."""
    return await answer_about(turn.state.mcp, invoked.arguments, refused=turn.state.trust_asked)


async def answer_about(servers: McpServers, arguments: str, *, refused: bool = False) -> str:
    """What `/mcp` says of these servers, and what it does with the one that the arguments name.

    `refused`: the question about those that wait for a person's yes was answered with no in this session.
    """
    rows = servers.status()
    if not rows:
        return "This session has no MCP servers. Clients name them, or the configuration does below `mcp`."
    verb, _, name = arguments.partition(" ")
    name = name.strip("`\"' ")
    shown = listed("MCP servers", [_row(each) for each in rows])
    waiting = sorted(servers.waiting_for_trust())
    if not verb:
        again = any(each.state != "off" for each in rows)
        how = "Join one again with `/mcp reconnect NAME`." if again else ""
        return page(shown, _about_trust(waiting, refused=refused), how)
    if verb != "reconnect":
        return page(f"{code('/mcp')} knows no {code(verb)}; it is {code('/mcp reconnect NAME')}.", shown)
    if not name:
        return page("Name the server: `/mcp reconnect NAME`.", shown)
    if name not in [each.name for each in rows]:
        return page(f"There is no MCP server {code(name)}.", shown)
    await servers.reconnect(name)
    now = next((each for each in servers.status() if each.name == name), None)
    done = "cannot be joined" if now is None or now.state == "off" else "is joined again in the background"
    return page(
        f"{code(name)} {done}.",
        f"- {_row(now)}" if now is not None else "",
        _about_trust([name] if name in waiting else [], refused=refused),
    )


def _about_trust(waiting: Sequence[str], *, refused: bool) -> str:
    """What becomes of servers that wait for a yes."""
    if not waiting:
        return ""
    which = ", ".join(code(name) for name in waiting)
    if not refused:
        return f"The next prompt that goes to a model asks you whether to start {which}."
    return f"You were asked whether to start {which}, and the answer was no. A new session asks again."


def _row(server: ServerStatus) -> str:
    tools = "" if server.state == "off" else f", {server.tools} tool{'' if server.tools == 1 else 's'}"
    detail = f". {plain(sentence(server.detail)[:1000])}" if server.detail else ""
    return f"{code(server.name)} ({server.transport}): {server.state}{tools}{detail}"
